"""Many samples to few columns."""

from __future__ import annotations

import numpy as np
import pytest

from firmware_host.report.envelope import (
    EnvelopeBuilder,
    columns_of,
    curve_of,
    gap_columns,
    gaps_of,
    main_name_columns,
    runs,
)
from firmware_host.report.model import Signal


def test_columns_keep_the_extremes_of_every_column(rng: np.random.Generator) -> None:
    t, values = np.arange(1000) / 10.0, rng.normal(size=1000)
    columns = columns_of(curve_of(Signal("x", "", t, values), 0.0, 100.0), 0.0, 100.0, 10)
    blocks = values.reshape(10, 100)
    np.testing.assert_allclose(columns.low, blocks.min(axis=1))
    np.testing.assert_allclose(columns.mean, blocks.mean(axis=1))
    np.testing.assert_allclose(columns.high, blocks.max(axis=1))


def test_curve_leaves_out_unknown_values_and_orders_time() -> None:
    signal = Signal("x", "", [3.0, 1.0, 2.0, 99.0, np.nan], [30.0, 10.0, np.nan, 1.0, 5.0])
    curve = curve_of(signal, 0.0, 10.0)
    assert curve.t_utc.tolist() == [1.0, 3.0]
    assert curve.values.tolist() == [10.0, 30.0]


def test_gap_is_found_from_the_spacing() -> None:
    t = np.concatenate([np.arange(0.0, 40.0), np.arange(60.0, 100.0)])
    signal = Signal("x", "", t, np.ones(80))
    assert gaps_of(signal, curve_of(signal, 0.0, 100.0), 0.0, 100.0) == [(39.0, 60.0)]


def test_shortest_gap_keeps_a_column() -> None:
    assert gap_columns([(50.0, 50.001)], 0.0, 100.0, 10) == [(5, 6)]


def test_gap_outside_the_range_is_not_drawn() -> None:
    assert gap_columns([(-5.0, -1.0), (200.0, 300.0), (9.0, 3.0)], 0.0, 100.0, 10) == []


def test_column_shows_the_name_that_fills_most_of_it() -> None:
    spans = [(0.0, 14.0, "rest"), (14.0, 30.0, "stress"), (55.0, 55.5, "rest")]
    shown = main_name_columns(spans, 0.0, 100.0, 10)
    assert shown == [(0, 1, "rest"), (1, 3, "stress"), (5, 6, "rest")]


def test_runs_at_both_edges() -> None:
    assert runs(np.array([True, False, True, True])) == [(0, 1), (2, 4)]


@pytest.mark.parametrize("block", [1, 7, 64, 1000])
def test_builder_gives_the_same_curve_for_any_block_size(
    rng: np.random.Generator, block: int
) -> None:
    values = rng.normal(size=1000)
    builder = EnvelopeBuilder(0.0, 250.0, n_buckets=20)
    for first in range(0, 1000, block):
        builder.add(first / 4.0, values[first : first + block], sample_rate_hz=4.0)
    signal = builder.signal("EDA", "µS")
    blocks = values.reshape(20, 50)
    np.testing.assert_allclose(signal.low, blocks.min(axis=1))
    np.testing.assert_allclose(signal.high, blocks.max(axis=1))
    np.testing.assert_allclose(signal.values, blocks.mean(axis=1))
    assert signal.gaps == []


def test_builder_keeps_a_gap_of_two_samples() -> None:
    builder = EnvelopeBuilder(0.0, 10.0, n_buckets=5)
    builder.add(0.0, np.ones(20), sample_rate_hz=4.0)
    builder.add(5.5, np.ones(18), sample_rate_hz=4.0)
    assert builder.signal("EDA", "µS").gaps == [(5.0, 5.5)]


def test_builder_without_samples_is_all_gap() -> None:
    signal = EnvelopeBuilder(0.0, 10.0).signal("EDA", "µS")
    assert signal.gaps == [(0.0, 10.0)]
    assert np.size(signal.values) == 0
