"""LSM6DS3TR-C: acceleration and rotation over I2C (ST, LSM6DS3TR-C datasheet, DocID030071 Rev 3)."""

from micropython import const

from sensors.registers import Registers

# Chapter 8, register map.
_WHO_AM_I = const(0x0F)
_CTRL1_XL = const(0x10)
_CTRL2_G = const(0x11)
_CTRL3_C = const(0x12)
_OUTX_L_G = const(0x22)
_CHIP_ID = const(0x6A)
# CTRL3_C: block data update, so that a sample is never half old, and address increment.
_BDU_AND_INCREMENT = const(0x44)
_SOFTWARE_RESET = const(0x01)
_RESET_READS = const(100)
# CTRL1_XL and CTRL2_G, bits 7..4: output data rate (tables 52 and 55).
_RATES = ((12.5, 0x10), (26, 0x20), (52, 0x30), (104, 0x40), (208, 0x50), (416, 0x60), (833, 0x70))
# Full scale: value of the register's bits 3..2, and units per count (table 3).
_RANGES_G = {2: (0x00, 0.061e-3), 4: (0x08, 0.122e-3), 8: (0x0C, 0.244e-3), 16: (0x04, 0.488e-3)}
_RANGES_DPS = {250: (0x00, 8.75e-3), 500: (0x04, 17.5e-3), 1000: (0x08, 35e-3), 2000: (0x0C, 70e-3)}
_GRAVITY_MS2 = 9.80665
_RAD_PER_DEG = 0.017453292519943295

ADDRESSES = (0x6A, 0x6B)


class Lsm6ds3(Registers):
    """Six axes in one burst; ``data`` holds rotation in bytes 0..5 and acceleration in 6..11, as the wire has them."""

    def __init__(self, i2c, address, range_g=8, range_dps=1000):
        if range_g not in _RANGES_G or range_dps not in _RANGES_DPS:
            raise ValueError("lsm6ds3: no such range")
        super().__init__(i2c, address)
        self._xl_bits, per_count_g = _RANGES_G[range_g]
        self._g_bits, per_count_dps = _RANGES_DPS[range_dps]
        # What CTRL1_XL is set to.
        self._ctrl1_xl = 0
        self.data = bytearray(12)
        self.channels = (
            ("acc", "m/s2", per_count_g * _GRAVITY_MS2, 0.0, "i16", 3, 6),
            ("gyro", "rad/s", per_count_dps * _RAD_PER_DEG, 0.0, "i16", 3, 0),
        )
        self.start()

    def start(self):
        """Check the chip id and configure; ValueError for another chip, OSError for a bus that fails."""
        chip_id = self._read(_WHO_AM_I)
        if chip_id != _CHIP_ID:
            raise ValueError("lsm6ds3: chip id 0x%02x, expected 0x%02x" % (chip_id, _CHIP_ID))
        self._write(_CTRL3_C, _SOFTWARE_RESET)
        # Takes 50 us (section 6.5); a bus that answers nonsense must not hang the board.
        for _ in range(_RESET_READS):
            if not self._read(_CTRL3_C) & _SOFTWARE_RESET:
                break
        self._ctrl1_xl = 0
        self._write(_CTRL3_C, _BDU_AND_INCREMENT)

    def set_rate(self, rate_hz):
        """Sample at least as fast as it will be read; False if the sensor cannot."""
        for rate, bits in _RATES:
            if rate >= rate_hz:
                self._ctrl1_xl = bits | self._xl_bits
                self._write(_CTRL1_XL, self._ctrl1_xl)
                self._write(_CTRL2_G, bits | self._g_bits)
                return True
        return False

    def sample(self):
        """Take the newest sample into ``data``; allocates nothing. ValueError if the chip was reset."""
        self._expect(_CTRL1_XL, self._ctrl1_xl)
        self._i2c.readfrom_mem_into(self._address, _OUTX_L_G, self.data)
