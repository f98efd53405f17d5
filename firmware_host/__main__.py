"""``python -m firmware_host`` and the ``signet`` command."""

from __future__ import annotations

import os
import sys

_INTERRUPTED = 130


def _leave(_number: int, _frame: object) -> None:
    os._exit(_INTERRUPTED)


def _end_at_once() -> None:
    for number in _ENDS:
        signal.signal(number, _leave)


# While modules are imported nothing is done yet that an end would spoil. Whoever starts us with one of them
# ignored, as a shell does with Ctrl-C in the background, means it.
try:
    import signal

    _USUAL = (signal.default_int_handler, signal.SIG_DFL)
    _ENDS = [
        number
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        if signal.getsignal(number) in _USUAL
    ]
    _end_at_once()
except KeyboardInterrupt:
    os._exit(_INTERRUPTED)

# One small matrix product at a time: a thread pool would cost memory and heat, and gain nothing.
for _name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

from firmware_host.cli import main as _command  # noqa: E402  numpy must not be imported before


def main(argv: list[str] | None = None) -> int:
    """Run one verb, which a signal interrupts in good order; returns the exit code."""
    try:
        return _command.main(argv)
    except KeyboardInterrupt:
        return _INTERRUPTED
    finally:
        # What is left to do is Python's own, and no place to be interrupted in.
        _end_at_once()


if __name__ == "__main__":
    sys.exit(main())
