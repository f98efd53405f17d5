"""An MPU-6050 at register level (InvenSense, RM-MPU-6000A-00 rev 4.2)."""

from sim.devices.lsm6ds3 import scaled

ADDRESS = 0x68
_SMPLRT_DIV, _GYRO_CONFIG, _ACCEL_CONFIG, _OUT, _OUT_END = 0x19, 0x1B, 0x1C, 0x3B, 0x49
_PWR_MGMT_1, _WHO_AM_I, _CHIP_ID = 0x6B, 0x75, 0x68
_SLEEP = 0x40
# A count of the body's own (0.244 mg, 35 mdps) in counts of this chip at each full scale, in millionths.
_ACC_MILLIONTHS = (3997696, 1998848, 999424, 499712)
_GYRO_MILLIONTHS = (4585000, 2292500, 1148000, 574000)


class Mpu6050:
    """Answers as the chip does; ``body`` has ``sample(name)``: the counts of the moment, at +-8 g and +-1000 dps."""

    def __init__(self, body):
        self._body = body
        self.reset()

    def reset(self):
        """Its supply was away for a moment."""
        self._registers = bytearray(128)
        self._registers[_WHO_AM_I] = _CHIP_ID
        self._registers[_PWR_MGMT_1] = _SLEEP

    def write(self, register, data):
        """Take bytes from the bus, one register after the other."""
        for i in range(len(data)):
            at = register + i
            if at != _WHO_AM_I and not _OUT <= at < _OUT_END:
                self._registers[at] = data[i]

    def read_into(self, register, buffer):
        """Answer a read of ``len(buffer)`` bytes from a register on."""
        registers = self._registers
        if register >= _OUT and not registers[_PWR_MGMT_1] & _SLEEP:
            self._put(_OUT, "acc", _ACC_MILLIONTHS[(registers[_ACCEL_CONFIG] >> 3) & 3])
            self._put(_OUT + 8, "gyro", _GYRO_MILLIONTHS[(registers[_GYRO_CONFIG] >> 3) & 3])
        for i in range(len(buffer)):
            buffer[i] = registers[register + i]

    def _put(self, at, name, millionths):
        counts = self._body.sample(name)
        for i in range(3):
            value = scaled(counts[i], (1000000, millionths)) & 0xFFFF
            self._registers[at + 2 * i] = value >> 8
            self._registers[at + 2 * i + 1] = value & 0xFF
