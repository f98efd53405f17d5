"""MAX30102: reflected infrared light, the pulse wave (Maxim, 19-7740 rev 1)."""

from time import ticks_diff, ticks_ms

from micropython import const

from sensors.registers import Registers

# Register map, page 10 on.
_FIFO_WRITE = const(0x04)
_FIFO_DATA = const(0x07)
_FIFO_CONFIG = const(0x08)
_MODE = const(0x09)
_SPO2_CONFIG = const(0x0A)
_LED2_CURRENT = const(0x0D)
_MULTI_LED_1 = const(0x11)
_PART_ID = const(0xFF)
_CHIP_ID = const(0x15)
_RESET = const(0x40)
_RESET_READS = const(1000)
# Only the infrared diode, in slot 1: multi-LED mode.
_MULTI_LED_MODE = const(0x07)
_SLOT_INFRARED = const(0x02)
# No averaging inside, old samples make room for new ones.
_ROLL_OVER = const(0x10)
# 4096 nA full scale, 400 samples a second, 411 us pulses: 18 bits (table 8 allows up to 400 there).
_RANGE_RATE_WIDTH = const(0x2F)
# 6.4 mA, a bracelet's usual current; 0.2 mA a step (table 8).
_CURRENT = const(0x20)
_SAMPLE_BYTES = const(3)
_FIFO_SAMPLES = const(32)
_COUNT_MASK = const(0x03FFFF)
# Twenty samples come in that time: a memory that stays empty is one of a chip that was reset.
_MAX_EMPTY_MS = const(50)
# More blood takes up more light, so the wave is upside down. The size of a count is a convention: the
# one at which a wrist's wave has the size that an Empatica E4 gives it.
_SCALE = -1 / 64
_MIDDLE = 2048.0

ADDRESSES = (0x57,)


class Max30102(Registers):
    """Pulse wave; ``data`` holds one i32, the mean of what the sensor took since the last call.

    The chip samples 400 times a second; reading all that came and taking its mean gives any rate
    up to that with a time error below 2.5 ms, and less noise.

    ``level`` is what came back of the light, in counts, -1 before the first sample. Without anything to
    reflect it that is the chip's own stray light, a few per cent of full scale, as daylight is taken off by
    the chip. SparkFun's examples take 50,000 counts, at these very settings, for a finger on the glass; a
    wrist gives less, so skin is taken to begin at 20,000 and to end at half of that. Nobody has measured
    that on this board: the setting ``wear`` changes it. A band that lies face down on a bright table looks worn.
    """

    ON_SKIN = 20000

    def __init__(self, i2c, address):
        super().__init__(i2c, address)
        self._pointers = bytearray(3)
        self._fifo = bytearray(_SAMPLE_BYTES * _FIFO_SAMPLES)
        # One view for each number of samples: making a slice would allocate.
        view = memoryview(self._fifo)
        self._views = [view[: _SAMPLE_BYTES * n] for n in range(_FIFO_SAMPLES + 1)]
        self.level = -1
        self._is_read = False
        self._came_ms = 0
        self.n_overrun = 0
        self.data = bytearray(4)
        self.channels = (("bvp", "au", _SCALE, _MIDDLE, "i32", 1, 0),)
        self.start()

    def start(self):
        """Check the part id and configure; ValueError for another chip, OSError for a bus that fails."""
        part_id = self._read(_PART_ID)
        if part_id != _CHIP_ID:
            raise ValueError("max30102: part id 0x%02x, expected 0x%02x" % (part_id, _CHIP_ID))
        self._is_read = False
        self._write(_MODE, _RESET)
        for _ in range(_RESET_READS):
            if not self._read(_MODE) & _RESET:
                break
        self._write(_FIFO_CONFIG, _ROLL_OVER)
        self._write(_SPO2_CONFIG, _RANGE_RATE_WIDTH)
        self._write(_LED2_CURRENT, _CURRENT)
        self._write(_MULTI_LED_1, _SLOT_INFRARED)
        self._write(_MODE, _MULTI_LED_MODE)
        self._came_ms = ticks_ms()

    def set_rate(self, rate_hz):
        """Whether it may be read so often: up to the 400 Hz it samples with, down to where its memory lasts."""
        return 400 / _FIFO_SAMPLES < rate_hz <= 400

    def sample(self):
        """Take the mean of the samples since the last call into ``data``; allocates nothing.

        ValueError if the chip takes none any more.
        """
        now_ms = ticks_ms()
        pointers = self._pointers
        self._i2c.readfrom_mem_into(self._address, _FIFO_WRITE, pointers)
        n = (pointers[0] - pointers[2]) & (_FIFO_SAMPLES - 1)
        if pointers[1]:
            # Overrun: all 32 places hold samples, and older ones are gone.
            self.n_overrun += self._is_read
            n = _FIFO_SAMPLES
        if n:
            view = self._views[n]
            self._i2c.readfrom_mem_into(self._address, _FIFO_DATA, view)
            total = 0
            i = 0
            while i < n * _SAMPLE_BYTES:
                total += ((view[i] << 16) | (view[i + 1] << 8) | view[i + 2]) & _COUNT_MASK
                i += _SAMPLE_BYTES
            self.level = (total + n // 2) // n
            self._came_ms = now_ms
        elif not 0 <= ticks_diff(now_ms, self._came_ms) <= _MAX_EMPTY_MS:
            raise ValueError("max30102: no samples")
        self._is_read = True
        # Nothing new since the last call: the newest known sample again.
        data = self.data
        value = self.level if self.level > 0 else 0
        data[0] = value & 0xFF
        data[1] = (value >> 8) & 0xFF
        data[2] = value >> 16
        # 18 bits: the fourth byte stays zero.
