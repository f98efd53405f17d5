"""Tapping the wearer on the wrist: when stress lasts, not again for a while, and what the wearer says to it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from firmware_host.adaptation.preferences import CueAnswer
from firmware_host.events import State, StreamNoted, StressScored
from firmware_host.protocol.messages import Button
from firmware_host.runtime.memory import Memory

# Half a minute of windows that say stress: a single one is often wrong.
LASTING_WINDOWS = 3
# A cue that comes more often is switched off.
QUIET_S = 600.0
SHORT_PATTERN = 1
# Buttons by which the wearer answers a cue, and until when a press is about the latest one.
_ANSWERS: dict[int, CueAnswer] = {
    Button.CUE_ACCEPTED: CueAnswer.ACCEPTED,
    Button.CUE_DISMISSED: CueAnswer.DISMISSED,
}
_MAX_ANSWER_S = 300.0


@dataclass(slots=True)
class CueRule:
    """Says when a cue is due; ``pattern`` is the haptic pattern of the wire protocol."""

    pattern: int = SHORT_PATTERN
    _n_stress: int = 0
    _last_s: float = -math.inf

    def is_due(self, state: State, t_s: float) -> bool:
        """Take one window; true if the board should tap now."""
        if t_s < self._last_s:
            # A new session counts from zero again.
            self._last_s = -math.inf
        self._n_stress = self._n_stress + 1 if state is State.STRESS else 0
        if self._n_stress < LASTING_WINDOWS or t_s - self._last_s < QUIET_S:
            return False
        self._last_s = t_s
        return True


class Cues:
    """The cues of one run and the wearer's answers to them.

    Parameters
    ----------
    rule
        When one is due; None never gives one.
    memory
        Where answers are kept; None keeps none.
    """

    def __init__(self, rule: CueRule | None, memory: Memory | None) -> None:
        self._rule = rule
        self._memory = memory
        self._last_utc: float | None = None
        self.n_given = 0

    def due(self, event: StressScored) -> int | None:
        """Take one window; the haptic pattern to tap now, or None."""
        if self._rule is None or not self._rule.is_due(event.state, event.t_s):
            return None
        return self._rule.pattern

    def given(self, utc: float) -> None:
        """The wearer is tapped at ``utc``."""
        self.n_given += 1
        self._last_utc = utc

    def take_press(self, event: StreamNoted) -> None:
        """A press that says whether the latest cue was right, unless that was too long ago to tell."""
        answer = _ANSWERS.get(int(event.detail["value"]))
        if answer is None or self._last_utc is None or self._memory is None:
            return
        if 0 <= event.utc - self._last_utc <= _MAX_ANSWER_S:
            self._memory.take_cue_answer(answer, cue_utc=self._last_utc, utc=event.utc)
            # One answer a cue: a second press is a slip of the finger.
            self._last_utc = None
