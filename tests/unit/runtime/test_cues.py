from __future__ import annotations

from firmware_host.events import State
from firmware_host.runtime.cues import LASTING_WINDOWS, QUIET_S, CueRule


def test_cue_waits_for_stress_that_lasts() -> None:
    rule = CueRule()
    said = [rule.is_due(State.STRESS, 10.0 * i) for i in range(LASTING_WINDOWS)]
    assert said == [False] * (LASTING_WINDOWS - 1) + [True]


def test_an_interruption_starts_the_count_anew() -> None:
    rule = CueRule()
    states = [State.STRESS, State.STRESS, State.UNSURE, State.STRESS, State.STRESS]
    assert not any(rule.is_due(state, 10.0 * i) for i, state in enumerate(states))


def test_no_second_cue_for_a_while() -> None:
    rule = CueRule()
    times = [10.0 * i for i in range(int(QUIET_S / 10) + LASTING_WINDOWS + 1)]
    cues = [t for t in times if rule.is_due(State.STRESS, t)]
    assert len(cues) == 2
    assert cues[1] - cues[0] >= QUIET_S


def test_a_new_session_may_cue_again() -> None:
    rule = CueRule()
    for i in range(5):
        rule.is_due(State.STRESS, 9000.0 + 10 * i)
    assert any(rule.is_due(State.STRESS, 10.0 * i) for i in range(LASTING_WINDOWS))
