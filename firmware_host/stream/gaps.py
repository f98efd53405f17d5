"""What is missing, what came twice, what came late: counted exactly, per stream."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

_U32 = 1 << 32
_U16 = 1 << 16
# Holes a late block may still belong to; older ones are forgotten, their blocks then count as
# duplicates.
_MAX_HOLES = 64


@dataclass(slots=True)
class StreamCounters:
    """Running totals of one stream since the session began.

    ``samples`` were handed on. ``lost_samples`` is the sum of all gaps when they showed; blocks
    that came too late to be used are in ``late_*`` and still part of it. ``paused_samples`` were
    never taken. ``lost_frames`` were numbered by the board and had not come when the next one did;
    ``board_dropped`` is what the board itself says it threw away. ``filled_*`` came again because
    they were asked for, and are in no gap; ``gone_samples`` were asked for in vain.
    """

    blocks: int = 0
    samples: int = 0
    gaps: int = 0
    lost_samples: int = 0
    paused_samples: int = 0
    lost_frames: int = 0
    duplicate_blocks: int = 0
    late_blocks: int = 0
    late_samples: int = 0
    overlapping_blocks: int = 0
    board_dropped: int = 0
    bad_blocks: int = 0
    index_restarts: int = 0
    filled_blocks: int = 0
    filled_samples: int = 0
    gone_samples: int = 0


class GapTracker:
    """Follows ``sample_idx`` (exact) and ``seq`` (frames) of one stream.

    Parameters
    ----------
    is_new
        The stream began while we listened, so that its first sample is number 0.
    """

    def __init__(self, counters: StreamCounters, *, is_new: bool = False) -> None:
        self._counters = counters
        self.next_idx = 0 if is_new else -1
        """Index of the sample that comes next; -1 before the first block."""
        self.next_seq = 0
        self._dropped = 0
        self._holes: deque[tuple[int, int]] = deque(maxlen=_MAX_HOLES)

    def take(self, sample_idx: int, seq: int, dropped: int, n_samples: int) -> tuple[int, int]:
        """Count one block and say what to use of it.

        Returns
        -------
        (missing, skip): samples missing before this block, and how many of its own are already
        known. ``skip == n_samples`` means that nothing of it is new.

        Raises
        ------
        ValueError
            If the block is empty.
        """
        if n_samples < 1:
            msg = f"expected a block of at least one sample, got {n_samples}"
            raise ValueError(msg)
        if sample_idx == self.next_idx and seq == self.next_seq and dropped == self._dropped:
            self.next_idx = (sample_idx + n_samples) % _U32
            self.next_seq = (seq + 1) % _U16
            return 0, 0
        return self._take_odd(sample_idx, seq, dropped, n_samples)

    def is_ahead(self, sample_idx: int) -> bool:
        """Whether samples are missing before this one."""
        return self.next_idx >= 0 and _signed(sample_idx - self.next_idx, _U32) > 0

    def restart(self, sample_idx: int, seq: int, n_samples: int) -> None:
        """Go on from this block; the index before it means nothing any more."""
        self._counters.index_restarts += 1
        self._holes.clear()
        self._advance(sample_idx, seq, n_samples)

    def is_restart(self, sample_idx: int, seq: int, n_samples: int) -> bool:
        """Whether a frame that is new by its number carries an old index: the board counts anew."""
        if self.next_idx < 0 or sample_idx == self.next_idx:
            return False
        is_old = _signed(sample_idx + n_samples - self.next_idx, _U32) <= 0
        return is_old and _signed(seq - self.next_seq, _U16) >= 0

    def _take_odd(self, sample_idx: int, seq: int, dropped: int, n_samples: int) -> tuple[int, int]:
        counters = self._counters
        if self.next_idx < 0:
            self._dropped = dropped
            self._advance(sample_idx, seq, n_samples)
            return 0, 0
        ahead = _signed(sample_idx - self.next_idx, _U32)
        if ahead + n_samples <= 0:
            self.count_old(sample_idx, n_samples)
            return 0, n_samples
        counters.board_dropped += max(0, _signed(dropped - self._dropped, _U16))
        self._dropped = dropped
        counters.lost_frames += max(0, _signed(seq - self.next_seq, _U16))
        if ahead > 0:
            counters.gaps += 1
            counters.lost_samples += ahead
            self._holes.append((self.next_idx, ahead))
        elif ahead < 0:
            counters.overlapping_blocks += 1
        self._advance(sample_idx, seq, n_samples)
        return max(ahead, 0), max(-ahead, 0)

    def count_old(self, sample_idx: int, n_samples: int) -> None:
        """Count a block of which nothing is used: it came too late, or twice."""
        for i, (start, length) in enumerate(self._holes):
            inside = _signed(sample_idx - start, _U32)
            if inside >= 0 and inside + n_samples <= length:
                self._counters.late_blocks += 1
                self._counters.late_samples += n_samples
                self._split_hole(i, inside, n_samples)
                return
        self._counters.duplicate_blocks += 1

    def _split_hole(self, i: int, inside: int, n_samples: int) -> None:
        """Close the part of a hole a late block fills: its repetition is then a duplicate."""
        start, length = self._holes[i]
        rest = [(start, inside), (start + inside + n_samples, length - inside - n_samples)]
        del self._holes[i]
        # Order does not matter for the search; a full deque forgets its oldest hole.
        self._holes.extend((at % _U32, n) for at, n in rest if n)

    def _advance(self, sample_idx: int, seq: int, n_samples: int) -> None:
        self.next_idx = (sample_idx + n_samples) % _U32
        self.next_seq = (seq + 1) % _U16


def _signed(difference: int, modulus: int) -> int:
    """Difference of two wrapping counters, the short way round."""
    half = modulus // 2
    return (difference + half) % modulus - half
