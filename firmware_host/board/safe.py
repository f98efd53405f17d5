"""Safe mode: no sensor is touched; the board answers, and says why it came to this."""

from time import sleep_ms, ticks_ms

from talk import ERROR, VERSION, Talk

_REST_MS = 5


class Board(Talk):
    """A board that only talks."""

    def __init__(self, state, wish, why):
        super().__init__(state, wish, "signet-safe " + VERSION)
        self._why = why

    def say_hello(self, now_ms):
        super().say_hello(now_ms)
        self.log(ERROR, "safe mode: " + self._why)

    def run(self):
        """Answer for ever."""
        while True:
            self.clock.tick()
            self.look(ticks_ms())
            sleep_ms(_REST_MS)
