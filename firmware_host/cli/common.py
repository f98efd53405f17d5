"""What every verb shares: options, places, printing."""

from __future__ import annotations

import argparse
import contextlib
import functools
import json
import logging
import math
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from firmware_host.config import (
    BOARD_OF_RATES,
    PLACEMENTS,
    RATE_WORDS,
    Config,
    load_config,
)
from firmware_host.errors import ConfigError, StorageError, VaultError, printable
from firmware_host.protocol.messages import MAX_RATE_HZ, MIN_RATE_HZ

if TYPE_CHECKING:
    from firmware_host.runtime.waiting import Waiting
    from firmware_host.vault.records import Vault

Handler = Callable[[argparse.Namespace], int]

DEVICE_HELP = (
    "where the board is: /dev/serial/by-id/..., auto: for the only one plugged in, socket://host:port, "
    "text:/dev/... for any board that prints numbers, replay:FILE?speed=max, synthetic:?seed=7&scenario=day; "
    "?speed=N after a line's name for a simulated board that lives N times faster"
)


def some_recording(text: str) -> Path:
    """Argument type: the name of a recording to read or to make."""
    if not text:
        raise argparse.ArgumentTypeError("expected the name of a recording, got an empty one")
    return Path(text)


def add_shared(parser: argparse.ArgumentParser, *, state: bool = True) -> None:
    """Options of every verb."""
    parser.add_argument(
        "--config", type=Path, metavar="FILE", help="TOML file with settings; else $SIGNET_CONFIG"
    )
    parser.add_argument("--log", choices=("debug", "info", "warning", "error"), help="log level")
    parser.add_argument("--json", action="store_true", help="print data as JSON for machines")
    if state:
        parser.add_argument("--state", type=Path, metavar="DIR", help="folder of the vault")
        parser.add_argument("--key-file", type=Path, metavar="FILE", help="file that opens it")


def add_model(parser: argparse.ArgumentParser) -> None:
    """Options of verbs that run a model."""
    parser.add_argument("--bundle", type=Path, metavar="DIR", help="model bundle, not the shipped")


def add_device(parser: argparse.ArgumentParser) -> None:
    """Options of verbs that stream."""
    parser.add_argument("--device", metavar="URL", help=DEVICE_HELP)


def add_rates(parser: argparse.ArgumentParser) -> None:
    """Options of verbs that may change a board's sample rates."""
    parser.add_argument(
        "--rate",
        action="append",
        type=_channel_rate,
        default=[],
        metavar="CHANNEL=HZ",
        help="sample rate to ask of the board, such as acc=100; may be given for several channels",
    )


def wanted_rates(args: argparse.Namespace, config: Config, url: str) -> dict[str, float]:
    """Sample rates to ask of the board, Hz by channel name; a recording is asked for none.

    Raises
    ------
    ConfigError
        If a recording was to have another rate.
    """
    names = [name for name, _ in args.rate]
    if len(set(names)) < len(names):
        twice = ", ".join(f"{name}={rate_hz:g}" for name, rate_hz in args.rate)
        raise ConfigError("--rate", "each channel once", twice)
    if not url.startswith("replay:"):
        return {**config.device.rates, **dict(args.rate)}
    if args.rate:
        raise ConfigError("--rate", BOARD_OF_RATES, url)
    return {}


def _channel_rate(text: str) -> tuple[str, float]:
    name, _, rate = text.partition("=")
    try:
        rate_hz = float(rate)
    except ValueError:
        rate_hz = math.nan
    if not name or not MIN_RATE_HZ <= rate_hz < MAX_RATE_HZ:
        msg = f"expected CHANNEL=HZ with {RATE_WORDS}, got {text!r}"
        raise argparse.ArgumentTypeError(msg)
    return name, rate_hz


def add_placement(parser: argparse.ArgumentParser) -> None:
    """Where the board was worn: who walks is told from another reference there."""
    parser.add_argument(
        "--placement",
        choices=PLACEMENTS,
        help="where the board is worn, wrist unless the settings say otherwise; who walks is told "
        "where you enrolled, stress at the wrist only",
    )


def settings(args: argparse.Namespace) -> Config:
    """The config file that was named, by option or as ``$SIGNET_CONFIG``, and logging set up from it."""
    named = os.environ.get("SIGNET_CONFIG")
    config = load_config(args.config or (Path(named) if named else None))
    level = (args.log or config.log.level).upper()
    shown = logging.StreamHandler(sys.stderr)
    shown.setFormatter(_PrintableFormatter("%(levelname).1s %(name)s: %(message)s"))
    logging.basicConfig(level=level, handlers=[shown])
    return config


