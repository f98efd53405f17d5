"""A MAX30102 at register level (Maxim, 19-7740 rev 1): infrared only, as our driver asks for."""

ADDRESS = 0x57
# Our driver's convention for what a count of light is worth, upside down: more blood takes up more light.
AU_PER_COUNT = -1 / 64
MIDDLE_AU = 2048.0
_WRITE, _OVERRUN, _READ, _FIFO, _CONFIG, _MODE, _SPO2 = 0x04, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0A
_PART_ID, _CHIP_ID = 0xFF, 0x15
_RATES_HZ = (50, 100, 200, 400, 800, 1000, 1600, 3200)
_DEPTH = 32
MAX_COUNT = 0x3FFFF
# What stays of the light with nothing there to reflect it, a hundredth of full scale: our own guess.
SKIN_COUNT, AIR_COUNT = 0x20000, 2600


class Max30102:
    """Answers as the chip does; ``body`` has ``sample("bvp")``, the counts of the moment on skin, ``is_worn()``
    and ``now_us()``.
    """

    def __init__(self, body):
        self._body = body
        self.reset()

    def reset(self):
        """Its supply was away for a moment, or it was told to."""
        self._registers = bytearray(256)
        self._registers[_PART_ID] = _CHIP_ID
        self._samples = []
        self._lost = 0
        self._taken = 0
        self._start_us = None

    def write(self, register, data):
        """Take bytes from the bus, one register after the other."""
        for i in range(len(data)):
            at = (register + i) & 0xFF
            if at != _PART_ID:
                self._registers[at] = data[i]
        if self._registers[_MODE] & 0x40:
            self.reset()
        elif self._registers[_MODE] & 0x07 and self._start_us is None:
            self._start_us = self._body.now_us()

    def read_into(self, register, buffer):
        """Answer a read; the memory's register stays where it is and gives sample after sample."""
        self._live()
        if register == _FIFO:
            self._pour(buffer)
            return
        for i in range(len(buffer)):
            buffer[i] = self._value((register + i) & 0xFF)

    def _value(self, at):
        if at == _WRITE:
            return self._taken % _DEPTH
        if at == _OVERRUN:
            return min(self._lost, 31)
        if at == _READ:
            return (self._taken - len(self._samples)) % _DEPTH
        return self._registers[at]

    def _live(self):
        """Take what was due since the last look: the body's sample of the moment, held."""
        if self._start_us is None:
            return
        rate_hz = _RATES_HZ[(self._registers[_SPO2] >> 2) & 0x07]
        due = (self._body.now_us() - self._start_us) * rate_hz // 1000000
        n = due - self._taken
        if n <= 0:
            return
        self._taken = due
        count = self._body.sample("bvp")[0]
        if not self._body.is_worn():
            count += AIR_COUNT - SKIN_COUNT
        count = max(0, min(MAX_COUNT, count))
        self._samples += [count] * min(n, _DEPTH)
        over = max(0, len(self._samples) - _DEPTH) + max(0, n - _DEPTH)
        if over:
            # Rolled over: the oldest made room.
            self._lost += over
            self._samples = self._samples[-_DEPTH:]

    def _pour(self, buffer):
        at = 0
        while at + 3 <= len(buffer) and self._samples:
            count = self._samples.pop(0)
            buffer[at], buffer[at + 1], buffer[at + 2] = count >> 16, (count >> 8) & 0xFF, count & 0xFF
            at += 3
        self._lost = 0
