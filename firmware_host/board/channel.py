"""One channel: its sensor, its pace, the block that fills up."""

from time import ticks_diff

from block import Block
from clock import Pace


class Stream:
    """What one sensor gives for one channel; several channels may share a sensor and its bus transfer."""

    def __init__(self, sensor, description, number, session, rate_mhz, start):
        self.sensor = sensor
        self.name, self.unit, self.scale, self.offset, self.dtype, self.axes, self._at = description
        self._session = session
        self.n_errors = 0
        self.n_late = 0
        self.begin(number, rate_mhz, start)

    def begin(self, number, rate_mhz, start):
        """Count from 0 under this number, at this rate."""
        self.rate_mhz = rate_mhz
        sample_bytes = len(self.sensor.data) - self._at if self.axes == 0 else self.axes * _BYTES[self.dtype]
        self.block = Block(number, self._session, rate_mhz, sample_bytes)
        self.pace = Pace(rate_mhz, start)

    def is_due(self, now):
        """Whether a sample is to be taken."""
        return ticks_diff(now, self.pace.due) >= 0

    def take(self, clock):
        """Take the sample that is due; allocates nothing. Whether the block is full now."""
        block = self.block
        if block.n == 0:
            block.begin(clock, self.pace.due)
        is_full = block.add(self.sensor.data, self._at)
        self.pace.step()
        return is_full


_BYTES = {"i8": 1, "u8": 1, "i16": 2, "u16": 2, "i32": 4, "u32": 4}
