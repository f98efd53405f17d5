"""Start: the app, or safe mode when the app cannot."""

import sys

import machine
from settings import State

_MAX_FAILURES = 3


def _why(err):
    return "%s: %s" % (type(err).__name__, err)


def _has_hung():
    try:
        return machine.reset_cause() == machine.WDT_RESET
    except AttributeError:
        # Some ports do not tell.
        return False


state = State()
wish = state.next
if not wish and _has_hung():
    state.hung()
state.booted()
try:
    if wish == "safe" or state.n_failures >= _MAX_FAILURES:
        raise RuntimeError(state.why or "the host asked for safe mode")
    import app

    board = app.Board(state, wish)
except KeyboardInterrupt:
    sys.exit()
except Exception as err:
    # Nothing but what every board has: a board that answers can be asked, and flashed again.
    import safe

    board = safe.Board(state, wish, _why(err))
try:
    board.run()
except KeyboardInterrupt:
    board.close()
except Exception as err:
    state.failed(_why(err))
    machine.reset()
