"""Skin conductance on an analogue pin, behind an amplifier whose output is proportional to conductance."""

from micropython import const

# The mean of a few readings: converters of small boards have some bits of noise.
_READINGS = const(8)


class Eda:
    """Conductance; ``data`` holds one u16, full scale at ``full_scale_usiemens``."""

    def __init__(self, adc, full_scale_usiemens):
        self._adc = adc
        self.data = bytearray(2)
        self.channels = (("eda", "uS", full_scale_usiemens / 65535, 0.0, "u16", 1, 0),)

    def start(self):
        """Nothing to configure."""

    def set_rate(self, rate_hz):
        """Whether it may be read so often."""
        return 0 < rate_hz <= 64

    def sample(self):
        """Take the mean of a few readings into ``data``; allocates nothing."""
        total = 0
        i = 0
        while i < _READINGS:
            total += self._adc.read_u16()
            i += 1
        value = (total + _READINGS // 2) // _READINGS
        self.data[0] = value & 0xFF
        self.data[1] = value >> 8
