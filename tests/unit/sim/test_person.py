from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from sim.gait import Gait
from sim.gait_style import draw_style
from sim.person import PieceSignals, Wearer
from sim.schedule import build_schedule
from sim.traits import draw_traits

START = datetime(2026, 5, 4, 8, tzinfo=UTC)
SEEDS = (1, 7, 23)


def _live(*rows: tuple[str, float] | tuple[str, float, str], seed: int) -> list[PieceSignals]:
    bouts = [dict(zip(("label", "minutes", "activity"), row, strict=False)) for row in rows]
    schedule = build_schedule({"start_utc": START, "bout": bouts}, name="test")
    return list(Wearer(schedule, seed=seed))


def _join(pieces: list[PieceSignals], get: Callable[[PieceSignals], np.ndarray]) -> np.ndarray:
    return np.concatenate([get(p) for p in pieces])


def _rate_from_spectrum(signal: np.ndarray, *, rate_hz: float, low: float, high: float) -> float:
    """Frequency [Hz] of the strongest line between ``low`` and ``high``."""
    windowed = (signal - signal.mean()) * np.hanning(len(signal))
    power = np.abs(np.fft.rfft(windowed, 1 << 17))
    freq = np.fft.rfftfreq(1 << 17, 1 / rate_hz)
    band = (freq >= low) & (freq <= high)
    return float(freq[band][power[band].argmax()])


def _rmssd_ms(beat_t_s: np.ndarray) -> float:
    ibi_ms = np.diff(beat_t_s) * 1e3
    return float(np.sqrt(np.mean(np.diff(ibi_ms) ** 2)))


def test_same_seed_gives_the_same_signals() -> None:
    rows = [("rest", 1.5), ("walk", 1), ("off", 0.5), ("other_person", 0.5)]
    for a, b in zip(_live(*rows, seed=5), _live(*rows, seed=5), strict=True):
        for name in ("bvp", "eda", "temp", "acc", "gyro"):
            np.testing.assert_array_equal(a.channel(name), b.channel(name))


def test_other_seed_gives_another_person() -> None:
    assert draw_traits(1) != draw_traits(2)
    a, b = draw_style("walk", seed=1), draw_style("walk", seed=2)
    assert not np.allclose(a.harmonics, b.harmonics)


def test_lengths_follow_the_rates() -> None:
    (piece,) = _live(("rest", 0.5), seed=1)
    lengths = {n: piece.channel(n).shape for n in ("bvp", "eda", "temp", "acc", "gyro")}
    assert lengths == {
        "bvp": (1920, 1),
        "eda": (120, 1),
        "temp": (120, 1),
        "acc": (1500, 3),
        "gyro": (1500, 3),
    }


@pytest.mark.parametrize("seed", SEEDS)
def test_bvp_beats_at_the_true_rate_at_rest(seed: int) -> None:
    for piece in _live(("rest", 5), seed=seed)[1:]:
        true_hz = 1.0 / np.diff(piece.beat_t_s).mean()
        found_hz = _rate_from_spectrum(piece.bvp[:, 0], rate_hz=64, low=0.7, high=2.5)
        assert abs(found_hz - true_hz) * 60 < 4.0


@pytest.mark.parametrize("seed", SEEDS)
def test_beats_do_not_stumble_between_pieces(seed: int) -> None:
    beats = _join(_live(("rest", 4), seed=seed), lambda p: p.beat_t_s)
    ibi_s = np.diff(beats)
    assert ibi_s.min() > 0.4
    assert ibi_s.max() < 1.5


@functools.cache
def _stressed(seed: int) -> tuple[list[PieceSignals], list[PieceSignals]]:
    pieces = _live(("rest", 6), ("stress", 8), seed=seed)
    return pieces[1:6], pieces[8:]


def _responses(measure: Callable[[list[PieceSignals]], float]) -> np.ndarray:
    """(20,) what a stressful task changes in a person's measure."""
    return np.array([np.subtract(*map(measure, _stressed(seed)[::-1])) for seed in range(20)])


def _heart_bpm(part: list[PieceSignals]) -> float:
    return float(60.0 / np.diff(_join(part, lambda p: p.beat_t_s)).mean())


def test_stress_moves_heart_and_skin_of_most_people() -> None:
    hr_bpm = _responses(_heart_bpm)
    log_rmssd = _responses(lambda part: np.log(_rmssd_ms(_join(part, lambda p: p.beat_t_s))))
    log_eda = _responses(lambda part: np.log(_join(part, lambda p: p.eda).mean()))
    assert 4.0 < np.median(hr_bpm) < 12.0
    assert np.median(log_rmssd) < -0.05
    assert 0.05 < np.median(log_eda) < 0.6


def test_some_people_do_not_respond_to_stress() -> None:
    people = [draw_traits(seed) for seed in range(300)]
    flat = np.mean([person.stress_hr_bpm < 2.0 for person in people])
    assert 0.08 < flat < 0.22
    assert np.percentile([person.stress_hr_bpm for person in people], 90) > 11.0


