"""Signals that end a command, kept out of imports, which would swallow the interruption or break off halfway."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

ENDS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
# Every import of a module, also one that C code asks for, runs below a frame of this file.
_IMPORT_FILE = "<frozen importlib._bootstrap>"
_AGAIN_S = 0.02


def interrupt(_number: int, frame: FrameType | None) -> None:
    """Signal handler: interrupt what the command does; a module that is being imported is let in first.

    Raises
    ------
    KeyboardInterrupt
        At once, or from an alarm soon after the import.
    """
    if _is_importing(frame):
        signal.signal(signal.SIGALRM, interrupt)
        signal.setitimer(signal.ITIMER_REAL, _AGAIN_S)
        return
    raise KeyboardInterrupt


@contextmanager
def interruptible() -> Iterator[None]:
    """Let Ctrl-C, SIGTERM and SIGHUP interrupt the block; whoever has one of them ignored is heeded."""
    for number in ENDS:
        if not is_ignored(number):
            signal.signal(number, interrupt)
    try:
        yield
    finally:
        if signal.getsignal(signal.SIGALRM) is interrupt:
            # One that was put off has nothing left to interrupt.
            signal.setitimer(signal.ITIMER_REAL, 0.0)


def is_ignored(number: signal.Signals) -> bool:
    """Whether whoever started us has this signal ignored, as ``nohup`` does with SIGHUP."""
    return signal.getsignal(number) is signal.SIG_IGN


def _is_importing(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code.co_filename == _IMPORT_FILE:
            return True
        frame = frame.f_back
    return False
