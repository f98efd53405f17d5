"""What training scores is what the host says: probabilities and states, window by window."""

from __future__ import annotations

import numpy as np
import pytest

from firmware_host.events import State
from firmware_host.inference.contract import (
    Calibration,
    ChannelNeed,
    Normalisation,
    StressContract,
    TimeControl,
)
from firmware_host.protocol.messages import Channel
from firmware_host.runtime.baseline import WearerBaseline
from firmware_host.runtime.stress_path import StressPath
from firmware_host.signals.normalise import Baseline, normalise_rows
from firmware_host.signals.stress import CHANNELS, FEATURE_NAMES, StressFeatures
from firmware_host.stream.samples import Samples
from training.datasets.base import Session
from training.datasets.stress_windows import SessionWindows
from training.stress.decisions import states_of
from training.stress.detector import StressThresholds
from training.stress.generic_models import Generic
from training.stress.numpy_model import TableModel

RATES_HZ = {"bvp": 64.0, "eda": 4.0, "temp": 4.0, "acc": 32.0}
N_AXES = {"bvp": 1, "eda": 1, "temp": 1, "acc": 3}
DURATION_S = 600
HEART_RATE = FEATURE_NAMES.index("hr_median_bpm")
SPREAD = np.linspace(0.2, 3.0, len(FEATURE_NAMES))
# The heart decides on exercise here, and next to nothing on stress.
SPREAD[HEART_RATE] = 500.0
LIMITS = StressThresholds(0.35, 0.02, 0.5, 2.0, effort_ms2=0.3, effort_s=120.0, pulse_min=0.2)
CALIBRATION = Calibration(0.7, -0.8)
N = len(FEATURE_NAMES)


def signals(seed=4):
    """Ten minutes: a pulse, its loss, a ride from minute 4 to 8."""
    rng = np.random.default_rng(seed)
    t = {name: np.arange(round(DURATION_S * rate)) / rate for name, rate in RATES_HZ.items()}
    pulse = 30 * np.sin(2 * np.pi * 1.2 * t["bvp"]) * (1 + 0.1 * np.sin(1.5 * t["bvp"]))
    pulse[: 100 * 64] = 30 * rng.normal(size=100 * 64)
    ride = np.where((t["acc"] > 240) & (t["acc"] < 480), 1.0, 0.02)
    return {
        "bvp": (pulse + rng.normal(size=len(pulse)))[:, None],
        "eda": (2 + 0.3 * np.sin(t["eda"] / 9) + 0.02 * rng.normal(size=len(t["eda"])))[:, None],
        "temp": (33 + t["temp"] / 600)[:, None],
        "acc": np.array([0, 0, 9.81]) + ride[:, None] * rng.normal(size=(len(ride), 3)),
    }


def contract(window_s):
    thresholds = {
        "stress": LIMITS.stress,
        "unsure_low": LIMITS.stress - LIMITS.unsure_band,
        "unsure_high": LIMITS.stress + LIMITS.unsure_band,
        "min_quality": LIMITS.quality_min,
        "min_pulse_quality": LIMITS.pulse_min,
        "max_motion_ms2": LIMITS.moving_ms2,
        "max_effort_ms2": LIMITS.effort_ms2,
    }
    needs = (ChannelNeed(c, "", 1.0, 256.0, N_AXES[c], optional=False) for c in CHANNELS)
    return StressContract(
        name="stress",
        file="",
        channels=tuple(needs),
        features=FEATURE_NAMES,
        labels=("rest", "stress"),
        window_s=window_s,
        hop_s=10.0,
        smoothing_s=LIMITS.ema_s,
        thresholds=thresholds,
        signatures={},
        normalisation=Normalisation(tuple(SPREAD), (0.0,) * N, 8.0, (0.4, 0.7)),
        time_control=TimeControl((0.0,), (0.5,)),
        calibration=CALIBRATION,
        effort_s=LIMITS.effort_s,
    )


def baseline_of(session):
    """A wearer whose rest is the session's own mean, so that both answers occur; the heart is slower then."""
    features = session.features.astype(np.float64)
    center = features.mean(axis=0)
    center[HEART_RATE] = 52.0
    return Baseline(center, features.std(axis=0), len(features))


def live(window_s, chunk_s, baseline):
    """Events of a host that gets the signals piece by piece."""
    channels = tuple(
        Channel(i, c, "", RATES_HZ[c], 1.0, 0.0, "i16", N_AXES[c]) for i, c in enumerate(CHANNELS)
    )
    model = TableModel.random(seed=3)
    path = StressPath(
        contract(window_s),
        channels,
        generic=model,
        personal=model,
        baseline=WearerBaseline(window_s=window_s, current=baseline),
        session=1,
        remember=lambda _window: None,
    )
    found, events = signals(), []
    for start_s in np.arange(0, DURATION_S, chunk_s):
        for channel in channels:
            rate = channel.rate_hz
            lo, hi = (round(s * rate) for s in (start_s, min(start_s + chunk_s, DURATION_S)))
            samples = Samples(channel, lo / rate, found[channel.name][lo:hi], 0)
            events += path.take(samples, lambda t_s: t_s)
    return events


def offline(window_s):
    """The same session as training has it."""
    extractor = StressFeatures(RATES_HZ, window_s=window_s)
    windows, found = [], signals()
    ends = np.arange(window_s, DURATION_S + 1, 10.0)
    fed_s = 0.0
    for end_s in ends:
        for name, values in found.items():
            lo, hi = (round(s * RATES_HZ[name]) for s in (fed_s, end_s))
            extractor.feed(name, lo / RATES_HZ[name], values[lo:hi])
        fed_s = end_s
        windows.append(extractor.compute(end_s))
    return SessionWindows(
        Session("made-up", "P", "stress", None, ()),
        "",
        ends,
        np.array([w.features for w in windows], np.float32),
        np.array([[w.quality[c] for c in CHANNELS] for w in windows]),
        np.array([w.motion for w in windows]),
        np.array([w.worn for w in windows]),
        np.array([w.missing for w in windows]),
        np.zeros(len(windows), int),
        window_s,
    )


@pytest.mark.parametrize("window_s", [60.0, 30.0])
@pytest.mark.parametrize("chunk_s", [1.0, 3.7])
def test_host_says_what_training_scored_when_streamed(window_s, chunk_s):
    session = offline(window_s)
    baseline = baseline_of(session)
    events = live(window_s, chunk_s, baseline)
    generic = Generic(TableModel.random(seed=3), SPREAD, LIMITS, calibration=CALIBRATION)
    z = normalise_rows(session.features, session.quality, baseline, SPREAD)
    p = generic.probability(z, session.t_end_s)
    said = states_of(session, p, LIMITS, center=baseline.center)
    assert [e.t_s for e in events] == session.t_end_s.tolist()
    assert {State.EXERCISE, State.STRESS, State.REST} <= set(said.tolist())
    scored = [(e.p_generic, q) for e, q in zip(events, p, strict=True) if e.p_generic is not None]
    ours, theirs = zip(*scored, strict=True)
    np.testing.assert_allclose(ours, theirs, rtol=1e-6)
    assert [e.state.value for e in events] == said.tolist()


def test_probability_is_calibrated_log_odds_and_undecided_keeps_its_place():
    assert CALIBRATION.probability(0.0) == pytest.approx(1 / (1 + np.exp(0.8)))
    assert CALIBRATION.probability(1e6) == pytest.approx(1.0)
    assert Calibration().probability(0.0) == 0.5
