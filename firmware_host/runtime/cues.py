"""When to tap the wearer on the wrist: stress that lasts, and not again for a while."""

from __future__ import annotations

import math
from dataclasses import dataclass

from firmware_host.adaptation.preferences import CueAnswer
from firmware_host.events import State
from firmware_host.protocol.messages import Button

# Half a minute of windows that say stress: a single one is often wrong.
LASTING_WINDOWS = 3
# A cue that comes more often is switched off.
QUIET_S = 600.0
SHORT_PATTERN = 1
# Buttons by which the wearer answers a cue, and until when a press is about the latest one.
CUE_ANSWERS: dict[int, CueAnswer] = {
    Button.CUE_ACCEPTED: CueAnswer.ACCEPTED,
    Button.CUE_DISMISSED: CueAnswer.DISMISSED,
}
MAX_ANSWER_S = 300.0


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