def test_stress_raises_the_rate_of_skin_responses_over_people() -> None:
    def per_min(part: list[PieceSignals]) -> float:
        return float(sum(len(p.vitals.skin.scr_s) for p in part if p.vitals) / len(part))

    assert np.median(_responses(per_min)) > 2.0


def test_early_beats_are_early_and_the_next_one_late() -> None:
    seed = max(range(60), key=lambda s: draw_traits(s).ectopic_per_hour)
    pieces = _live(("rest", 40), seed=seed)
    beats = _join(pieces, lambda p: p.beat_t_s)
    early = np.concatenate([p.vitals.heart.early_t_s for p in pieces if p.vitals])
    assert len(early) > 2
    at = np.searchsorted(beats, early)
    usual_s = np.median(np.diff(beats))
    before_s, after_s = beats[at] - beats[at - 1], beats[at + 1] - beats[at]
    assert np.median(before_s) < 0.85 * usual_s
    assert np.median(after_s) > 1.15 * usual_s


def test_breathing_shows_in_the_intervals() -> None:
    beats = _join(_live(("rest", 5), seed=3), lambda p: p.beat_t_s)
    grid_s = np.arange(10.0, 290.0, 0.25)
    rr_s = np.interp(grid_s, beats[1:], np.diff(beats))
    found_hz = _rate_from_spectrum(rr_s, rate_hz=4.0, low=0.15, high=0.4)
    assert found_hz == pytest.approx(draw_traits(3).breath_hz, abs=0.03)


def test_a_badly_sitting_band_shows_in_the_truth_and_in_the_pulse() -> None:
    seed = max(range(40), key=lambda s: draw_traits(s).poor_contact_share)
    worn = [p.vitals.optics for p in _live(("rest", 20), seed=seed) if p.vitals]
    contact = np.concatenate([one.contact for one in worn])
    assert contact.min() < 0.7
    assert contact.max() == pytest.approx(1.0, abs=0.02)
    unreadable = np.concatenate([one.artefact for one in worn])
    assert unreadable[contact < 0.7].mean() > 2 * unreadable[contact > 0.95].mean()


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(("label", "low", "high"), [("walk", 0.75, 1.2), ("run", 1.15, 1.6)])
def test_cadence_is_near_the_truth(seed: int, label: str, low: float, high: float) -> None:
    for piece in _live((label, 3), seed=seed)[1:]:
        size = np.linalg.norm(piece.acc, axis=1)
        lines = [
            _rate_from_spectrum(size, rate_hz=50, low=low * k, high=high * k) / k for k in (1, 2)
        ]
        found_spm = 120 * np.array(lines)
        assert np.abs(found_spm - piece.cadence_spm).min() < 4.0


def test_walkers_keep_to_a_plausible_cadence() -> None:
    spm = [draw_style("walk", seed=seed).cadence_spm for seed in range(60)]
    assert min(spm) > 100
    assert max(spm) < 126


@pytest.mark.parametrize("activity", ["still", "typing", "eating"])
def test_gravity_stays_in_the_acceleration_when_seated(activity: str) -> None:
    pieces = _live(("other", 2, activity), seed=3)
    size = np.linalg.norm(_join(pieces, lambda p: p.acc), axis=1)
    assert abs(float(np.median(size)) - 9.81) < 0.15


def test_acceleration_has_no_jump_between_bouts() -> None:
    pieces = _live(("rest", 1), ("other", 1, "eating"), ("rest", 1), ("off", 1), seed=4)
    acc = _join(pieces, lambda p: p.acc)
    for seam in (3000, 6000):
        jump = acc[seam : seam + 5].mean(axis=0) - acc[seam - 5 : seam].mean(axis=0)
        turn = acc[seam + 100 : seam + 200].mean(axis=0) - acc[seam - 100 : seam].mean(axis=0)
        # The hand is still on its way a tenth of a second after the change.
        assert np.linalg.norm(jump) < 0.4 * np.linalg.norm(turn) + 1.0


def test_turning_the_wrist_shows_in_both_sensors() -> None:
    (piece,) = _live(("other", 1, "eating"), seed=2)
    # d(gravity)/dt = -turn x gravity as seen from the wrist: fast turns are fast changes of acc; the
    # hand's own acceleration comes on top.
    smooth = np.ones(25) / 25
    acc = np.stack([np.convolve(piece.acc[:, i], smooth, "same") for i in range(3)], axis=1)
    gyro = np.stack([np.convolve(piece.gyro[:, i], smooth, "same") for i in range(3)], axis=1)
    change = np.gradient(acc, axis=0) * 50
    predicted = np.cross(gyro, acc)
    assert np.corrcoef(change[100:-100].ravel(), predicted[100:-100].ravel())[0, 1] > 0.6


