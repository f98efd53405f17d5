"""From a vault to a report's data: honest with much, with little and with nothing."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from firmware_host.adaptation import ledger
from firmware_host.adaptation.adapters import put_adapter
from firmware_host.adaptation.episodes import LabelSpan
from firmware_host.adaptation.labels import put_label
from firmware_host.adaptation.revert import revert
from firmware_host.adaptation.samples import window_payload
from firmware_host.identity.enrolment import Enrolled
from firmware_host.inference.bundle import load_bundle
from firmware_host.inference.contract import Bundle
from firmware_host.report import ReportData, render
from firmware_host.report.accounts import verdict
from firmware_host.runtime.baseline import Source
from firmware_host.runtime.drifting import RunFacts, watch_run
from firmware_host.runtime.feature_words import FEATURE_WORDS
from firmware_host.runtime.gait_reference import put_walking
from firmware_host.runtime.gather import gather
from firmware_host.runtime.later import Later
from firmware_host.runtime.memory import EVENT_KIND, Memory, put_guided_baseline, put_summary
from firmware_host.signals.normalise import Baseline
from firmware_host.signals.stress import CHANNELS, FEATURE_NAMES, StressWindow
from firmware_host.vault.records import Vault

T0 = 1_790_000_000.0
YEARS_S = 3 * 365 * 86_400.0
MADE_UTC = T0 + 10 * YEARS_S


class Life:
    """A vault, and short ways to put into it what runs put there."""

    def __init__(self, vault: Vault) -> None:
        self.vault = vault

    def event(self, kind: str, utc: float, **values: Any) -> None:
        text = json.dumps({"kind": kind, "utc": utc, "t_s": utc - T0, **values})
        self.vault.put(EVENT_KIND, text.encode(), utc, durable=False)

    def note(self, what: str, utc: float, channel: str = "", **detail: Any) -> None:
        self.event("stream", utc, what=what, channel=channel, detail=detail)

    def session(self, utc: float) -> None:
        self.note("session", utc, board="band", firmware="1.0", session=1, n_channels=2)

    def stress(self, utc: float, state: str = "rest", p: float | None = 0.2, **more: Any) -> None:
        values = {"state": state, "p_generic": p, "p_personal": p, "adapter": 0}
        self.event("stress", utc, **values, quality=1.0, motion=0.1, **more)

    def minutes(self, utc: float, n: int, state: str = "rest", p: float | None = 0.2) -> None:
        for i in range(n):
            self.stress(utc + 10.0 * i, state, p)

    def walk(self, utc: float, score: float, wearer: str = "wearer") -> None:
        self.event("wearer", utc, wearer=wearer, score=score, n_windows=3)

    def label(self, name: str, start_utc: float, end_utc: float) -> None:
        span = LabelSpan(name, start_utc, end_utc)  # type: ignore[arg-type]
        put_label(self.vault, span, source="button", now_utc=end_utc)

    def summary(self, utc: float, **changes: Any) -> None:
        channel = {"unit": "au", "declared_hz": 64.0, "measured_hz": 63.9, "n_samples": 64_000}
        values = {
            "board": "band", "firmware": "1.0", "stream_s": 1000.0, "wall_s": 10.0,
            "channels": {"bvp": {**channel, "n_gaps": 1, "missing_samples": 768}},
            "notes": {"session": 1}, "peak_rss_mb": 50.0, "sockets_opened": 0, "learned": [],
            "n_frames": 10, "seen_in_training": False,
        }  # fmt: skip
        put_summary(self.vault, {**values, **changes}, utc=utc)

    def window(self, utc: float, *, worn: bool = True, **features: float) -> None:
        row = np.zeros(len(FEATURE_NAMES), np.float32)
        for name, value in features.items():
            row[FEATURE_NAMES.index(name)] = value
        good = dict.fromkeys(CHANNELS, 1.0)
        payload = window_payload(StressWindow(utc - T0, row, good, 0.1, worn, 0.0), session=1)
        self.vault.put("stress_window", payload, utc, durable=False)


Tell = Callable[..., tuple[ReportData, Later | None]]


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return load_bundle()


@pytest.fixture
def life(tmp_path: Path) -> Iterator[Life]:
    with Vault.create(tmp_path / "state", tmp_path / "key") as vault:
        yield Life(vault)


@pytest.fixture
def tell(life: Life, bundle: Bundle) -> Tell:
    """Gather, and see that the page can be made of it."""

    def told(truth: Any = (), offset_s: float = 0.0) -> tuple[ReportData, Later | None]:
        data, later = gather(
            life.vault, bundle, truth=truth, local_offset_s=lambda _: offset_s, made_utc=MADE_UTC
        )
        assert render(data).startswith("<!DOCTYPE html>")
        return data, later

    return told


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
    put_guided_baseline(life.vault, _baseline(), utc=T0 + 90)
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


def _baseline(shift: float = 0.0) -> Baseline:
    norm = load_bundle().stress.normalisation
    center = np.array(norm.center) + shift * np.array(norm.spread)
    center[FEATURE_NAMES.index("temp_mean")] = np.nan
    return Baseline(center, np.array(norm.spread), 13)


def test_baseline_is_told_against_other_people_in_known_units(life: Life, tell: Tell) -> None:
    put_guided_baseline(life.vault, _baseline(2.0), utc=T0)
    data, _ = tell()
    assert len(data.baseline) == 25
    assert all(row.shift == pytest.approx(2.0) for row in data.baseline)
    level = next(row for row in data.baseline if row.name == "Skin conductance")
    assert level.unit == "µS"
    assert 0.3 < level.population < 1.5 < level.wearer + 1.0
    assert "13 windows" in data.section_notes["baseline"]
    assert "1 features had no readable rest" in data.section_notes["baseline"]


def test_every_feature_has_words_of_its_own() -> None:
    assert tuple(FEATURE_WORDS) == FEATURE_NAMES
    assert len({words.name for words in FEATURE_WORDS.values()}) == len(FEATURE_NAMES)
    assert FEATURE_WORDS["log_rmssd"].value(float(np.log(0.041))) == pytest.approx(40.0)


def test_without_truth_nobody_is_said_to_have_walked(life: Life, tell: Tell) -> None:
    life.walk(T0 + 100, 1.0)
    life.walk(T0 + 110, -1.0, "other")
    gait = tell()[0].gait
    assert np.size(gait.wearer) == np.size(gait.others) == 0
    assert sorted(gait.unknown) == [-1.0, 1.0]
    assert "Nobody said who walked" in tell()[0].section_notes["gait"]


def test_threshold_is_of_the_placement_of_the_last_run_and_mixed_runs_are_told(
    life: Life, tell: Tell, bundle: Bundle
) -> None:
    life.walk(T0 + 100, 1.0)
    for placement, threshold in (("wrist", 2.5), ("pocket", 4.5)):
        enrolled = Enrolled(np.ones(3, np.float32), {}, threshold, 20)
        put_walking(life.vault, enrolled, bundle, placement=placement, now_utc=T0)
    life.summary(T0 + 500, placement="pocket")
    life.summary(T0 + 1500, placement="wrist")
    data = tell()[0]
    assert data.gait.threshold == 2.5
    assert "the threshold is that of the wrist" in data.section_notes["gait"]
    life.summary(T0 + 2500, placement="pocket")
    assert tell()[0].gait.threshold == 4.5


def test_truth_divides_the_scores_whatever_was_decided(life: Life, tell: Tell) -> None:
    life.walk(T0 + 100, 1.0)
    life.walk(T0 + 210, 0.8, "wearer")
    life.walk(T0 + 201, 0.7, "other")
    truth = [(T0, T0 + 200, "walk"), (T0 + 200, T0 + 300, "other_person")]
    gait = tell(truth)[0].gait
    assert list(gait.wearer) == [1.0]
    assert list(gait.others) == [0.8]
    # Its windows reach back into the wearer's walk.
    assert list(gait.unknown) == [0.7]


def test_confusion_counts_whole_windows_against_the_label_file(life: Life, tell: Tell) -> None:
    life.label("rest", T0, T0 + 1000)
    life.minutes(T0 + 60, 10, "stress", 0.9)
    life.stress(T0 + 205, "unsure", 0.5)
    truth = [(T0, T0 + 120, "stress"), (T0 + 140, T0 + 400, "rest")]
    confusion = tell(truth)[0].confusion
    assert np.asarray(confusion.counts).tolist() == [[0, 0], [0, 7]]
    assert "label file" in confusion.truth_from
    own = tell([(T0, T0 + 400, "walk")])[0].confusion
    assert np.asarray(own.counts).tolist() == [[0, 10], [0, 0]]
    assert "learning used too" in own.truth_from
    assert "10 of 11 windows decided" in own.truth_from
    assert "the 1 on which the model was unsure are not in this table" in own.truth_from


def test_figures_after_learning_say_that_unsure_windows_count(life: Life, tell: Tell) -> None:
    ledger.append(life.vault, _job(kept=False), now_utc=T0)
    life.note("learned", T0, kept=0, reason="tie")
    life.minutes(T0 + 100, 10)
    life.minutes(T0 + 1100, 10, "stress", 0.9)
    life.stress(T0 + 1205, "unsure", 0.55)
    data, later = tell([(T0, T0 + 900, "rest"), (T0 + 1000, T0 + 2000, "stress")])
    assert [row.gain_interval for row in data.outcomes] == [later.gain_interval, None]
    for row in data.outcomes:
        assert row.n.startswith("21 windows after learning, 2 episodes; all count")
        assert row.n.endswith("also the 1 on which the model was unsure")


def _job(*, kept: bool, adapter_id: int | None = None) -> dict[str, Any]:
    scores = {
        f"{who}_{key}": value
        for who, value in (("generic", 0.7), ("current", 0.75), ("candidate", 0.8))
        for key in ("balanced_accuracy", "log_loss")
    }
    return {
        "what": "personalise", "group": "bias", "kept": kept, "adapter_id": adapter_id,
        "text": "as the gate said", "n_calibration": 90, "n_held_back": 70,
        "n_episodes": [3, 2], "different_episode": True, "seed": 1, "data_sha256": "ab" * 32,
        "candidates": [{"groups": "bias", "steps": 200}],
        "trials": [
            {"group": "bias", "n_windows": 70.0, **scores},
            {"group": "head", "kept": False, "loss_before": None},
        ],
    }  # fmt: skip


def test_what_no_longer_fits_is_said_with_what_to_do(life: Life, tell: Tell) -> None:
    assert "No longer fits" not in dict(tell()[0].facts)
    memory = Memory(life.vault, keep_days=30)
    for day in range(12):
        weak = _baseline(0.0 if day < 6 else -8.0)
        memory.take_baseline(weak, Source.QUIET, T0 + day * 86_400.0)
    watch_run(life.vault, RunFacts(Counter(), 0.0, 0, "wrist"), now_utc=T0 + 12 * 86_400.0)
    said = dict(tell()[0].facts)["No longer fits"]
    assert "weaker" in said
    assert "signet enrol baseline" in said


def test_ledger_tells_kept_from_not_kept_from_rolled_back(life: Life, tell: Tell) -> None:
    vault = life.vault
    ledger.append(vault, _job(kept=False), now_utc=T0)
    with vault.transaction():
        adapter_id = put_adapter(
            vault, {"head_b": np.zeros(2, np.float32)}, model="stress", bundle_sha256="0" * 64,
            group="bias", baseline_id=None, now_utc=T0 + 1,
        )  # fmt: skip
        ledger.append(vault, _job(kept=True, adapter_id=adapter_id), now_utc=T0 + 1)
    revert(vault, "stress", bundle_sha256="0" * 64, now_utc=T0 + 2)
    rows = tell()[0].ledger
    assert [row.decision for row in rows] == ["not kept", "kept", "rolled back"]
    assert rows[1].what == "stress model, adapter 1"
    assert rows[2].reason == "the wearer went back from adapter 1 to the model as shipped"
    assert (
        rows[0].learned_from == "90 windows of 3 episodes; judged on 70 windows of 2 other episodes"
    )
    first = rows[0].scores[0]
    assert (first.name, first.generic, first.before, first.candidate) == (
        "balanced accuracy", 0.7, 0.75, 0.8,
    )  # fmt: skip
    assert rows[0].steps == 200


@pytest.mark.parametrize(
    ("group", "steps"), [("head", None), ("lora+head", 800), ("lora+head, comparisons", 400)]
)
def test_ledger_tells_the_steps_of_the_update_and_none_of_a_solution(
    life: Life, tell: Tell, group: str, steps: int | None
) -> None:
    tried = [
        {"groups": "head", "steps": 0, "way": "labels"},
        {"groups": "lora+head", "steps": 800, "way": "labels"},
        {"groups": "lora+head", "steps": 400, "way": "comparisons"},
    ]
    ledger.append(life.vault, {**_job(kept=False), "group": group, "candidates": tried}, now_utc=T0)
    assert tell()[0].ledger[0].steps == steps


def test_a_dropped_job_says_why(life: Life, tell: Tell) -> None:
    why = "an unfinished job was dropped: the settings changed meanwhile"
    ledger.append(life.vault, {"what": "job_dropped", "text": why}, now_utc=T0)
    (row,) = tell()[0].ledger
    assert (row.what, row.decision, row.reason) == ("unfinished learning job", "dropped", why)


def test_a_job_without_trials_gives_no_scores(life: Life, tell: Tell) -> None:
    ledger.append(life.vault, {"what": "personalise", "kept": False}, now_utc=T0)
    (row,) = tell()[0].ledger
    assert row.decision == "not kept"
    assert not row.scores


def test_learning_memory_of_an_earlier_run_is_said_to_be_that(life: Life, tell: Tell) -> None:
    life.summary(T0, learned=[{"peak_rss_mb": 66.0}, {"peak_rss_mb": 61.0}])
    life.summary(T0 + 1000)
    costs = {cost.name: cost for cost in tell()[0].costs}
    learning = costs["Peak memory, learning"]
    assert learning.value == 66.0
    assert "earlier run" in learning.note
    assert costs["Vault on the disk"].value > 0


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


def test_one_class_after_learning_is_the_reason_for_no_figure(life: Life, tell: Tell) -> None:
    ledger.append(life.vault, _job(kept=False), now_utc=T0)
    life.note("learned", T0, kept=0, reason="tie")
    life.minutes(T0 + 100, 10)
    data, later = tell([(T0, T0 + 900, "rest")])
    assert later.n_windows == 10
    assert not data.outcomes
    assert "all of one class" in data.empty_reasons["outcomes"]
