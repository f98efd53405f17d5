from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_host.stream.windowing import HopGrid


def _run(grid: HopGrid, blocks: list[tuple[str, float, float]]) -> list[float]:
    return [end_s for name, t0_s, end in blocks for end_s in grid.advance(name, t0_s, end)]


def test_ends_come_when_the_slowest_channel_passed_them() -> None:
    grid = HopGrid(["bvp", "eda"], window_s=60.0, hop_s=10.0, max_lag_s=5.0)
    for k in range(120):
        assert grid.advance("bvp", k * 0.5, k * 0.5 + 0.5) == []
        if k < 119:
            assert grid.advance("eda", k * 0.5, k * 0.5 + 0.5) == []
    assert grid.advance("eda", 59.5, 60.0) == [60.0]
    assert grid.lagging(70.0) == ("bvp", "eda")


@given(st.lists(st.floats(0.05, 3.0), min_size=1, max_size=200), st.sampled_from([2.5, 10.0]))
def test_grid_does_not_depend_on_block_sizes(sizes: list[float], hop_s: float) -> None:
    grid = HopGrid(["acc"], window_s=5.0, hop_s=hop_s)
    at_s = 0.0
    ends = []
    for size_s in sizes:
        ends += grid.advance("acc", at_s, at_s + size_s)
        at_s += size_s
    first = 5.0 if hop_s == 2.5 else 10.0
    n_ends = max(0, int((at_s + 1e-9 - first) / hop_s) + 1) if at_s + 1e-9 >= first else 0
    assert ends == [first + i * hop_s for i in range(n_ends)]


def test_stalled_channel_holds_a_window_back_no_longer_than_the_limit() -> None:
    grid = HopGrid(["bvp", "eda"], window_s=10.0, hop_s=5.0, max_lag_s=3.0)
    due_at = {}
    for k in range(60):
        for end_s in grid.advance("bvp", k * 0.5, k * 0.5 + 0.5):
            due_at[end_s] = k * 0.5 + 0.5
        if k < 8:
            grid.advance("eda", k * 0.5, k * 0.5 + 0.5)
    assert due_at == {end_s: end_s + 3.0 for end_s in (10.0, 15.0, 20.0, 25.0)}
    assert grid.lagging(25.0) == ("eda",)


def test_windows_without_a_single_sample_are_skipped() -> None:
    grid = HopGrid(["bvp"], window_s=60.0, hop_s=10.0)
    ends = _run(grid, [("bvp", k * 1.0, k + 1.0) for k in range(65)])
    ends += _run(grid, [("bvp", 1_000_000.0 + k, 1_000_001.0 + k) for k in range(12)])
    assert ends == [60.0, 70.0, 80.0, 90.0, 100.0, 110.0, 120.0, 1_000_010.0]


def test_stream_that_starts_late_gives_no_windows_before_it() -> None:
    grid = HopGrid(["bvp"], window_s=60.0, hop_s=10.0)
    assert _run(grid, [("bvp", 500.0 + k, 501.0 + k) for k in range(11)]) == [510.0]


def test_channel_nobody_asked_for_is_ignored() -> None:
    grid = HopGrid(["bvp"], window_s=1.0, hop_s=1.0)
    assert grid.advance("gyro", 0.0, 100.0) == []


def test_wrong_lengths_are_wrong_calls() -> None:
    with pytest.raises(ValueError, match="expected"):
        HopGrid([], window_s=1.0, hop_s=1.0)
    with pytest.raises(ValueError, match="expected"):
        HopGrid(["bvp"], window_s=1.0, hop_s=0.0)
    with pytest.raises(ValueError, match="t_end_s"):
        HopGrid(["bvp"], window_s=1.0, hop_s=1.0).advance("bvp", 2.0, 1.0)
