"""The drift monitor: odd days, lasting change, slow change, and enrolling anew."""

from __future__ import annotations

import numpy as np
import pytest

from firmware_host.adaptation.drift import (
    N_FIRST_DAYS,
    QUANTITIES,
    DriftState,
    Part,
)

HR = "hr_median_bpm"
AMPLITUDE = "log_pulse_amplitude"
SPREAD = QUANTITIES[HR].spread


def _days(values, *, name: str = HR, state: DriftState | None = None) -> DriftState:
    state = state or DriftState()
    for value in values:
        state = state.day({name: float(value)})
    return state


def _parts(state: DriftState) -> set[Part]:
    return {misfit.part for misfit in state.misfits()}


def test_days_like_the_first_fit():
    assert _days([60.0] * 100).misfits() == []


@pytest.mark.parametrize("odd", [200.0, 20.0])
def test_one_odd_day_is_no_alarm_however_odd(odd):
    state = _days([60.0] * 10 + [60.0 + odd] + [60.0] * 10)
    assert state.misfits() == []
    state = _days([60.0] * 10 + [60.0 - odd])
    assert state.misfits() == []


def test_four_days_of_the_same_great_change_are_an_alarm_with_words_for_its_side():
    higher = _days([60.0] * 10 + [60.0 + 4 * SPREAD] * 4)
    (misfit,) = higher.misfits()
    assert misfit.part is Part.REST
    assert "faster" in misfit.why
    lower = _days([60.0] * 10 + [60.0 - 4 * SPREAD] * 4)
    assert "slower" in lower.misfits()[0].why
    assert "signet enrol" in misfit.to_do


def test_a_change_to_the_better_is_none():
    better = _days([0.5] * 5 + [1.0] * 20, name="bvp_quality")
    assert better.misfits() == []
    worse = _days([0.9] * 5 + [0.4] * 20, name="bvp_quality")
    assert _parts(worse) == {Part.PULSE_SENSOR}


def test_a_change_of_months_is_followed_and_not_announced():
    slow = 60.0 + np.linspace(0.0, 2.0 * SPREAD, 120)
    state = _days(slow)
    assert state.misfits() == []
    assert state.tracks[HR].mean > 60.0 + SPREAD


def test_nothing_is_said_before_there_is_something_to_compare_with():
    assert _days([0.0, 500.0, -500.0][:N_FIRST_DAYS]).misfits() == []


def test_days_without_a_number_leave_it_as_it_was():
    state = _days([60.0] * 5)
    after = state.day({HR: float("nan")}).day({AMPLITUDE: 1.0})
    assert after.tracks[HR] == state.tracks[HR]


def test_enrolling_a_part_anew_ends_its_alarm_and_no_other():
    state = _days([60.0] * 10 + [60.0 + 4 * SPREAD] * 4)
    state = _days([0.0] * 4 + [-5.0] * 4, name=AMPLITUDE, state=state)
    assert _parts(state) == {Part.REST, Part.PULSE_SENSOR}
    assert _parts(state.renewed({Part.REST})) == {Part.PULSE_SENSOR}
    # What counted before is no comparison for the new one.
    assert _parts(_days([90.0] * 20, state=state.renewed({Part.REST}))) == {Part.PULSE_SENSOR}


def test_chance_alone_gives_few_alarms(rng):
    n_alarms = 0
    for _ in range(60):
        state = DriftState()
        for value in rng.normal(60.0, SPREAD, 56):
            state = state.day({HR: float(value)})
            if state.misfits():
                n_alarms += 1
                state = state.renewed({Part.REST})
    # Sixty people, eight weeks each: at most one in three has one.
    assert n_alarms <= 20