class _PrintableFormatter(logging.Formatter):
    """A message is one line, and no line holds what a terminal obeys, whosever words it quotes."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802
        return printable(super().formatMessage(record))

    def formatException(self, ei: Any) -> str:  # noqa: N802
        return "\n".join(map(printable, super().formatException(ei).split("\n")))


def device_url(args: argparse.Namespace, config: Config) -> str:
    """The device asked for.

    Raises
    ------
    ConfigError
        If neither the option nor the config file names one.
    """
    url: str = args.device or config.device.url
    if not url:
        raise ConfigError("--device", "a device URL: auto: or one that signet ports lists", "none")
    return url


def places(args: argparse.Namespace, config: Config) -> tuple[Path, Path]:
    """State folder and key file; a key inside the state folder is refused."""
    state: Path = args.state or config.state_dir()
    key: Path = args.key_file or config.key_file()
    if state.resolve() in key.resolve().parents:
        raise ConfigError("--key-file", "a file outside the state folder", str(key))
    return state, key


def require_one_job(verb: str, jobs: Mapping[str, bool]) -> None:
    """Refuse a command that was asked for several of its jobs, or for none.

    Parameters
    ----------
    jobs
        What each is called, and whether it was asked for.

    Raises
    ------
    ConfigError
        Unless exactly one was.
    """
    asked = [name for name, is_asked in jobs.items() if is_asked]
    if len(asked) != 1:
        raise ConfigError(verb, "one of " + ", ".join(jobs), " and ".join(asked) or "nothing")


@contextmanager
def open_vault(
    args: argparse.Namespace,
    config: Config,
    *,
    create: bool,
    exclusive: bool = False,
    reads_only: bool = False,
) -> Iterator[Vault]:
    """The wearer's vault, made on first use where ``create`` allows it.

    Parameters
    ----------
    exclusive
        Be the only command that streams into it; reading it and labelling go on beside.
    reads_only
        Nothing will be written, so that a full or read-only disk is no hindrance.

    Raises
    ------
    VaultError
        If there is none and none may be made, the key does not open it, or another command
        streams into it.
    StorageError
        If this user may not read or write there.
    """
    from firmware_host.vault.lock import streaming

    state, key = places(args, config)
    with (
        _open_vault(state, key, create=create, reads_only=reads_only) as vault,
        streaming(state) if exclusive else nullcontext(),
    ):
        yield vault


@contextmanager
def vault_once_needed(
    args: argparse.Namespace, config: Config, *, exclusive: bool = False
) -> Iterator[Callable[[], Vault]]:
    """Give the wearer's vault when asked: one that is there is opened at once, a new one is made only then.

    So a device that is refused leaves no empty vault behind, and a wrong key is said before a port is opened.
    """
    with ExitStack() as stack:

        @functools.cache
        def vault() -> Vault:
            return stack.enter_context(open_vault(args, config, create=True, exclusive=exclusive))

        if has_vault(places(args, config)[0]):
            vault()
        yield vault


def _open_vault(state: Path, key: Path, *, create: bool, reads_only: bool) -> Vault:
    from firmware_host.vault.records import Vault

    try:
        if create:
            return Vault.open_or_create(state, key)
        if not has_vault(state):
            msg = (
                f"no vault in {state}: nothing was streamed or enrolled yet (signet run makes one)"
            )
            raise VaultError(msg)
        return Vault.open(state, key, reads_only=reads_only)
    except OSError as err:
        what = f"{err.filename or state}: expected to read and write there, got {err.strerror}"
        msg = f"{what}: check who owns {state}, or name another --state"
        raise StorageError(msg) from err


def has_vault(state: Path) -> bool:
    """Whether there is a vault in this folder."""
    from firmware_host.vault.database import DATABASE_NAME

    return (state / DATABASE_NAME).exists()


def learning_waits(
    vault: Vault, args: argparse.Namespace, config: Config, now_utc: float | None = None
) -> Waiting:
    """What learning waits for, from the vault and this machine as they are now."""
    from firmware_host.runtime.waiting import look_at

    return look_at(
        vault,
        host_root=config.host_root(),
        storage=places(args, config)[0],
        limits=config.policy,
        now_utc=time.time() if now_utc is None else now_utc,
    )


def print_json(value: Mapping[str, Any] | list[Any]) -> None:
    """One JSON value on one line of standard output."""
    print(json.dumps(value, sort_keys=True, default=str), flush=True)


def say_update_offer(firmware: str, url: str) -> None:
    """Offer the update to whoever has a board with an earlier app of ours."""
    from firmware_host.flash.updates import update_offer

    if offer := update_offer(firmware, url):
        say(offer)


def say(text: str) -> None:
    """A line for a person, on standard error so that standard output stays data."""
    with contextlib.suppress(OSError):
        # Nobody can read it (a full disk, a reader that went away): that undoes nothing of what was done.
        print(*map(printable, text.split("\n")), sep="\n", file=sys.stderr, flush=True)
