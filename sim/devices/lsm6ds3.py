"""An LSM6DS3TR-C at register level (ST, LSM6DS3TR-C datasheet, DocID030071 Rev 3)."""

ADDRESS = 0x6A
# A count at +-8 g and +-1000 dps (table 3).
G_PER_COUNT = 0.244e-3
RAD_S_PER_COUNT = 35e-3 * 0.017453292519943295
_WHO_AM_I, _CHIP_ID = 0x0F, 0x6A
_CTRL1_XL, _CTRL2_G, _CTRL3_C = 0x10, 0x11, 0x12
_STATUS, _OUT_G, _OUT_END = 0x1E, 0x22, 0x2E
# Full scale in counts of the body's own, +-8 g and +-1000 dps: bits 3..2 -> how many of those a count is.
_ACC_STEP = {0x00: (1, 4), 0x08: (1, 2), 0x0C: (1, 1), 0x04: (2, 1)}
_GYRO_STEP = {0x00: (1, 4), 0x04: (1, 2), 0x08: (1, 1), 0x0C: (2, 1)}


def scaled(count, step):
    """A count of another full scale, at its ends where it runs off it."""
    above, below = step
    value = count * below // above
    return max(-32768, min(32767, value))


class Lsm6ds3:
    """Answers as the chip does; ``body`` has ``sample(name)``: the counts of the moment, at +-8 g and +-1000 dps."""

    def __init__(self, body):
        self._body = body
        self.reset()

    def reset(self):
        """Its supply was away for a moment, or it was told to."""
        self._registers = bytearray(128)
        self._registers[_WHO_AM_I] = _CHIP_ID
        self._registers[_CTRL3_C] = 0x04

    def write(self, register, data):
        """Take bytes from the bus, one register after the other."""
        for i in range(len(data)):
            at = register + i
            # Chip id, status and results are read only (chapter 8).
            if at == _WHO_AM_I or _STATUS <= at < _OUT_END:
                continue
            self._registers[at] = data[i]
        if self._registers[_CTRL3_C] & 0x01:
            self.reset()

    def read_into(self, register, buffer):
        """Answer a read of ``len(buffer)`` bytes from a register on."""
        if register + len(buffer) > _STATUS:
            self._refresh()
        is_increasing = self._registers[_CTRL3_C] & 0x04
        for i in range(len(buffer)):
            at = register + i if is_increasing else register
            buffer[i] = self._registers[at] if at < len(self._registers) else 0

    def _refresh(self):
        """Put the body's sample of the moment into the output registers; a sensor switched off keeps its last one."""
        registers = self._registers
        gyro_on, acc_on = registers[_CTRL2_G] & 0xF0, registers[_CTRL1_XL] & 0xF0
        registers[_STATUS] = (2 if gyro_on else 0) | (1 if acc_on else 0)
        if gyro_on:
            self._put(_OUT_G, "gyro", _GYRO_STEP[registers[_CTRL2_G] & 0x0C])
        if acc_on:
            self._put(_OUT_G + 6, "acc", _ACC_STEP[registers[_CTRL1_XL] & 0x0C])

    def _put(self, at, name, step):
        counts = self._body.sample(name)
        for i in range(3):
            value = scaled(counts[i], step) & 0xFFFF
            self._registers[at + 2 * i] = value & 0xFF
            self._registers[at + 2 * i + 1] = value >> 8
