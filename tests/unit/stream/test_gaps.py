from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_host.stream.gaps import GapTracker, StreamCounters

_FATES = st.lists(st.sampled_from(["ok", "ok", "ok", "lost", "twice"]), max_size=80)


@given(
    fates=_FATES,
    n_samples=st.integers(1, 64),
    first_seq=st.sampled_from([0, 65_530]),
    first_idx=st.sampled_from([0, (1 << 32) - 100]),
)
def test_counters_equal_what_was_injected_when_frames_are_lost_or_doubled(
    fates: list[str], n_samples: int, first_seq: int, first_idx: int
) -> None:
    counters = StreamCounters()
    tracker = GapTracker(counters)
    fates = ["ok", *fates, "ok"]
    n_missing = 0
    used = []
    for k, fate in enumerate(fates):
        idx, seq = (first_idx + k * n_samples) % (1 << 32), (first_seq + k) % (1 << 16)
        for _ in range({"ok": 1, "lost": 0, "twice": 2}[fate]):
            missing, skip = tracker.take(idx, seq, 0, n_samples)
            n_missing += missing
            if skip == 0:
                used.append(k)
    n_lost = fates.count("lost")
    assert used == [k for k, fate in enumerate(fates) if fate != "lost"]
    assert counters.lost_samples == n_missing == n_lost * n_samples
    assert counters.lost_frames == n_lost
    assert counters.duplicate_blocks == fates.count("twice")
    assert counters.late_blocks == counters.overlapping_blocks == counters.index_restarts == 0


@given(late=st.sets(st.integers(1, 38), max_size=12), delay=st.integers(1, 6))
def test_late_blocks_are_dropped_and_counted_once_each(late: set[int], delay: int) -> None:
    counters = StreamCounters()
    tracker = GapTracker(counters)
    order = sorted(range(60), key=lambda k: k + (delay + 0.5 if k in late else 0.0))
    newest = -1
    n_overtaken = 0
    for k in order:
        n_overtaken += k < newest
        newest = max(newest, k)
        assert not tracker.is_restart(k * 10, k, 10)
        assert (tracker.take(k * 10, k, 0, 10)[1] == 10) == (k < newest)
    assert counters.late_blocks == n_overtaken
    assert counters.late_samples == counters.lost_samples == 10 * n_overtaken
    assert counters.duplicate_blocks == 0


@given(
    late=st.sets(st.integers(1, 38), max_size=12),
    n_again=st.integers(0, 12),
    n_times=st.integers(1, 3),
)
def test_late_block_that_comes_again_is_late_once_and_then_a_duplicate(
    late: set[int], n_again: int, n_times: int
) -> None:
    counters = StreamCounters()
    tracker = GapTracker(counters)
    for k in sorted(set(range(40)) - late):
        tracker.take(k * 10, k, 0, 10)
    again = sorted(late)[:n_again]
    for k in [*sorted(late, reverse=True), *again * n_times]:
        assert tracker.take(k * 10, k, 0, 10) == (0, 10)
    assert (counters.late_blocks, counters.late_samples) == (len(late), 10 * len(late))
    assert counters.duplicate_blocks == len(again) * n_times
    assert counters.lost_samples == 10 * len(late)


def test_block_that_overlaps_gives_only_its_new_part() -> None:
    counters = StreamCounters()
    tracker = GapTracker(counters)
    tracker.take(0, 0, 0, 10)
    assert tracker.take(6, 1, 0, 10) == (0, 4)
    assert counters.overlapping_blocks == 1
    assert tracker.take(16, 2, 0, 10) == (0, 0)


def test_boards_own_drops_are_counted_from_where_we_joined() -> None:
    counters = StreamCounters()
    tracker = GapTracker(counters)
    tracker.take(0, 0, 65_530, 10)
    assert tracker.take(40, 1, 65_533, 10) == (30, 0)
    assert tracker.take(50, 2, 2, 10) == (0, 0)
    assert counters.board_dropped == 8
    assert counters.lost_frames == 0


def test_new_frame_with_an_old_index_is_a_restart() -> None:
    tracker = GapTracker(StreamCounters())
    tracker.take(1000, 50, 0, 10)
    assert tracker.is_restart(0, 51, 10)
    assert tracker.is_restart(0, 54, 10)
    assert not tracker.is_restart(990, 49, 10)


def test_empty_block_is_a_wrong_call() -> None:
    with pytest.raises(ValueError, match="at least one sample"):
        GapTracker(StreamCounters()).take(0, 0, 0, 0)
