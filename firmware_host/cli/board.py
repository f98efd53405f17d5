"""``signet board``: what is connected, how it does, what it keeps."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from firmware_host.cli.common import (
    add_device,
    add_shared,
    device_url,
    print_json,
    say,
    say_update_offer,
    settings,
)
from firmware_host.cli.streaming import positive_seconds
from firmware_host.errors import ConfigError, LinkError, SignetError, printable

if TYPE_CHECKING:
    from argparse import _SubParsersAction

    from firmware_host.config import Config
    from firmware_host.flash.asking import Conversation
    from firmware_host.host.ports import PortInfo

# A board says HELLO each 5 s, and its log right after.
_LISTEN_S = 11.0


def add_parser(verbs: _SubParsersAction[argparse.ArgumentParser]) -> None:
    """Define the verb and its jobs."""
    parser = verbs.add_parser(
        "board",
        help="list boards; a board's settings, logs, reset, wiring",
        description="List boards and bootloaders that are connected, and ask one that runs the app about itself.",
    )
    jobs = parser.add_subparsers(dest="job", required=True, metavar="JOB")
    for name, words, job in (
        ("ls", "boards and bootloaders that are connected", _list),
        (
            "settings",
            "what a board keeps, and change it: rate.acc=100, id=left-wrist, ring=",
            _settings,
        ),
        ("logs", "how a board does, and what it says in its log", _logs),
        ("reset", "start a board anew", _reset),
        ("wiring", "a picture (SVG) of what is wired to a kind of board", _wiring),
    ):
        each = jobs.add_parser(name, help=words, description=words[0].upper() + words[1:] + ".")
        if name not in ("ls", "wiring"):
            add_device(each)
        add_shared(each, state=False)
        each.set_defaults(handler=_handler(job))
        if name == "ls":
            each.add_argument(
                "--ask",
                action="store_true",
                help="open each and ask what it runs; some boards restart when they are opened",
            )
        if name == "settings":
            each.add_argument(
                "change", nargs="*", metavar="KEY=VALUE", help="empty value: forget it"
            )
        if name == "logs":
            each.add_argument(
                "--seconds", type=positive_seconds, default=_LISTEN_S, help="how long to listen"
            )
        if name == "wiring":
            each.add_argument(
                "--board",
                required=True,
                metavar="NAME|FILE",
                help="kind of board, or a TOML file that describes yours",
            )
        if name == "reset":
            how = each.add_mutually_exclusive_group()
            how.add_argument("--bootloader", action="store_true", help="to be flashed")
            how.add_argument("--safe", action="store_true", help="without the app")


def _handler(
    job: Callable[[argparse.Namespace, Config], int],
) -> Callable[[argparse.Namespace], int]:
    return lambda args: job(args, settings(args))


def _list(args: argparse.Namespace, _config: Config) -> int:
    from firmware_host.flash.boards import load_boards
    from firmware_host.flash.drives import find_drives
    from firmware_host.flash.finding import kinds_of
    from firmware_host.host.ports import list_ports

    boards = load_boards()
    found = [(port, kinds_of(boards, port)) for port in list_ports()]
    runs = {port.name: _ask(port) for port, kinds in found if kinds and args.ask}
    drives = find_drives()
    if args.json:
        told = [
            {**asdict(port), "kinds": [kind.key for kind in kinds], **runs.get(port.name, {})}
            for port, kinds in found
        ]
        print_json([*told, *({"drive": str(d.folder), "board_id": d.board_id} for d in drives)])
    else:
        for port, kinds in found:
            names = " or ".join(kind.key for kind in kinds) or port.board_hint or "no board we know"
            words = [port.name, names, *_told(runs.get(port.name, {}))]
            print(printable("  ".join(words)))
        for drive in drives:
            print(printable(f"{drive.folder}  bootloader of {drive.board_id}"))
    for port, _ in found:
        say_update_offer(runs.get(port.name, {}).get("firmware", ""), port.url)
    if not any(kinds for _, kinds in found) and not drives:
        say(f"no board we know is connected; kinds we know: {', '.join(boards)}")
    return 0


def _told(runs: Mapping[str, Any]) -> list[str]:
    """What a board says it is, in words."""
    channels = runs.get("channels", {})
    said = [runs[name] for name in ("board", "firmware", "problem") if name in runs]
    return [*said, *(f"{name} {c['rate_hz']:g} Hz {c['unit']}" for name, c in channels.items())]


def _ask(port: PortInfo) -> dict[str, Any]:
    """What a board says it is, or why it says nothing."""
    from firmware_host.flash.asking import Conversation
    from firmware_host.runtime.announced import announced

    if port.holders:
        return {"problem": f"in use by {', '.join(port.holders)}"}
    try:
        with Conversation(port.url) as board:
            return {"board_id": board.hello.board_id, **announced(board.hello)}
    except LinkError as err:
        return {"problem": str(err)}


def _settings(args: argparse.Namespace, config: Config) -> int:
    changes = [_change(text) for text in args.change]
    with _open(args, config) as board:
        _keep_all(board, changes)
        kept = {key: board.kept(key) for key in board.setting_keys()}
    if args.json:
        print_json(kept)
        return 0
    for key, text in kept.items():
        print(printable(f"{key} = {'not kept, as the app has it' if text is None else text}"))
    if changes:
        say(f"in force from the next boot on: signet board reset --device {shlex.quote(board.url)}")
    return 0


def _keep_all(board: Conversation, changes: list[tuple[str, str | None]]) -> None:
    for i, (key, text) in enumerate(changes):
        try:
            board.keep(key, text)
        except SignetError:
            if i:
                say(f"kept before that: {', '.join(done for done, _ in changes[:i])}")
            raise


def _logs(args: argparse.Namespace, config: Config) -> int:
    from firmware_host.flash.asking import status_lines

    with _open(args, config) as board:
        status = board.status()
        if args.json:
            print_json({**asdict(status), "firmware": board.hello.firmware})
        else:
            print(printable(f"{board.hello.board_id}: {board.hello.firmware}"))
            for line in status_lines(status):
                print(printable(line))
        say_update_offer(board.hello.firmware, board.url)
        for log in board.logs(args.seconds):
            if args.json:
                print_json({"level": log.level, "text": log.text})
            else:
                print(printable(f"log {log.level}: {log.text}"))
    return 0


def _reset(args: argparse.Namespace, config: Config) -> int:
    from firmware_host.protocol.messages import Reset

    how = Reset.BOOTLOADER if args.bootloader else Reset.SAFE if args.safe else Reset.ANEW
    with _open(args, config) as board:
        board.reset(how)
        if args.json:
            print_json({"board": board.hello.board_id, "starts": how.name.lower()})
        else:
            say(f"{board.hello.board_id} starts {how.name.lower()}")
    return 0


def _wiring(args: argparse.Namespace, _config: Config) -> int:
    from firmware_host.flash.boards import load_board
    from firmware_host.flash.wiring import wiring_svg

    svg = wiring_svg(load_board(args.board))
    if args.json:
        print_json({"board": args.board, "svg": svg})
    else:
        print(svg, end="")
    return 0


def _open(args: argparse.Namespace, config: Config) -> Conversation:
    from firmware_host.flash.asking import Conversation

    url = device_url(args, config)
    if url.startswith(("replay:", "text")):
        raise ConfigError("--device", "a board that runs our app", url)
    return Conversation(url)


def _change(text: str) -> tuple[str, str | None]:
    key, equals, value = text.partition("=")
    if not key or not equals:
        raise ConfigError("signet board settings", "KEY=VALUE", text)
    return key, value or None
