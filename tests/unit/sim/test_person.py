from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import numpy as np
import pytest

from sim.gait import draw_style
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


@pytest.mark.parametrize("seed", SEEDS)
def test_stress_moves_heart_and_skin_as_it_should(seed: int) -> None:
    pieces = _live(("rest", 6), ("stress", 8), seed=seed)
    rest, stress = pieces[1:6], pieces[8:]
    hr = [60.0 / np.diff(_join(part, lambda p: p.beat_t_s)).mean() for part in (rest, stress)]
    rmssd = [_rmssd_ms(_join(part, lambda p: p.beat_t_s)) for part in (rest, stress)]
    eda = [_join(part, lambda p: p.eda).mean() for part in (rest, stress)]
    assert 4.0 < hr[1] - hr[0] < 20.0
    assert rmssd[1] < rmssd[0]
    assert 1.05 < eda[1] / eda[0] < 2.2


def test_stress_raises_the_rate_of_skin_responses_over_people() -> None:
    def rises(part: list[PieceSignals]) -> int:
        eda = _join(part, lambda p: p.eda[:, 0])
        # A response climbs by over two percent within a second; drift does not.
        fast = np.diff(eda[::4]) > 0.02 * eda[:-4:4]
        return int(np.sum(fast[1:] & ~fast[:-1]))

    counts = []
    for seed in range(8):
        pieces = _live(("rest", 5), ("stress", 5), seed=seed)
        counts.append((rises(pieces[:5]) / 5, rises(pieces[5:]) / 5))
    rest, stress = np.mean(counts, axis=0)
    assert 0.5 < rest < 5.0
    # Overlapping responses count as one, so the seen rate rises less than the true one.
    assert stress > 1.6 * rest


def test_skin_cools_slowly_under_stress() -> None:
    drops = []
    for seed in range(8):
        pieces = _live(("rest", 3), ("stress", 8), seed=seed)
        drops.append(pieces[2].temp.mean() - pieces[-1].temp.mean())
    assert 0.3 < float(np.median(drops)) < 0.8


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
    # d(gravity)/dt = -turn x gravity as seen from the wrist: fast turns are fast changes of acc.
    smooth = np.ones(25) / 25
    acc = np.stack([np.convolve(piece.acc[:, i], smooth, "same") for i in range(3)], axis=1)
    gyro = np.stack([np.convolve(piece.gyro[:, i], smooth, "same") for i in range(3)], axis=1)
    change = np.gradient(acc, axis=0) * 50
    predicted = np.cross(gyro, acc)
    assert np.corrcoef(change[100:-100].ravel(), predicted[100:-100].ravel())[0, 1] > 0.8


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
    pieces = _live(("rest", 2), ("walk", 2), seed=9)
    assert pieces[3].bvp.std() > 1.3 * pieces[1].bvp.std()


def test_running_raises_the_heart_rate() -> None:
    pieces = _live(("rest", 2), ("run", 4), seed=9)
    rest_s, run_s = (np.diff(pieces[i].beat_t_s).mean() for i in (1, 5))
    assert 60 / run_s - 60 / rest_s > 35


def test_other_person_walks_unlike_the_wearer() -> None:
    pieces = _live(("walk", 1), ("other_person", 1), seed=7)
    own, other = (np.abs(np.fft.rfft(p.gyro[:, 2]))[:400] for p in pieces)
    assert np.corrcoef(own, other)[0, 1] < 0.9
    assert pieces[0].cadence_spm != pieces[1].cadence_spm
