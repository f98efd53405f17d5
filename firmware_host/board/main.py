"""Start: the app, or safe mode when the app cannot."""

import machine
from settings import State, has_hung, why

_MAX_FAILURES = 3


def begin(state, wish):
    """The app, or what every board has: a board that answers can be asked, and flashed again."""
    reason = "the host asked for it" if wish == "safe" else state.why
    if wish != "safe" and state.n_failures < _MAX_FAILURES:
        try:
            import app
            return app.Board(state, wish)
        except Exception as err:
            reason = why(err)
    _leave_the_dog()
    import safe
    return safe.Board(state, wish, reason)


def _leave_the_dog():
    """Safe mode feeds no watchdog; the app may have taken it before it failed."""
    try:
        import dog
        dog.leave()
    except Exception:
        # There is none, or it was never woken.
        pass


state = State()
wish = state.next
if not wish and state.n_boots and has_hung():
    state.hung()
state.booted()
board = begin(state, wish)
while board:
    try:
        board.run()
    except KeyboardInterrupt:
        board.close()
        board = None
    except Exception as err:
        if state.failed(why(err)):
            machine.reset()
        # With a flash that cannot be written it would fail for ever, without a word.
        board = None
        board = begin(state, "failed")
