"""MPU-6050: acceleration and rotation over I2C (InvenSense, RM-MPU-6000A-00 rev 4.2, register map)."""

from micropython import const

from sensors.registers import Registers

_SMPLRT_DIV = const(0x19)
_CONFIG = const(0x1A)
_GYRO_CONFIG = const(0x1B)
_ACCEL_CONFIG = const(0x1C)
_ACCEL_XOUT_H = const(0x3B)
_PWR_MGMT_1 = const(0x6B)
_WHO_AM_I = const(0x75)
_CHIP_ID = const(0x68)
# PWR_MGMT_1: awake, clock from the gyroscope, which the map recommends (section 4.28).
_AWAKE = const(0x01)
# CONFIG: 44 Hz low pass, so that the internal rate is 1 kHz (section 4.3).
_LOW_PASS = const(0x03)
_INTERNAL_HZ = const(1000)
_RANGES_G = {2: (0x00, 16384.0), 4: (0x08, 8192.0), 8: (0x10, 4096.0), 16: (0x18, 2048.0)}
_RANGES_DPS = {250: (0x00, 131.0), 500: (0x08, 65.5), 1000: (0x10, 32.8), 2000: (0x18, 16.4)}
_GRAVITY_MS2 = 9.80665
_RAD_PER_DEG = 0.017453292519943295

ADDRESSES = (0x68, 0x69)


class Mpu6050(Registers):
    """Six axes in one burst; ``data`` holds rotation in bytes 0..5 and acceleration in 6..11, little-endian."""

    def __init__(self, i2c, address, range_g=8, range_dps=1000):
        if range_g not in _RANGES_G or range_dps not in _RANGES_DPS:
            raise ValueError("mpu6050: no such range")
        super().__init__(i2c, address)
        self._burst = bytearray(14)
        self._xl_bits, counts_per_g = _RANGES_G[range_g]
        self._g_bits, counts_per_dps = _RANGES_DPS[range_dps]
        self.data = bytearray(12)
        self.channels = (
            ("acc", "m/s2", _GRAVITY_MS2 / counts_per_g, 0.0, "i16", 3, 6),
            ("gyro", "rad/s", _RAD_PER_DEG / counts_per_dps, 0.0, "i16", 3, 0),
        )
        self.start()

    def start(self):
        """Check the chip id and configure; ValueError for another chip, OSError for a bus that fails."""
        chip_id = self._read(_WHO_AM_I)
        if chip_id != _CHIP_ID:
            raise ValueError("mpu6050: chip id 0x%02x, expected 0x%02x" % (chip_id, _CHIP_ID))
        self._write(_PWR_MGMT_1, _AWAKE)
        self._write(_CONFIG, _LOW_PASS)
        self._write(_GYRO_CONFIG, self._g_bits)
        self._write(_ACCEL_CONFIG, self._xl_bits)

    def set_rate(self, rate_hz):
        """Sample at least as fast as it will be read; False if the sensor cannot."""
        if not 0 < rate_hz <= _INTERNAL_HZ:
            return False
        self._write(_SMPLRT_DIV, min(255, int(_INTERNAL_HZ / rate_hz) - 1))
        return True

    def sample(self):
        """Take the newest sample into ``data``; allocates nothing. ValueError if the chip was reset."""
        self._expect(_PWR_MGMT_1, _AWAKE)
        burst = self._burst
        data = self.data
        self._i2c.readfrom_mem_into(self._address, _ACCEL_XOUT_H, burst)
        # Acceleration, two bytes of temperature, rotation, each with the high byte first.
        i = 0
        while i < 6:
            data[6 + i] = burst[i + 1]
            data[7 + i] = burst[i]
            data[i] = burst[9 + i]
            data[i + 1] = burst[8 + i]
            i += 2
