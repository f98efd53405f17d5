"""Start: the app, or safe mode when the app cannot."""

import sys

from settings import State

_MAX_FAILURES = 3


def _why(err):
    return "%s: %s" % (type(err).__name__, err)


state = State()
wish = state.next
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
    import machine

    machine.reset()
