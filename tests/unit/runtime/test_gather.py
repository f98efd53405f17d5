"""From a vault to a report's data: honest with much, with little and with nothing."""

from __future__ import annotations

import numpy as np
import pytest

from firmware_host.inference.contract import Bundle
from firmware_host.report import ReportData, render
from firmware_host.report.accounts import verdict
from firmware_host.runtime.gather import gather
from firmware_host.runtime.memory import put_guided_baseline
from tests.unit.runtime.lives import MADE_UTC, T0, YEARS_S, Life, Tell, some_baseline


def _words(data: ReportData) -> list[str]:
    return [words for _, words in data.events]


def test_an_empty_vault_gives_a_page_that_says_why(tell: Tell) -> None:
    data, later = tell()
    assert later is None
    assert (data.start_utc, data.end_utc) == (MADE_UTC, MADE_UTC)
    assert render(data).count('class="empty"') == 10
    assert data.empty_reasons["stream"].startswith("Nothing was streamed yet")
    assert "nobody is enrolled" not in data.empty_reasons["gait"]
    assert verdict(data.privacy)[1] == "dim"


def test_one_event_alone_gives_a_page(life: Life, tell: Tell) -> None:
    life.session(T0)
    data, _ = tell()
    assert data.start_utc == data.end_utc == T0
    assert _words(data) == ["band began to stream"]
    assert data.source == "band"
    assert "a minute" in data.empty_reasons["probability"]


def test_a_run_that_was_cut_off_is_not_claimed_to_have_sent_nothing(life: Life, tell: Tell) -> None:
    life.session(T0)
    life.minutes(T0 + 60, 30)
    data, _ = tell()
    assert not data.stream
    assert not data.costs
    assert "No run has finished" in data.empty_reasons["stream"]
    assert "not every way out was counted" in verdict(data.privacy)[0]
    assert dict(data.facts)["Runs"] == "0 finished, 1 cut off or still going"


def test_a_cut_run_after_a_finished_one_is_told(life: Life, tell: Tell) -> None:
    life.session(T0)
    life.minutes(T0 + 60, 5)
    life.summary(T0 + 200)
    life.session(T0 + 1000)
    data, _ = tell()
    assert "1 run left no count" in data.privacy.uncounted
    assert "cut off" in data.section_notes["stream"]


def test_a_finished_run_without_sockets_sent_nothing(life: Life, tell: Tell) -> None:
    life.session(T0)
    life.summary(T0 + 1000)
    data, _ = tell()
    assert verdict(data.privacy) == ("Nothing left this host.", "")
    assert data.stream[0].gap_s == pytest.approx(12.0)


def test_nothing_is_claimed_when_a_socket_was_opened(life: Life, tell: Tell) -> None:
    life.session(T0)
    life.summary(T0 + 1000, sockets_opened=1)
    assert "not every way out" in verdict(tell()[0].privacy)[0]


def test_word_to_the_service_manager_is_counted_apart(life: Life, tell: Tell) -> None:
    life.session(T0)
    life.summary(T0 + 1000, sockets_local=1)
    data, _ = tell()
    assert verdict(data.privacy) == ("Nothing left this host.", "")
    assert "1 more, to this machine's service manager" in data.privacy.evidence[0]


def test_runs_years_apart_count_as_long_as_they_lasted(life: Life, tell: Tell) -> None:
    for start in (T0, T0 + YEARS_S):
        life.session(start)
        life.minutes(start, 61)
        life.summary(start + 600)
    data, _ = tell()
    assert data.recorded_s == pytest.approx(1200.0)
    assert data.end_utc - data.start_utc == pytest.approx(YEARS_S + 600.0)
    assert "last of 2 finished runs. In all: 0.6 h" in data.section_notes["stream"]
    assert "20 min<small>within 1095 d" in render(data)


def test_a_recording_played_twice_is_shown_once(life: Life, tell: Tell) -> None:
    life.minutes(T0, 10, "rest")
    life.minutes(T0, 10, "stress", 0.9)
    data, _ = tell()
    assert [name for _, _, name in data.states] == ["stress"]
    assert len(data.probability.t_utc) == 10


