"""One stretch of wear after another: what the drift monitor is told of it, and whose it was."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from firmware_host.events import State, StressScored, Wearer, WearerVerified
from firmware_host.identity.verification import N_WINDOWS
from firmware_host.runtime.baseline import FRESH_S, NEW_WEAR_S
from firmware_host.runtime.drifting import RunFacts

# Decisions that say somebody else for each that says the wearer, before a wear is taken for another's:
# of the wearer's own walks far fewer are refused (docs/studies/gait-identity.md).
_MOST_OTHERS = 4


@dataclass(slots=True)
class DayFacts:
    """Counts of what was seen since the last day ended."""

    states: Counter[str] = field(default_factory=Counter)
    gait_sum: float = 0.0
    n_gait: int = 0
    begun_utc: float | None = None
    _last_worn_utc: float = 0.0

    def is_over(self, utc: float) -> bool:
        """Whether a worn window at ``utc`` belongs to another day than what was counted."""
        if self.begun_utc is None or abs(utc - self.begun_utc) < FRESH_S:
            return False
        return abs(utc - self._last_worn_utc) >= NEW_WEAR_S

    def take(self, event: StressScored | WearerVerified) -> None:
        """Count one result."""
        if isinstance(event, StressScored):
            self.states[event.state] += 1
        elif event.n_windows >= N_WINDOWS:
            self.gait_sum += event.score
            self.n_gait += 1
        if self.begun_utc is None:
            self.begun_utc = event.utc
        if not isinstance(event, StressScored) or event.state is not State.NOT_WORN:
            self._last_worn_utc = event.utc

    def told(self, placement: str) -> RunFacts:
        """The counts as the drift monitor takes them."""
        return RunFacts(self.states, self.gait_sum, self.n_gait, placement)


@dataclass(slots=True)
class Wear:
    """Since the band was put on: who walked in it, and whether rest was learned."""

    has_learned_rest: bool = False
    _n_wearer: int = 0
    _n_other: int = 0

    def walked(self, event: WearerVerified) -> None:
        """Take one decision on half a minute of walking; a shorter one is no proof."""
        if event.n_windows >= N_WINDOWS:
            self._n_wearer += event.wearer is Wearer.WEARER
            self._n_other += event.wearer is Wearer.OTHER

    @property
    def is_somebody_elses(self) -> bool:
        """Whether walking left little doubt that another person wears the band."""
        return self._n_other >= max(N_WINDOWS, _MOST_OTHERS * self._n_wearer)
