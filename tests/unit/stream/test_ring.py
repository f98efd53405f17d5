from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_host.stream.ring import ChannelRing

RATE_HZ = 8.0
_PUSHES = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 30)), min_size=1, max_size=25)


def _reference(rows: dict[int, float], last: int, n_rows: int) -> np.ndarray:
    return np.array([[rows.get(i, np.nan)] for i in range(last - n_rows, last)])


@given(pushes=_PUSHES, back=st.integers(0, 20), n_rows=st.integers(1, 24))
def test_window_equals_a_plain_reference(
    pushes: list[tuple[int, int]], back: int, n_rows: int
) -> None:
    ring = ChannelRing(sample_rate_hz=RATE_HZ, n_axes=1, capacity_s=6.0)
    rows: dict[int, float] = {}
    at = 0
    for n_new, n_missing in pushes:
        at += n_missing if rows or at else 0
        values = np.arange(at, at + n_new, dtype=float)[:, None]
        ring.push(at / RATE_HZ, values, n_missing if rows else 0)
        rows.update((at + i, float(at + i)) for i in range(n_new))
        if not n_new and rows:
            at -= n_missing  # an empty push says nothing
        at += n_new
    if not rows:
        assert np.isnan(ring.window(1.0, n_rows / RATE_HZ)).all()
        return
    last = max(rows) + 1 - back
    window = ring.window(last / RATE_HZ, n_rows / RATE_HZ)
    kept = {i: v for i, v in rows.items() if i >= max(rows) + 1 - 48}
    reachable = last - n_rows >= max(rows) + 1 - 48
    expected = _reference(rows if reachable else kept, last, n_rows)
    mine = window if reachable else np.where(np.isnan(expected), np.nan, window)
    np.testing.assert_array_equal(mine, expected)


def test_window_beyond_the_newest_sample_ends_in_nan() -> None:
    ring = ChannelRing(sample_rate_hz=4.0, n_axes=2, capacity_s=10.0)
    ring.push(0.0, np.ones((8, 2)))
    window = ring.window(3.0, 2.0)
    assert window.shape == (8, 2)
    assert np.isnan(window[4:]).all()
    assert (window[:4] == 1.0).all()
    assert ring.end_s == 2.0


def test_window_follows_block_times_when_the_true_rate_is_off() -> None:
    """The board says 50 Hz and takes 51: a window still ends at its time, not at its count."""
    ring = ChannelRing(sample_rate_hz=50.0, n_axes=1, capacity_s=20.0)
    for k in range(120):
        idx = np.arange(k * 25, k * 25 + 25, dtype=float)
        ring.push(k * 25 / 51.0, (idx / 51.0)[:, None])
    window = ring.window(50.0, 5.0)
    assert window[-1, 0] == pytest.approx(50.0, abs=0.03)


def test_gap_longer_than_the_ring_leaves_only_nan_before_it() -> None:
    ring = ChannelRing(sample_rate_hz=4.0, n_axes=1, capacity_s=5.0)
    ring.push(0.0, np.ones((20, 1)))
    ring.push(1e6, np.full((4, 1), 2.0), 1_000_000_000)
    window = ring.window(1e6 + 1.0, 5.0)
    assert np.isnan(window[:16]).all()
    assert (window[16:] == 2.0).all()


def test_values_given_out_are_copies() -> None:
    ring = ChannelRing(sample_rate_hz=4.0, n_axes=1, capacity_s=5.0)
    ring.push(0.0, np.ones((4, 1)))
    ring.window(1.0, 1.0)[:] = 9.0
    assert (ring.window(1.0, 1.0) == 1.0).all()


@pytest.mark.parametrize(
    ("values", "gap", "t0_s", "words"),
    [
        (np.ones((2, 3)), 0, 2.0, "shape"),
        (np.ones(2), 0, 2.0, "shape"),
        (np.ones((2, 1)), -1, 2.0, "negative"),
        (np.ones((2, 1)), 0, 0.5, "order of time"),
    ],
)
def test_wrong_push_is_a_wrong_call(values: np.ndarray, gap: int, t0_s: float, words: str) -> None:
    ring = ChannelRing(sample_rate_hz=4.0, n_axes=1, capacity_s=5.0)
    ring.push(1.0, np.ones((4, 1)))
    with pytest.raises(ValueError, match=words):
        ring.push(t0_s, values, gap)


@pytest.mark.parametrize("window_s", [0.0, -1.0, 99.0])
def test_wrong_window_is_a_wrong_call(window_s: float) -> None:
    ring = ChannelRing(sample_rate_hz=4.0, n_axes=1, capacity_s=5.0)
    with pytest.raises(ValueError, match="window"):
        ring.window(1.0, window_s)


def test_wrong_size_is_a_wrong_call() -> None:
    with pytest.raises(ValueError, match="positive"):
        ChannelRing(sample_rate_hz=0.0, n_axes=1, capacity_s=5.0)
