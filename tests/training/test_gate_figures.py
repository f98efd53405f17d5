"""Figures of the activity gate, from probabilities that a test can work out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from training.gait.gate_figures import (
    LABELS,
    NO_TRUTH,
    bout_stream,
    gate_figures,
    gate_rows,
    macro_f1,
    merge_still,
    recalls,
)
from training.gait.windows import Stream

STILL, WALK, RUN, STAIRS, OTHER = range(5)


def _stream(activity: int, *, n_windows: int = 18, person: str = "made-up/1") -> Stream:
    """Channels that say what the activity is: its number, everywhere."""
    values = np.full((100 * n_windows + 30, 6), activity, np.float32)
    return Stream(person, f"trial {activity}", activity, values)


def _told(windows):
    """A gate that reads the number: six in ten for the class that fills most of it."""
    likely = np.median(windows[:, :, 0], axis=1).astype(int)
    return (0.5 * np.eye(5) + 0.1)[likely].astype(np.float32)


def _confusion(*rows: tuple[int, int, int]):
    counts = np.zeros((5, 5), np.int64)
    for truth, decided, n in rows:
        counts[truth, decided] = n
    return counts


def test_figures_of_a_confusion_are_those_on_paper():
    counts = _confusion((STILL, STILL, 8), (STILL, WALK, 2), (WALK, WALK, 10))
    assert recalls(counts) == {"still": 0.8, "walk": 1.0}
    assert macro_f1(counts) == pytest.approx((16 / 18 + 20 / 22) / 2)
    assert macro_f1(np.zeros((5, 5))) is None


def test_four_classes_forgive_still_for_other_and_nothing_else():
    counts = _confusion((STILL, OTHER, 5), (OTHER, STILL, 3), (OTHER, OTHER, 4), (STILL, WALK, 1))
    merged = merge_still(counts)
    assert merged.sum() == counts.sum()
    assert recalls(merged) == {"other": 12 / 13}
    assert merged[OTHER, WALK] == 1


def test_bout_stream_holds_every_whole_window_once_in_bouts_of_45_s(rng):
    streams = [_stream(activity, n_windows=13) for activity in range(5)]
    values, activity = bout_stream(streams, rng)
    assert len(values) == 5 * 1300
    np.testing.assert_array_equal(values[:, 0], activity)
    changes = np.flatnonzero(np.diff(activity)) + 1
    assert set(np.diff(changes)) <= {400, 900, 1300, 1800}


def test_rows_when_a_window_spans_two_activities_have_no_truth_there():
    streams = [_stream(WALK), _stream(OTHER)]
    (row,) = gate_rows(streams, _told, hop_s=2.5)
    assert len(row.truth) == (2 * 1800 - 100) // 50 + 1
    seams = np.flatnonzero(row.truth == NO_TRUTH)
    assert len(seams) in (1, 2, 3)
    assert row.n_windows == len(row.truth) - len(seams)


def test_filter_pays_for_its_delay_and_mends_single_windows(rng):
    streams = [_stream(activity) for activity in range(5)]
    (row,) = gate_rows(streams, _told)
    figures = gate_figures([row])
    assert figures["gate_macro_f1_plain"] == 1.0
    assert 0.8 < figures["gate_macro_f1"] < 1.0

    def unsure(windows):
        probabilities = _told(windows)
        probabilities[rng.random(len(windows)) < 0.1] = [0.6, 0.1, 0.1, 0.1, 0.1]
        return probabilities

    figures = gate_figures(gate_rows(streams, unsure))
    assert figures["gate_macro_f1_five_plain"] < figures["gate_macro_f1_five"]


def test_figures_keep_people_apart_and_name_the_worst():
    good, bad = _stream(WALK, person="made-up/1"), _stream(WALK, person="made-up/2")
    bad = Stream(bad.person, bad.trial, bad.activity, np.full_like(bad.values, STAIRS))
    figures = gate_figures(gate_rows([good, bad, _stream(STILL)], _told))
    assert [p["id"] for p in figures["participants"]] == ["made-up/1", "made-up/2"]
    assert figures["participants"][1]["gate_walk_recall"] == 0.0
    assert figures["gate_walk_recall_worst"] == 0.0
    assert figures["gate_recall"]["walk"] < 0.7
    assert figures["gate_recall_five_plain"]["still"] == 1.0


def test_rows_without_a_gyroscope_give_the_gate_zeros_for_rotation():
    seen = []

    def gate(windows):
        seen.append(windows)
        return _told(windows)

    gate_rows([_stream(RUN)], gate, use_gyro=False)
    assert (seen[0][:, :, 3:] == 0.0).all()
    assert (seen[0][:, :, :3] == RUN).all()


def test_figures_of_nobody_are_none_and_no_division_by_zero():
    figures = gate_figures(gate_rows([], _told))
    assert figures["gate_macro_f1"] is None
    assert figures["gate_walk_recall_mean"] is None
    assert figures["participants"] == []
    assert set(figures["gate_labels"]) == set(LABELS)
