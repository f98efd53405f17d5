"""The watchdog. It cannot be stopped, not even by a soft reset: while the app does not feed it, a timer does."""

import machine
from micropython import const

# The longest an RP2040 can be told; a loop of the app takes milliseconds.
_PATIENCE_MS = const(8000)
_dog = None
_timer = None


def wake():
    """Begin it, fed by the timer; OSError, ValueError or AttributeError on a port that lacks either."""
    global _dog, _timer
    if _dog is None:
        # The timer first: without it, whoever has the prompt would be reset.
        timer = machine.Timer(-1)
        _dog = machine.WDT(timeout=_PATIENCE_MS)
        _timer = timer
    leave()


def take():
    """Whoever calls this feeds it from now on."""
    feed()
    _timer.deinit()


def feed():
    """All is well."""
    _dog.feed()


def leave():
    """The timer feeds it from now on, for whoever has the prompt."""
    feed()
    _timer.init(period=_PATIENCE_MS // 4, callback=_feed)


def _feed(_):
    _dog.feed()
