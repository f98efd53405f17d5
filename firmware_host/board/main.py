"""Start: the app, or safe mode when the app cannot."""

import sys

import machine
from settings import State, has_hung, why

_MAX_FAILURES = 3


state = State()
wish = state.next
if not wish and has_hung():
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

    board = safe.Board(state, wish, why(err))
try:
    board.run()
except KeyboardInterrupt:
    board.close()
except Exception as err:
    state.failed(why(err))
    machine.reset()
