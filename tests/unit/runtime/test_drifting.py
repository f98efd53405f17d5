"""What runs add to the drift monitor in the vault, and what enrolment takes out again."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from firmware_host.adaptation.drift import Part
from firmware_host.adaptation.rest import revert_rest
from firmware_host.identity.enrolment import Enrolled
from firmware_host.inference.bundle import load_bundle
from firmware_host.runtime.baseline import Source
from firmware_host.runtime.drifting import DRIFT_KIND, RunFacts, misfits, watch_run
from firmware_host.runtime.gait_reference import put_walking
from firmware_host.runtime.memory import Memory, put_guided_baseline
from firmware_host.signals.normalise import Baseline
from firmware_host.signals.stress import FEATURE_NAMES
from firmware_host.vault.pack import pack, unpack
from firmware_host.vault.records import Vault
from tests.bundles import write_bundle

DAY_S = 86_400.0
T0 = 1e9
AMPLITUDE = FEATURE_NAMES.index("log_pulse_amplitude")


@pytest.fixture
def vault(tmp_path):
    with Vault.open_or_create(tmp_path / "state", tmp_path / "key") as opened:
        yield opened


def _rest(amplitude: float) -> Baseline:
    center = np.full(len(FEATURE_NAMES), 0.5)
    center[AMPLITUDE] = amplitude
    return Baseline(center, np.ones(len(FEATURE_NAMES)), 20)


def _run(vault: Vault, day: int, *, gait: float = 8.0, poor: int = 0, placement: str = "wrist"):
    states = Counter(rest=200 - poor, poor_signal=poor, not_worn=1000)
    facts = RunFacts(states, gait * 40, 40, placement)
    return watch_run(vault, facts, now_utc=T0 + day * DAY_S + 3600)


def _day(vault: Vault, day: int, amplitude: float, **facts):
    memory = Memory(vault, keep_days=30)
    memory.take_baseline(_rest(amplitude), Source.QUIET, T0 + day * DAY_S + 600)
    return _run(vault, day, **facts)


def _enrol(vault: Vault, bundle, now_utc: float) -> None:
    enrolled = Enrolled(np.ones(3, np.float32), {"head_w": np.ones((1, 3), np.float32)}, 1.0, 20)
    put_walking(vault, enrolled, bundle, placement="wrist", now_utc=now_utc)


def test_a_pulse_that_stays_weak_is_said_once_and_stays_in_the_status(vault):
    found = [_day(vault, day, 3.0 if day < 6 else 1.0) for day in range(12)]
    said = [(day, misfit.part) for day, day_found in enumerate(found) for misfit in day_found]
    assert said == [(9, Part.PULSE_SENSOR)]
    (left,) = misfits(vault)
    assert "weaker" in left.why


def test_a_guided_rest_begins_a_new_comparison(vault):
    for day in range(12):
        _day(vault, day, 3.0 if day < 6 else 1.0)
    put_guided_baseline(vault, _rest(1.0), utc=T0 + 12 * DAY_S)
    assert misfits(vault) == []
    for day in range(13, 25):
        assert _day(vault, day, 1.0) == []


def test_walks_that_fit_less_and_less_ask_for_a_new_enrolment(vault, tmp_path):
    bundle = load_bundle(write_bundle(tmp_path / "bundles"))
    _enrol(vault, bundle, T0)
    for day in range(6):
        assert _run(vault, day) == []
    # Where the wearer is not enrolled a low score means nothing.
    for day in range(6, 12):
        assert _run(vault, day, gait=0.0, placement="pocket") == []
    said = [misfit for day in range(12, 18) for misfit in _run(vault, day, gait=2.0)]
    assert [misfit.part for misfit in said] == [Part.GAIT]
    assert "signet enrol gait" in said[0].to_do
    _enrol(vault, bundle, T0 + 18 * DAY_S)
    assert misfits(vault) == []


def test_several_runs_of_a_day_count_once(vault):
    for _ in range(30):
        _run(vault, 0, poor=0)
    for _ in range(30):
        assert _run(vault, 1, poor=200) == []


def test_more_and_more_of_the_day_unreadable_is_said(vault):
    said = [m.part for day in range(12) for m in _run(vault, day, poor=0 if day < 6 else 150)]
    assert said == [Part.SIGNAL]


def test_the_state_is_a_few_numbers_and_old_ones_go(vault):
    for day in range(80):
        _run(vault, day)
    assert vault.count(DRIFT_KIND) == 60
    assert set(unpack(vault.latest(DRIFT_KIND).payload)[1]) == {
        "tracks", "rest_id", "line_id", "anchor_id", "run_utc",
    }  # fmt: skip


def test_a_damaged_state_or_one_of_another_release_begins_anew(vault):
    for day in range(12):
        _day(vault, day, 3.0 if day < 6 else 1.0)
    vault.put(DRIFT_KIND, b"no state", T0)
    assert misfits(vault) == []
    assert "drift state" in vault.damaged
    tracks = {"of_tomorrow": [9, 1.0, 99.0, 0.0]}
    facts = {"tracks": tracks, "rest_id": 0, "line_id": None, "anchor_id": None, "run_utc": None}
    vault.put(DRIFT_KIND, pack({}, facts), T0)
    assert misfits(vault) == []


def _amplitude_days(vault: Vault) -> int:
    tracks = unpack(vault.latest(DRIFT_KIND).payload)[1]["tracks"]
    return tracks["log_pulse_amplitude"][0]


def test_a_label_that_replaces_the_mornings_rest_makes_no_second_day(vault):
    memory = Memory(vault, keep_days=30)
    memory.take_baseline(_rest(3.0), Source.QUIET, T0 + 600)
    memory.take_baseline(_rest(2.0), Source.GUIDED, T0 + 1800)
    _run(vault, 0)
    assert _amplitude_days(vault) == 1


def test_rest_that_was_gone_back_from_is_no_day_and_neither_is_its_copy(vault):
    memory = Memory(vault, keep_days=30)
    memory.take_baseline(_rest(3.0), Source.QUIET, T0 + 600)
    memory.take_baseline(_rest(-9.0), Source.QUIET, T0 + 9 * 3600)
    revert_rest(vault, now_utc=T0 + 10 * 3600)
    _run(vault, 0)
    assert _amplitude_days(vault) == 1


def test_days_are_told_apart_by_when_they_began(vault):
    facts = RunFacts(Counter(rest=200), 0.0, 0, "wrist")
    # Told of in the morning after, and then of that short day at its own end.
    watch_run(vault, facts, now_utc=T0 + DAY_S, begun_utc=T0)
    watch_run(vault, facts, now_utc=T0 + DAY_S + 3600, begun_utc=T0 + DAY_S)
    assert unpack(vault.latest(DRIFT_KIND).payload)[1]["tracks"]["poor_share"][0] == 2
    watch_run(vault, facts, now_utc=T0 + DAY_S + 7200, begun_utc=T0 + DAY_S + 3600)
    assert unpack(vault.latest(DRIFT_KIND).payload)[1]["tracks"]["poor_share"][0] == 2
