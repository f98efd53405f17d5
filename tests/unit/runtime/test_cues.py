from __future__ import annotations

from firmware_host.adaptation.preferences import CueAnswer
from firmware_host.events import State, StreamNoted
from firmware_host.protocol.messages import Button
from firmware_host.runtime.cues import LASTING_WINDOWS, QUIET_S, CueRule, Cues


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


class _Memory:
    def __init__(self) -> None:
        self.answers: list[tuple[CueAnswer, float, float]] = []

    def take_cue_answer(self, answer: CueAnswer, *, cue_utc: float, utc: float) -> None:
        self.answers.append((answer, cue_utc, utc))


def _press(button: Button, utc: float) -> StreamNoted:
    return StreamNoted(0.0, utc, "button", "", {"value": int(button)})


def test_press_answers_the_latest_cue_once_and_not_for_long() -> None:
    memory = _Memory()
    cues = Cues(CueRule(), memory)  # type: ignore[arg-type]
    cues.take_press(_press(Button.CUE_ACCEPTED, 900.0))
    cues.given(1000.0)
    cues.take_press(_press(Button.STRESS_STARTS, 1001.0))
    cues.take_press(_press(Button.CUE_DISMISSED, 1002.0))
    cues.take_press(_press(Button.CUE_ACCEPTED, 1003.0))
    cues.given(2000.0)
    cues.take_press(_press(Button.CUE_ACCEPTED, 2301.0))
    assert memory.answers == [(CueAnswer.DISMISSED, 1000.0, 1002.0)]
    assert cues.n_given == 2
