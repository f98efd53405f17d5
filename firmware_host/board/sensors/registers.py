"""A chip that is a row of bytes on an I2C bus."""

from time import ticks_diff, ticks_ms

from micropython import const

_LOOK_MS = const(1000)


class Registers:
    """Reads and writes single registers of the chip at ``address``; allocates nothing."""

    def __init__(self, i2c, address):
        self._i2c = i2c
        self._address = address
        self._one = bytearray(1)
        self._looked_ms = ticks_ms()

    def _write(self, register, value):
        self._one[0] = value
        self._i2c.writeto_mem(self._address, register, self._one)

    def _read(self, register):
        self._i2c.readfrom_mem_into(self._address, register, self._one)
        return self._one[0]

    def _expect(self, register, value):
        """Look once a second whether a register holds ``value`` still; ValueError if not.

        A dip of the supply resets a chip, which then answers as ever, with zeros.
        """
        now_ms = ticks_ms()
        if 0 <= ticks_diff(now_ms, self._looked_ms) < _LOOK_MS:
            return
        if self._read(register) != value:
            raise ValueError("register 0x%02x is not as it was set" % register)
        self._looked_ms = now_ms