def test_band_off_the_wrist_sees_no_body() -> None:
    pieces = _live(("rest", 1), ("off", 6), ("rest", 3), seed=6)
    off = pieces[6]
    assert off.eda.max() == 0.0
    assert off.bvp.std() < 3.0
    assert off.temp[-1, 0] < 25.0
    assert len(off.beat_t_s) == 0
    assert pieces[-1].temp[-1, 0] > 29.0
    assert pieces[-1].eda.mean() > 0.1


def test_motion_disturbs_the_pulse_while_walking() -> None:
    noisier = []
    for seed in range(8):
        pieces = _live(("rest", 2), ("walk", 2), seed=seed)
        unreadable = [p.vitals.optics.artefact.mean() for p in pieces if p.vitals]
        assert unreadable[3] >= unreadable[1]
        noisier.append(pieces[3].bvp.std() / pieces[1].bvp.std())
    assert np.median(noisier) > 1.2


def test_running_raises_the_heart_rate() -> None:
    pieces = _live(("rest", 2), ("run", 4), seed=9)
    rest_s, run_s = (np.diff(pieces[i].beat_t_s).mean() for i in (1, 5))
    assert 60 / run_s - 60 / rest_s > 35


def test_other_person_walks_unlike_the_wearer() -> None:
    pieces = _live(("walk", 1), ("other_person", 1), seed=7)
    own, other = (np.abs(np.fft.rfft(p.gyro[:, 2]))[:400] for p in pieces)
    assert np.corrcoef(own, other)[0, 1] < 0.9
    assert pieces[0].cadence_spm != pieces[1].cadence_spm


def test_left_and_right_steps_last_as_the_truth_says() -> None:
    seed = max(range(40), key=lambda s: abs(draw_traits(s).step_asymmetry))
    asymmetry = draw_traits(seed).step_asymmetry
    (first, *_) = walks = [p.gait for p in _live(("walk", 5), seed=seed) if p.gait]
    left = np.concatenate([one.left_t_s for one in walks])
    right = np.concatenate([one.right_t_s for one in walks])
    assert first.step_asymmetry == asymmetry
    after = np.searchsorted(right, left[:-1])
    left_s, stride_s = right[after] - left[:-1], np.diff(left)
    # Single steps vary by more than left and right differ; their means do not.
    measured = float(np.mean(2.0 * (2.0 * left_s - stride_s) / stride_s))
    assert measured == pytest.approx(asymmetry, abs=0.012)
    assert 60.0 * 2 / stride_s.mean() == pytest.approx(first.cadence_spm, rel=0.03)


def test_contacts_do_not_stumble_between_pieces() -> None:
    walks = [p.gait for p in _live(("walk", 3), seed=5) if p.gait]
    contacts = np.sort(np.concatenate([t for one in walks for t in (one.left_t_s, one.right_t_s)]))
    steps_s = np.diff(contacts)
    assert steps_s.min() > 0.35
    assert steps_s.max() < 0.75


def test_a_run_tires_and_more_so_who_tires_easily() -> None:
    bouts = [{"label": "rest", "minutes": 1}, {"label": "run", "minutes": 25}]
    pieces = list(build_schedule({"start_utc": START, "bout": bouts}, name="test").pieces())[1:]
    # The same strides but for tiring: every random number is the same.
    hardy, tiring = (
        [gait.advance(piece) for piece in pieces]
        for gait in (
            Gait(replace(draw_traits(7), tiredness=tiredness), seed=7) for tiredness in (1e-9, 1.5)
        )
    )
    tired = np.array([one.tired for one in tiring])
    assert np.all(np.diff(tired) > 0)
    assert tired[0] < 0.1
    assert tired[-1] > 1.0
    slower = np.array([t.cadence_spm / h.cadence_spm for t, h in zip(tiring, hardy, strict=True)])
    assert slower[0] == pytest.approx(1.0, abs=0.005)
    assert slower[-1] == pytest.approx(1.0 - 0.02 * tired[-1], abs=0.008)
    spread = [np.std(np.diff(one[-1].left_t_s)) for one in (hardy, tiring)]
    assert spread[1] > 1.2 * spread[0]
    impact = [np.linalg.norm(one[-1].imu[:, :3], axis=1).std() for one in (hardy, tiring)]
    assert impact[1] > 1.05 * impact[0]


def test_the_heart_drifts_up_in_a_long_run() -> None:
    rise = []
    for seed in range(6):
        pieces = _live(("rest", 1), ("run", 30), seed=seed)
        rise.append(_heart_bpm(pieces[-6:]) - _heart_bpm(pieces[4:10]))
    assert 2.0 < np.mean(rise) < 12.0


def test_cycling_lifts_the_heart_and_has_no_steps() -> None:
    pieces = _live(("rest", 3), ("other", 6, "cycle"), seed=2)
    rest_s, ride_s = (np.diff(pieces[i].beat_t_s).mean() for i in (1, 8))
    assert 60 / ride_s - 60 / rest_s > 15
    assert pieces[8].gait is None
    assert math.isnan(pieces[8].cadence_spm)
