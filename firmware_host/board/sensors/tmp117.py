"""TMP117: skin temperature over I2C (Texas Instruments, SNOSD82D)."""

from micropython import const

# Section 7.6, register map.
_RESULT = const(0x00)
_CONFIG = const(0x01)
_DEVICE_ID = const(0x0F)
_CHIP_ID = const(0x117)
# Continuous conversion, eight conversions averaged, a result each 125 ms (table 7-7: CONV 001, AVG 01).
_CONFIG_HIGH = const(0x00)
_CONFIG_LOW = const(0xA0)
# The high byte of -256 degC, what the result is until the first conversion after a reset (section 7.6).
_RESET_HIGH = const(0x80)
_DEGC_PER_COUNT = 0.0078125

ADDRESSES = (0x48, 0x49, 0x4A, 0x4B)


class Tmp117:
    """Temperature; ``data`` holds one i16."""

    def __init__(self, i2c, address):
        self._i2c = i2c
        self._address = address
        self._two = bytearray(2)
        self.data = bytearray(2)
        self.channels = (("temp", "degC", _DEGC_PER_COUNT, 0.0, "i16", 1, 0),)
        self.start()

    def start(self):
        """Check the device id and configure; ValueError for another chip, OSError for a bus that fails."""
        self._i2c.readfrom_mem_into(self._address, _DEVICE_ID, self._two)
        # The four highest bits are the revision.
        chip_id = ((self._two[0] << 8) | self._two[1]) & 0x0FFF
        if chip_id != _CHIP_ID:
            raise ValueError("tmp117: device id 0x%03x, expected 0x%03x" % (chip_id, _CHIP_ID))
        self._two[0] = _CONFIG_HIGH
        self._two[1] = _CONFIG_LOW
        self._i2c.writeto_mem(self._address, _CONFIG, self._two)

    def set_rate(self, rate_hz):
        """Whether it may be read so often: there are eight results a second."""
        return 0 < rate_hz <= 8

    def sample(self):
        """Take the newest result into ``data``; allocates nothing. ValueError if the chip was reset."""
        two = self._two
        self._i2c.readfrom_mem_into(self._address, _RESULT, two)
        if two[0] == _RESET_HIGH:
            raise ValueError("tmp117: no result")
        # The chip sends the high byte first, the wire the low one.
        self.data[0] = two[1]
        self.data[1] = two[0]
