"""One stream of one session: blocks in, samples on stream time out."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from firmware_host.protocol.messages import Block, Channel
from firmware_host.stream.clock import StreamClock
from firmware_host.stream.gaps import GapTracker, StreamCounters
from firmware_host.stream.rate import RateMonitor
from firmware_host.stream.samples import Detail, Note
from firmware_host.units import MICROSECONDS_PER_SECOND, TICKS_WRAP_US

_NUMPY_TYPES = {
    "i8": "<i1",
    "u8": "<u1",
    "i16": "<i2",
    "u16": "<u2",
    "i32": "<i4",
    "u32": "<u4",
    "f32": "<f4",
}
# Ticks and sample index may disagree by this before it means anything: interrupt latency, FIFO
# depth.
_SLACK_S = 0.5
# And by this share of a gap, for a sensor whose own oscillator is off.
_SLACK_SHARE = 0.05
# Deliveries may be this much later than live before a pause of the sensor is taken for a jump of
# the clock.
_BACKLOG_S = 10.0
# A channel has stopped when for so long, and for so many of its blocks, only others came.
_STOPPED_S = 10.0
_STOPPED_BLOCKS = 4.0
# Old blocks only, live and for this long: a board that rebooted into the session id it had before.
_OLD_BLOCKS = 8
_OLD_BLOCKS_S = 10.0

_WRAP_S = TICKS_WRAP_US / MICROSECONDS_PER_SECOND

Finding = tuple[Note, Detail]
Place = tuple[float, int, int]


class StreamTrack:
    """Order, losses, time and decoding of one stream.

    `place` says where a block belongs, `decode` turns its bytes into SI values. What is worth a
    report is left in ``findings``.

    Parameters
    ----------
    is_new
        The stream began while we listened: what is missing before its first block is a gap.
    since_s
        Stream time from which on blocks are due.
    """

    def __init__(self, channel: Channel, *, is_new: bool = False, since_s: float = 0.0) -> None:
        self.channel = channel
        self.counters = StreamCounters()
        self.rate = RateMonitor(channel.rate_hz)
        self.findings: list[Finding] = []
        self.gaps = GapTracker(self.counters, is_new=is_new)
        self._scale = np.array([channel.scale])
        self._dtype = np.dtype(_NUMPY_TYPES[channel.dtype])
        self._sample_bytes = channel.sample_bytes
        self._period_s = 1.0 / channel.rate_hz
        self._next_s: float | None = None
        self._last_s = 0.0
        self._slack_s = _SLACK_S
        self._last_arrival_utc = 0.0
        self._n_old = 0
        self._since_s = since_s
        self._is_stopped = False

    @property
    def block_s(self) -> float:
        """Seconds that the latest block's samples span, 0 before the first."""
        return self._slack_s - _SLACK_S

    def place(self, block: Block, clock: StreamClock, arrival_utc: float) -> Place | None:
        """(t0_s, missing, skip): first new sample's time, samples missing before it, known ones.

        None if nothing of the block is to be used.
        """
        n_samples, rest = divmod(len(block.data), self._sample_bytes)
        if rest or not n_samples:
            self.counters.bad_blocks += 1
            return None
        lost_frames = self.counters.lost_frames
        missing, skip = self._count(block, n_samples, arrival_utc)
        if skip == n_samples:
            return None
        t0_s = clock.unwrap(block.ticks_us, arrival_utc) + skip * self._period_s
        if self._next_s is None and missing:
            self._next_s = self._last_s = t0_s - missing * self._period_s
        if self._next_s is not None:
            by_index = missing
            away_s = t0_s - self._next_s - missing * self._period_s
            if abs(away_s) > self._slack_s:
                t0_s, missing = self._explain(t0_s, away_s, missing, clock, arrival_utc)
            # Whatever the ticks do within the slack, blocks never begin before the one before.
            t0_s = max(t0_s, self._last_s)
            if lost := min(missing, by_index):
                n_frames = self.counters.lost_frames - lost_frames
                detail: Detail = {"missing_samples": lost, "lost_frames": n_frames}
                self.findings.append((Note.GAP, detail))
        n_new = n_samples - skip
        self._slack_s = _SLACK_S + n_new * self._period_s
        self._is_stopped = False
        self._last_s = t0_s
        self._next_s = t0_s + n_new * self._period_s
        self._last_arrival_utc = arrival_utc
        self._n_old = 0
        self.counters.blocks += 1
        self.counters.samples += n_new
        return t0_s, missing, skip

    def stopped_s(self, t_s: float, others_since_s: float) -> float:
        """Seconds without a sample while others go on, once they are many; told once, else 0."""
        reached_s = self._since_s if self._next_s is None else self._next_s
        silent_s = t_s - max(reached_s, others_since_s)
        if self._is_stopped or silent_s < max(_STOPPED_S, _STOPPED_BLOCKS * self._slack_s):
            return 0.0
        self._is_stopped = True
        return silent_s

    def decode(self, data: bytes, skip: int) -> NDArray[np.float64]:
        """(n_samples, axes) values in the channel's unit, the first ``skip`` samples left out."""
        channel = self.channel
        raw = np.frombuffer(data[skip * self._sample_bytes :], self._dtype)
        # An array, because int8 times a float would be computed in half precision.
        values: NDArray[np.float64] = np.multiply(raw, self._scale)
        if channel.offset:
            values += channel.offset
        return values.reshape(-1, channel.axes)

    def due_s(self, block: Block, t_s: float) -> float:
        """When the sample that comes next was taken, given that this block's first one was at ``t_s``."""
        if self._next_s is not None:
            return self._next_s
        return t_s - (block.sample_idx - self.gaps.next_idx) * self._period_s

    def is_plausible(self, missing_s: float, missing: int) -> bool:
        """Whether clock and index agree that this is missing: then it is a loss, and nothing else."""
        return abs(missing_s - missing * self._period_s) <= self._slack_for(missing)

    def _count(self, block: Block, n_samples: int, arrival_utc: float) -> tuple[int, int]:
        """(missing, skip) by index and sequence number."""
        idx, seq = block.sample_idx, block.seq
        if self.gaps.is_restart(idx, seq, n_samples) or self._is_reborn(arrival_utc):
            self.gaps.restart(idx, seq, n_samples)
            return 0, 0
        missing, skip = self.gaps.take(idx, seq, block.dropped, n_samples)
        self._n_old += skip == n_samples
        return missing, skip

    def _is_reborn(self, arrival_utc: float) -> bool:
        return self._n_old >= _OLD_BLOCKS and arrival_utc - self._last_arrival_utc >= _OLD_BLOCKS_S

    def _explain(
        self, t0_s: float, away_s: float, missing: int, clock: StreamClock, arrival_utc: float
    ) -> tuple[float, int]:
        """Time and gap of a block whose ticks and sample index disagree by ``away_s``."""
        if abs(away_s) <= self._slack_for(missing):
            return t0_s, missing
        self.rate.restart()
        live_s = max(0.0, arrival_utc - self._last_arrival_utc)
        n_wraps = round(-away_s / _WRAP_S)
        is_fit = abs(away_s + n_wraps * _WRAP_S) <= min(self._slack_for(missing), _WRAP_S / 8)
        if n_wraps > 0 and is_fit and live_s > (n_wraps - 0.5) * _WRAP_S:
            # Whole wraps went by in a silence; the sample index knows what the ticks cannot.
            clock.jump(n_wraps * _WRAP_S, at_s=t0_s + n_wraps * _WRAP_S)
            return t0_s + n_wraps * _WRAP_S, missing
        is_same = abs(away_s - clock.last_jump_s) <= self._slack_s
        if is_same and t0_s - clock.last_jump_s <= clock.last_jump_at_s:
            # Measured before a jump that another stream showed first; later it would be a leap back.
            return t0_s - clock.last_jump_s, missing
        advanced_s = away_s + missing * self._period_s
        if -self._slack_s <= advanced_s <= live_s + _BACKLOG_S:
            return t0_s, self._recount(advanced_s, missing)
        clock.jump(-away_s, at_s=t0_s - away_s)
        self.findings.append((Note.CLOCK_JUMP, {"jump_s": away_s}))
        return t0_s - away_s, missing

    def _slack_for(self, missing: int) -> float:
        return self._slack_s + _SLACK_SHARE * missing * self._period_s

    def _recount(self, advanced_s: float, missing: int) -> int:
        """Missing samples by time, where the sensor paused or its index leapt."""
        by_time = max(0, round(advanced_s / self._period_s))
        if by_time > missing:
            self.counters.paused_samples += by_time - missing
            self.findings.append((Note.PAUSE, {"missing_samples": by_time - missing}))
        else:
            self.counters.index_restarts += 1
            self.counters.lost_samples += by_time - missing
        return by_time
