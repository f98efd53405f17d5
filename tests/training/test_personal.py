"""Whom learning helps: strictly earlier calibration, and figures that add up."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from firmware_host.adaptation.batches import probabilities
from firmware_host.scoring import balanced_accuracy, log_loss
from firmware_host.signals.stress import CHANNELS, FEATURE_CHANNELS, FEATURE_NAMES, WINDOW_S
from training.datasets import stress_predict
from training.datasets.base import Session, Stage
from training.datasets.stress_windows import SessionWindows, load_windows
from training.stress.calibration_split import Protocol, divide
from training.stress.generic_models import LeaveOneOut, table_model
from training.stress.network import fit_net, training_set
from training.stress.people import people_of
from training.stress.personal import Row, run_rows

# Of balanced accuracy: more than a few windows.
HARM = 0.05
N_FEATURES = len(FEATURE_NAMES)
FEATURE = FEATURE_CHANNELS.index("eda")
Plan = tuple[tuple[str, int], ...]
EARLIER: Plan = (("rest", 300), ("stress", 300), ("rest", 300), ("stress", 300), ("rest", 300))


def _session(
    name: str, rng: np.random.Generator, plan: Plan = EARLIER, *, shift: float = 0.0
) -> SessionWindows:
    """Windows of one participant: stress is one unit up, `shift` moves all but the baseline."""
    stages, t = [], 0.0
    for label, length in plan:
        stages.append(Stage(f"{label}-{len(stages)}", label, t, t + length))
        t += length
    ends = np.arange(WINDOW_S, t + 1.0, 10.0)
    stage = np.full(len(ends), -1)
    features = rng.normal(0.0, 0.3, (len(ends), N_FEATURES))
    for i, one in enumerate(stages):
        inside = (ends - WINDOW_S >= one.start_utc) & (ends <= one.end_utc)
        stage[inside] = i
        features[inside, FEATURE] += (one.label == "stress") + shift * (i > 0)
    n = len(ends)
    session = Session("stress-predict", name, "stress", Path(name), tuple(stages))
    return SessionWindows(
        session,
        f"hash of {name}",
        ends,
        features.astype(np.float32),
        np.ones((n, len(CHANNELS))),
        np.full(n, 0.1),
        np.ones(n, bool),
        np.zeros(n),
        stage,
    )


@pytest.mark.parametrize(
    ("protocol", "plan", "n_spans", "same_task"),
    [
        ("earlier", EARLIER, 3, False),
        ("two-tasks", EARLIER, 4, True),
        ("two-tasks", (*EARLIER, ("stress", 300)), 4, False),
    ],
)
def test_test_windows_start_after_every_calibration_span(
    rng: np.random.Generator,
    protocol: Protocol,
    plan: tuple[tuple[str, int], ...],
    n_spans: int,
    same_task: bool,
) -> None:
    windows = _session("S01", rng, plan)
    division = divide(windows, protocol, window_s=WINDOW_S)
    assert division is not None
    assert len(division.calibration) == n_spans
    assert division.same_task is same_task
    last = max(span.end_utc for span in division.calibration)
    assert (windows.t_end_s[division.test] - WINDOW_S >= last).all()
    assert set(windows.label[division.test]) == {"rest", "stress"}


def test_person_without_a_later_task_is_left_out(rng: np.random.Generator) -> None:
    windows = _session("S01", rng, EARLIER[:3])
    assert divide(windows, "earlier", window_s=WINDOW_S) is None
    assert divide(windows, "two-tasks", window_s=WINDOW_S) is None


def test_first_half_of_each_stage_shares_no_second_with_the_other(
    rng: np.random.Generator,
) -> None:
    windows = _session("S01", rng)
    division = divide(windows, "personal", window_s=WINDOW_S)
    assert division is not None
    assert len(division.calibration) == len(EARLIER)
    for t_end_s in windows.t_end_s[division.test]:
        overlaps = [
            span.start_utc < t_end_s and span.end_utc > t_end_s - WINDOW_S
            for span in division.calibration
        ]
        assert not any(overlaps)


def test_nothing_of_the_test_part_reaches_the_update(rng: np.random.Generator) -> None:
    sessions = [_session(f"S0{i}", rng, shift=i > 3) for i in range(5)]
    source = LeaveOneOut(people_of(sessions), seed=1)
    (before,) = run_rows(sessions[-1:], "personal", source)
    spoilt = sessions[-1].features.copy()
    spoilt[before.window_idx[before.stage > 0]] = 100.0
    (after,) = run_rows([replace(sessions[-1], features=spoilt)], "personal", source)
    assert before.kept
    assert before.group == after.group
    first = before.stage == 0
    assert first.any()
    np.testing.assert_array_equal(before.p_personal[first], after.p_personal[first])


def test_generic_rows_score_every_labelled_window_without_learning(
    rng: np.random.Generator,
) -> None:
    sessions = [_session(f"S0{i}", rng) for i in range(3)]
    rows = run_rows(sessions, "generic", LeaveOneOut(people_of(sessions), seed=1))
    for row, windows in zip(rows, sessions, strict=True):
        assert len(row.truth) == (windows.stage >= 0).sum()
        assert not row.kept
        np.testing.assert_array_equal(row.p_generic, row.p_personal)


def test_fitted_net_says_the_same_behind_the_model_seam(rng: np.random.Generator) -> None:
    z = rng.normal(size=(200, N_FEATURES))
    y = (z[:, FEATURE] > 0).astype(np.int64)
    net = fit_net(training_set([(z, y)]), np.random.default_rng(1))
    model = table_model(net.arrays(), seed=1)
    p = probabilities(model, z.astype(np.float32))[:, 1]
    np.testing.assert_allclose(p, 1 / (1 + np.exp(-net.logit(z))), atol=2e-5)


def _gain(row: Row) -> float:
    scores = [
        balanced_accuracy(row.truth, (p > row.threshold).astype(np.int64))
        for p in (row.p_generic, row.p_personal)
    ]
    return float(scores[1] - scores[0])


def test_every_person_is_scored_and_nobody_hurt_who_is_like_the_others(
    rng: np.random.Generator,
) -> None:
    shifts = [0.0, 0.0, 0.0, 0.0, 0.3]
    sessions = [_session(f"S0{i}", rng, shift=shift) for i, shift in enumerate(shifts)]
    rows = run_rows(sessions, "personal", LeaveOneOut(people_of(sessions), seed=1))
    assert [row.person for row in rows] == [one.session.person for one in sessions]
    assert min(_gain(row) for row in rows) > -HARM
    shifted = rows[-1]
    assert shifted.kept
    assert log_loss(shifted.truth, shifted.p_personal, balanced=True) < log_loss(
        shifted.truth, shifted.p_generic, balanced=True
    )
    again = run_rows(sessions, "personal", LeaveOneOut(people_of(sessions), seed=1))
    for one, same in zip(rows, again, strict=True):
        np.testing.assert_array_equal(one.p_personal, same.p_personal)


def test_nobody_to_test_gives_no_rows() -> None:
    assert run_rows([], "earlier", LeaveOneOut([], seed=1)) == []


@pytest.mark.needs_data
def test_learning_from_the_first_task_makes_nobody_clearly_worse(data_dir: Path) -> None:
    windows = load_windows(stress_predict.sessions(data_dir))
    rows = run_rows(windows, "earlier", LeaveOneOut(people_of(windows), seed=1))
    assert rows
    gains = [_gain(row) for row in rows]
    assert min(gains) > -HARM
    assert np.mean(gains) >= 0.0
