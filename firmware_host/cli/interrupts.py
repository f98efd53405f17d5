"""Signals that end a command, kept out of imports, which would swallow the interruption or break off halfway."""

from __future__ import annotations

import signal
import sys
from types import FrameType

ENDS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
# Every import of a module, also one that C code asks for, runs below a frame of this file.
_IMPORT_FILE = "<frozen importlib._bootstrap>"


def interrupt(_number: int, frame: FrameType | None) -> None:
    """Signal handler: interrupt what the command does; a module that is being imported is let in first.

    Raises
    ------
    KeyboardInterrupt
        At once, or at the end of the outermost import, before anything that comes after it.
    """
    outermost = _outermost_import(frame)
    if outermost is None:
        raise KeyboardInterrupt

    def at_its_end(now: FrameType, event: str, _: object) -> None:
        if now is outermost and event == "return":
            sys.setprofile(None)
            raise KeyboardInterrupt

    # The one hook that Python calls at every return, also by an exception.
    sys.setprofile(at_its_end)


def take_signals() -> None:
    """Let Ctrl-C, SIGTERM and SIGHUP interrupt from now on; whoever has one of them ignored is heeded."""
    for number in ENDS:
        if not is_ignored(number):
            signal.signal(number, interrupt)


def is_ignored(number: signal.Signals) -> bool:
    """Whether whoever started us has this signal ignored, as ``nohup`` does with SIGHUP."""
    return signal.getsignal(number) is signal.SIG_IGN


def _outermost_import(frame: FrameType | None) -> FrameType | None:
    outermost = None
    while frame is not None:
        if frame.f_code.co_filename == _IMPORT_FILE:
            outermost = frame
        frame = frame.f_back
    return outermost
