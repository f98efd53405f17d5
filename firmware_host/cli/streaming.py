"""What run, record, replay and enrol share: stopping, printing events, the last line."""

from __future__ import annotations

import argparse
import math
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from firmware_host.cli.common import places, say
from firmware_host.cli.interrupts import ENDS, interrupt, is_ignored
from firmware_host.cli.times import length_words
from firmware_host.config import Config, recording_name
from firmware_host.errors import ConfigError, LinkError, StreamSilent, printable, shown

if TYPE_CHECKING:
    from firmware_host.events import AnyEvent
    from firmware_host.runtime.silence import SilenceLimits

_PROGRESS_EVERY_S = 60.0


class Stopper:
    """Turns the first Ctrl-C, SIGTERM or SIGHUP into a clean end and the second into an interruption.

    Under ``nohup`` the run goes on when its terminal is closed.
    """

    def __init__(self) -> None:
        self._is_asked = False
        self._is_end = True

    def install(self, *, is_end: bool = True) -> None:
        """Take over the signals; without ``is_end`` even the first one interrupts: half is nothing."""
        self._is_end = is_end
        for number in ENDS:
            # A script's shell has Ctrl-C ignored for what it starts behind itself; `kill -INT` must end it yet.
            if number != signal.SIGHUP or not is_ignored(number):
                signal.signal(number, self._ask)

    def __call__(self) -> bool:
        """Whether to end."""
        return self._is_asked

    def _ask(self, number: int, frame: FrameType | None) -> None:
        if self._is_asked or not self._is_end:
            interrupt(number, frame)
        else:
            self._is_asked = True


@contextmanager
def interrupted_early(stopper: Stopper) -> Iterator[None]:
    """A Ctrl-C while a board has yet to say what it is ends in an interruption, whatever it left undone.

    Raises
    ------
    KeyboardInterrupt
        Instead of the error that there is no board.
    """
    try:
        yield
    except StreamSilent:
        raise
    except LinkError as err:
        if not stopper():
            raise
        say("signet: interrupted before the board said what it is")
        raise KeyboardInterrupt from err


def positive_seconds(text: str) -> float:
    """Argument type: a finite number above zero."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        msg = f"expected a number of seconds above zero, got {shown(text)}"
        raise argparse.ArgumentTypeError(msg)
    return value


def seconds_or_never(text: str) -> float:
    """Argument type: a finite number above zero, or 0 for never."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value < math.inf:
        msg = f"expected 0 (as long as it takes) or a number of seconds, got {shown(text)}"
        raise argparse.ArgumentTypeError(msg)
    return value


def new_recording(text: str) -> Path:
    """Argument type: the name of a recording to be made."""
    try:
        return recording_name("recording", text)
    except ConfigError as err:
        raise argparse.ArgumentTypeError(f"expected {err.expected}, got {shown(text)}") from err


def add_max_silence(parser: argparse.ArgumentParser) -> None:
    """How long a board may send nothing."""
    parser.add_argument(
        "--max-silence",
        type=seconds_or_never,
        metavar="S",
        help="end with exit code 9 after so many seconds without data; with 0, as without it unless the settings "
        "say otherwise, a board that is away is awaited as long as it takes",
    )


def silence_limits(args: argparse.Namespace, config: Config) -> SilenceLimits:
    """When silence is said and when it is the end."""
    from firmware_host.runtime.silence import SilenceLimits

    device = config.device
    asked_s = getattr(args, "max_silence", None)
    return SilenceLimits(device.silence_s, device.max_silence_s if asked_s is None else asked_s)


class EventPrinter:
    """Events as JSON lines for machines; for people one line a change, and where the stream stands.

    Parameters
    ----------
    as_json
        One canonical JSON object a line on standard output.
    shows_place
        Say on a terminal where the stream stands.
    """

    def __init__(self, *, as_json: bool, shows_place: bool = True) -> None:
        self._as_json = as_json
        self._last: dict[str, str] = {}
        self._last_progress_s = 0.0
        self._is_terminal = shows_place and sys.stderr.isatty()

    def __call__(self, event: AnyEvent) -> None:
        """Take one event."""
        if self._as_json:
            from firmware_host.events import to_json

            print(to_json(event))
            return
        text = _describe(event)
        if text and (event.kind == "stream" or text != self._last.get(event.kind)):
            print(f"{clock(event.t_s)}  {printable(text)}", flush=True)
            self._last[event.kind] = text
        if self._is_terminal and event.t_s - self._last_progress_s >= _PROGRESS_EVERY_S:
            self._last_progress_s = event.t_s
            print(f"\r{clock(event.t_s)} streamed", end="\r", file=sys.stderr, flush=True)


def learner_arguments(args: argparse.Namespace, config: Config) -> list[str | Path]:
    """Options that let ``signet learn`` work on the same vault with the same bundle."""
    state, key = places(args, config)
    arguments: list[str | Path] = ["--state", state, "--key-file", key]
    if args.config:
        arguments += ["--config", args.config]
    if args.bundle:
        arguments += ["--bundle", args.bundle]
    return arguments


def say_summary(summary: Mapping[str, Any]) -> None:
    """The last lines for a person."""
    n_missing = sum(c["missing_samples"] for c in summary["channels"].values())
    n_samples = sum(c["n_samples"] for c in summary["channels"].values())
    length = length_words(summary["stream_s"], summary["clock_s"])
    states = ", ".join(f"{name} {n}" for name, n in summary["states"].items()) or "none"
    say(
        f"{length}, in {summary['wall_s']:.1f} s: {n_samples} samples, "
        f"{n_missing} missing, {summary['bad_frames']} bad frames; windows: {states}; "
        f"peak memory {summary['peak_rss_mb']} MB"
    )
    say_silence(summary)
    say_lines(summary)
    say_drops(summary)


def say_drops(counts: Mapping[str, Any]) -> None:
    """What did not get through, in a line; nothing if all did."""
    from firmware_host.runtime.drops import drop_words

    if words := drop_words(counts):
        say(f"not used: {', '.join(words)}")


def say_silence(summary: Mapping[str, Any]) -> None:
    """For how long a board that was there before sent nothing: what it missed before a restart is in no gap."""
    if silent_s := summary["silent_s"]:
        other = summary.get("lines", {}).get("columns")
        how = ", or printed other columns" if other else ""
        say(f"no data for {silent_s:.0f} s in all, while the board was away or mute{how}")


def say_lines(summary: Mapping[str, Any]) -> None:
    """What became of the lines of a board that prints; nothing for one that sends frames."""
    from firmware_host.runtime.drops import line_words

    if words := line_words(summary["lines"]):
        say(f"lines: {words}")


def _describe(event: AnyEvent) -> str:
    kind = event.kind
    if kind == "stress":
        return f"stress model: {getattr(event, 'state', '')}"
    if kind == "activity":
        return f"activity: {getattr(event, 'activity', '')}"
    if kind == "wearer":
        return f"walking: {getattr(event, 'wearer', '')}"
    if kind == "label":
        return f"label: {getattr(event, 'label', '')} ({getattr(event, 'source', '')})"
    what = getattr(event, "what", "")
    channel = getattr(event, "channel", "")
    detail = " ".join(f"{k}={v}" for k, v in getattr(event, "detail", {}).items())
    return f"{what} {channel} {detail}".strip()


def clock(t_s: float) -> str:
    """Hours, minutes and seconds; a minus before what a board tells of the time before we listened."""
    whole = abs(int(t_s))
    sign = "-" if int(t_s) < 0 else ""
    return f"{sign}{whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}"
