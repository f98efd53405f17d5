"""Channels and the sensors they come from."""

from time import ticks_diff, ticks_ms

from block import Block
from clock import Pace
from micropython import const

_BYTES = {"i8": 1, "u8": 1, "i16": 2, "u16": 2, "i32": 4, "u32": 4}
# As many errors of the bus in a row, and the sensor is begun anew, which may help after a brown-out.
_MAX_ERRORS = const(10)
# A sensor that was just begun has a first result by then: of ours the TMP117 takes longest, 140 ms.
SETTLE_MS = const(150)


class Stream:
    """What one sensor gives for one channel."""

    def __init__(self, source, description):
        self.source = source
        self.name, self.unit, self.scale, self.offset, self.dtype, self.axes, self._at = description
        self.rate_mhz = 0
        self.block = None
        self.pace = None

    def begin(self, number, session, rate_mhz, start):
        """Count from 0 under this number, at this rate."""
        self.rate_mhz = rate_mhz
        self.block = Block(number, session, rate_mhz, self.axes * _BYTES[self.dtype])
        self.pace = Pace(rate_mhz, start)

    def take(self, clock):
        """Take the sample that is due; allocates nothing. Whether the block is full now."""
        block = self.block
        if block.n == 0:
            block.begin(clock, self.pace.due)
        is_full = block.add(self.source.sensor.data, self._at)
        self.pace.step()
        return is_full

    def skip(self, n_samples):
        """Samples that are not taken: a gap. What the block held must have been sent."""
        block = self.block
        block.skip(block.n + n_samples)
        block.n = 0
        while n_samples:
            self.pace.step()
            n_samples -= 1


class Source:
    """One sensor and its streams, which share a transfer when they are due together."""

    def __init__(self, name, sensor):
        self.name = name
        self.sensor = sensor
        self.streams = tuple([Stream(self, description) for description in sensor.channels])
        self.n_errors = 0
        self._n_in_row = 0
        self._rate_hz = 0.0
        # Whether the sensor does not run as it should, and is to be begun anew.
        self._is_astray = False
        # Whether it was begun anew just now, and when.
        self._is_settling = False
        self._begun_ms = 0

    @property
    def is_failing(self):
        """Whether it has not answered for a while."""
        return self._n_in_row >= _MAX_ERRORS

    def can_do(self, rate_mhz):
        """Whether the sensor can be read so often; it is left as it was. OSError if its bus fails."""
        self._is_astray = True
        can = self.sensor.set_rate(rate_mhz / 1000)
        if self._rate_hz:
            self.sensor.set_rate(self._rate_hz)
        self._is_astray = False
        return can

    def set_fastest(self):
        """Let the sensor run as fast as its fastest stream needs, now or as soon as its bus works."""
        self._rate_hz = max([stream.rate_mhz for stream in self.streams]) / 1000
        try:
            self.sensor.set_rate(self._rate_hz)
        except OSError:
            self.n_errors += 1
            self._is_astray = True

    def is_due(self, now):
        """Whether a stream wants a sample; allocates nothing."""
        for stream in self.streams:
            if ticks_diff(now, stream.pace.due) >= 0:
                return True
        return False

    def sample(self):
        """Read the sensor; allocates nothing unless the bus fails. Whether there is a sample."""
        try:
            if self._is_astray:
                self._begin_anew()
            if self._is_settling:
                if 0 <= ticks_diff(ticks_ms(), self._begun_ms) < SETTLE_MS:
                    return False
                self._is_settling = False
            self.sensor.sample()
        except OSError:
            # Still away: counted, and tried again later.
            self._failed(False)
            return False
        except ValueError:
            # Something else is there now, or it was reset.
            self._failed(True)
            return False
        self._n_in_row = 0
        return True

    def _failed(self, is_astray):
        self.n_errors += 1
        self._n_in_row += 1
        self._is_astray = self._is_astray or is_astray or self._n_in_row % _MAX_ERRORS == 0

    def _begin_anew(self):
        self.sensor.start()
        self.sensor.set_rate(self._rate_hz)
        self._is_astray = False
        self._is_settling = True
        self._begun_ms = ticks_ms()