def test_unscored_windows_say_what_kept_them_from_it(life: Life, tell: Tell) -> None:
    life.minutes(T0, 3, "not_worn", None)
    life.minutes(T0 + 30, 2, "learning_baseline", None)
    data, _ = tell()
    assert data.probability is None
    reason = data.empty_reasons["probability"]
    assert "there was no baseline yet in 2, the band was not on the skin in 3" in reason


def test_activity_alone_gives_a_page(life: Life, tell: Tell) -> None:
    for i in range(5):
        life.event("activity", T0 + 2.5 * i, activity="walk", probability=0.9, cadence_spm=110.0)
    data, _ = tell()
    assert [name for _, _, name in data.activities] == ["walk"]
    assert data.probability is None


def test_a_model_that_could_not_run_is_the_reason(life: Life, tell: Tell) -> None:
    life.session(T0)
    life.note("model_off", T0, model="gait", why="gyro is missing")
    data, _ = tell()
    assert data.empty_reasons["gait"].endswith("could not run on this board: gyro is missing.")


def test_events_are_words(life: Life, tell: Tell) -> None:
    life.summary(T0 + 1000)
    for channel in ("bvp", "acc"):
        life.note("gap", T0 + 10, channel, missing_samples=768, lost_frames=3)
    life.note("gap", T0 + 20, "bvp", missing_samples=5, lost_frames=1)
    life.note("reboot", T0 + 30, board="band", firmware="1.0", session=2, n_channels=2)
    life.note("adapter", T0 + 40, version=1)
    life.note("learned", T0 + 50, kept=0, reason="small_gain")
    life.note("battery", T0 + 60, value=60)
    life.note("battery", T0 + 70, value=20)
    life.note("clock_wrap", T0 + 80, n_wraps=1)
    put_guided_baseline(life.vault, some_baseline(), utc=T0 + 90)
    life.note("gait_updated", T0 + 100, placement="wrist")
    life.note("drift", T0 + 110, part="gait", why="walks fit less", to_do="signet enrol gait")
    assert _words(tell()[0]) == [
        "gap of 12 s in bvp",
        "board rebooted",
        "adapter 1 in use",
        "update not kept: gain too small",
        "battery at 20 %",
        "baseline learned (guided)",
        "gait reference of the wrist followed",
        "no longer fits: walks fit less",
    ]


def test_channels_that_fell_silent_together_are_one_gap(life: Life, tell: Tell) -> None:
    channel = {"unit": "au", "declared_hz": 64.0, "measured_hz": 64.0, "n_samples": 1}
    both = {name: {**channel, "n_gaps": 1, "missing_samples": 0} for name in ("bvp", "acc")}
    life.summary(T0 + 1000, channels=both)
    life.note("gap", T0 + 10.0, "bvp", missing_samples=768, lost_frames=3)
    life.note("gap", T0 + 10.4, "acc", missing_samples=640, lost_frames=3)
    assert _words(tell()[0]) == ["gap of 12 s in acc, bvp"]


def test_curves_show_only_what_was_worn(life: Life, tell: Tell) -> None:
    life.window(T0 + 10, worn=False, hr_median_bpm=150.0)
    life.window(T0, hr_median_bpm=60.0, log_eda_level=float(np.log(2.05)))
    heart, skin, *_ = tell()[0].signals
    np.testing.assert_array_equal(heart.t_utc, [T0, T0 + 10])
    np.testing.assert_array_equal(heart.values, [60.0, np.nan])
    assert skin.values[0] == pytest.approx(2.0, rel=1e-5)


def test_local_time_is_that_of_the_recording(life: Life, bundle: Bundle) -> None:
    life.session(T0)
    asked: list[float] = []
    data, _ = gather(
        life.vault, bundle, made_utc=MADE_UTC, local_offset_s=lambda t: asked.append(t) or 7200.0
    )
    assert asked[0] == T0
    assert all(abs(utc - T0) < 2 * 86_400.0 for utc in asked)
    assert data.tz_offset_s == 7200.0
