from __future__ import annotations

import numpy as np
import pytest

from firmware_host.events import Activity
from training.body.bands import Group, Row, compared, grouped
from training.body.gait_measures import gait_windows
from training.body.measures import ORDER
from training.body.page import body_page
from training.body.telling_apart import telling_apart
from training.body.vital_measures import VitalTracks
from training.body.windows import Seen, Span, joined
from training.datasets.motion import MotionRecording

STRIDE_HZ = 0.95
HARMONICS = {1: 2.0, 2: 3.0, 3: 1.0, 4: 0.5}
BREATH_HZ = 0.25


def _walk(*, rate_hz: float, duration_s: float = 45.0, hurry: float = 0.0) -> MotionRecording:
    """Strides on one axis with known harmonics; `hurry` is how much single strides differ."""
    t_s = np.arange(round(duration_s * rate_hz)) / rate_hz
    phase = STRIDE_HZ * t_s + hurry * np.sin(2 * np.pi * t_s / 7.3)
    wave = sum(size * np.cos(2 * np.pi * k * phase) for k, size in HARMONICS.items())
    acc = np.column_stack((9.81 + wave, 0.2 * np.cos(2 * np.pi * phase), np.zeros_like(t_s)))
    gyro = np.column_stack((np.sin(2 * np.pi * phase), np.zeros_like(t_s), np.zeros_like(t_s)))
    return MotionRecording("made", "1", "walk", Activity.WALK, rate_hz, acc, gyro)


@pytest.mark.parametrize("rate_hz", [20.0, 50.0])
def test_gait_measures_find_what_was_put_in(rate_hz: float) -> None:
    windows = gait_windows([_walk(rate_hz=rate_hz)])
    even, odd = HARMONICS[2] + HARMONICS[4], HARMONICS[1] + HARMONICS[3]
    assert windows["hr_acc_x"] == pytest.approx(even / odd, rel=0.05)
    assert windows["cadence_spm"] == pytest.approx(120 * STRIDE_HZ, rel=0.02)
    assert windows["stride_cv"].max() < 0.01
    assert windows["stride_regularity"].min() > 0.98


def test_uneven_strides_vary_more_and_repeat_less() -> None:
    even, uneven = (gait_windows([_walk(rate_hz=50.0, hurry=h)]) for h in (0.0, 0.06))
    assert uneven["stride_cv"].mean() > 2 * even["stride_cv"].mean()
    assert uneven["stride_regularity"].mean() < even["stride_regularity"].mean()


def _tracks(*, duration_s: int = 200, rate_bpm: float = 75.0, rsa_s: float = 0.05) -> VitalTracks:
    t_s = np.arange(64 * duration_s) / 64
    interval_s = 60 / rate_bpm + rsa_s * np.sin(2 * np.pi * BREATH_HZ * t_s)
    bvp = 50 * np.sin(2 * np.pi * np.cumsum(1 / interval_s) / 64)
    slow_s = np.arange(4 * duration_s) / 4
    # A response of 0.2 µS each 20 s on a level of 2 µS.
    eda = 2.0 + 0.2 * np.exp(-((slow_s % 20 - 8) ** 2) / 2)
    channels = {
        "bvp": bvp,
        "eda": eda,
        "temp": 32.0 + 0.1 * slow_s / 60,
        "acc": np.tile([0.0, 0.0, 9.81], (50 * duration_s, 1)),
    }
    rates_hz = {"bvp": 64.0, "eda": 4.0, "temp": 4.0, "acc": 50.0}
    return VitalTracks(channels, rates_hz, dict.fromkeys(channels, 0.0))


def test_vital_measures_find_what_was_put_in() -> None:
    windows = _tracks().windows([Span(10.0, 195.0)])
    assert len(windows["hr_bpm"]) == 3
    assert windows["hr_bpm"] == pytest.approx(75.0, abs=1.5)
    # A sine of 50 ms has a standard deviation of 35 ms, all of it at the rate of breathing; straight
    # lines between beats at 1.25 Hz keep four fifths of it.
    assert windows["rsa_ms"] == pytest.approx(0.81 * 35.0, rel=0.1)
    assert windows["sdnn_ms"] == pytest.approx(35.0, rel=0.15)
    assert windows["lf_ms"].max() < 6.0
    assert windows["bvp_quality"].min() > 0.95
    assert windows["eda_level_usiemens"] == pytest.approx(
        2.0 + 0.2 * np.sqrt(2 * np.pi) / 20, rel=0.01
    )
    assert windows["scr_clear_per_min"].tolist() == [3.0, 3.0, 3.0]
    assert windows["temp_slope_degc_per_min"] == pytest.approx(0.1, rel=0.05)
    assert windows["hand_movement_ms2"].max() == 0.0


