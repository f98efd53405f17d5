"""Safe mode: no sensor is touched; the board answers, and says why it came to this."""

from time import sleep_ms, ticks_ms

from light import OFF, SAFE, Light
from talk import ERROR, VERSION, Talk

_REST_MS = 5


class Board(Talk):
    """A board that only talks."""

    def __init__(self, state, wish, why):
        super().__init__(state, wish, "signet-safe " + VERSION)
        self._why = why
        self._light = _light()

    def say_hello(self, now_ms):
        super().say_hello(now_ms)
        self.log(ERROR, "safe mode: " + self._why)

    def run(self):
        """Answer for ever."""
        while True:
            self.clock.tick()
            now_ms = ticks_ms()
            self.look(now_ms)
            if self._light:
                self._light.look(now_ms, SAFE)
            sleep_ms(_REST_MS)

    def close(self):
        if self._light:
            self._light.look(ticks_ms(), OFF)
        super().close()


def _light():
    try:
        from config import board_config

        has = board_config()["led"]
        return Light(has["pin"], has.get("lit"))
    except Exception:
        # Whatever is wrong there, the board shall answer.
        return None