def test_a_minute_of_noise_has_no_variability() -> None:
    tracks = _tracks()
    noise = np.random.default_rng(0).standard_normal(64 * 200)
    noisy = VitalTracks(
        {**tracks._channels, "bvp": 50 * noise}, tracks._rates_hz, tracks._starts_s
    ).windows([Span(0.0, 190.0)])
    assert np.nanmax(noisy["bvp_quality"]) < 0.6
    assert "rmssd_ms" not in noisy


def test_joining_fills_what_one_recording_lacks() -> None:
    windows = joined([{"a": np.ones(2), "b": np.zeros(2)}, {"a": np.ones(1)}])
    assert windows["a"].tolist() == [1.0, 1.0, 1.0]
    assert np.isnan(windows["b"][2])


def _people(values: list[float], condition: str = "rest") -> list[Seen]:
    return [
        Seen(f"p{n}", condition, {"hr_bpm": np.full(4, value)}) for n, value in enumerate(values)
    ]


def test_agreement_counts_people_inside_the_real_band() -> None:
    real, ours = grouped(_people(list(range(60, 81)))), grouped(_people([70.0] * 9 + [95.0] * 3))
    (row,) = compared(real, ours, ORDER)
    figures = row.figures()
    assert figures["real"]["people"] == [61.0, 70.0, 79.0]
    assert figures["share_of_people_inside"] == 0.75
    assert figures["median_inside"]
    assert figures["width_ratio"] == pytest.approx((95 - 70) / 18)


def test_too_few_people_or_windows_make_no_band() -> None:
    assert compared(grouped(_people([70.0] * 7)), grouped(_people([70.0] * 9)), ORDER) == []
    assert grouped([Seen("p", "rest", {"hr_bpm": np.array([70.0, 71.0, np.nan])})]) == {}


def test_people_who_walk_alike_cannot_be_told_apart() -> None:
    rng = np.random.default_rng(1)

    def walk(stride_hz: float, share: float) -> MotionRecording:
        t_s = np.arange(20 * 150) / 20
        phase = 2 * np.pi * (stride_hz * t_s + 0.02 * np.cumsum(rng.standard_normal(len(t_s))) / 20)
        wave = np.column_stack([np.sin(phase), share * np.cos(2 * phase), np.cos(phase + share)])
        noise = 0.5 * rng.standard_normal((len(t_s), 3))
        acc = [9.81, 0, 0] + 2 * wave + noise
        return MotionRecording("made", "1", "walk", Activity.WALK, 20.0, acc, wave + 0.3 * noise)

    alike = telling_apart({f"{n}": [walk(0.95, 1.0)] for n in range(6)})
    unlike = telling_apart({f"{n}": [walk(0.85 + 0.03 * n, 0.3 * n)] for n in range(6)})
    assert alike["equal_error_5s"] > 0.25
    assert unlike["equal_error_5s"] < 0.2
    assert unlike["variance_between_people"] > alike["variance_between_people"]


def test_the_page_shows_every_row_and_is_the_same_each_time() -> None:
    rng = np.random.default_rng(2)

    def group(middle: float) -> Group:
        people = middle + rng.standard_normal(12)
        return Group(people, np.repeat(people, 3))

    rows = [
        Row("hr_bpm", "rest", group(70), group(71)),
        Row("rmssd_ms", "rest", group(40), group(90)),
    ]
    told = {"n_people": 12, "equal_error_5s": 0.1, "variance_between_people": 0.4}
    result = {
        "people": {"simulated": 12},
        "summary": {"n_rows": 2, "n_medians_inside": 1, "share_of_people_inside": 0.5},
        "telling_apart": {"real": None, "simulated": told},
        "agreement": [row.figures() for row in rows],
    }
    page = body_page(result, rows)
    assert "heart rate" in page
    assert "outside" in page
    assert "No recording of this is in the folder." in page
    assert page == body_page(result, rows)
