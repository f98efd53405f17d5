"""One stretch of wear after another: what the drift monitor is told of it, and whose it was."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from firmware_host.adaptation.drift import Misfit
from firmware_host.adaptation.rest import revert_rest
from firmware_host.errors import AdaptationError, StorageError
from firmware_host.events import State, StressScored, Wearer, WearerVerified
from firmware_host.identity.verification import N_WINDOWS
from firmware_host.runtime.baseline import FRESH_S, NEW_WEAR_S
from firmware_host.runtime.drifting import RunFacts, watch_run
from firmware_host.vault.records import Vault

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


class Wearing:
    """What a run sees of its wearer, and what it does when the band comes off and when a day is over.

    Parameters
    ----------
    vault
        What is known of the wearer; None keeps nothing, and then there is nothing to do.
    """

    def __init__(self, vault: Vault | None) -> None:
        self._vault = vault
        self._day = DayFacts()
        self._wear = Wear()
        self.has_ended = False
        """The band is off, and `end` is due."""

    def is_day_over(self, event: StressScored) -> bool:
        """Take a window before it is counted: whether it is the first one of another day."""
        if event.state is State.NOT_WORN:
            # A board that cannot tell contact: the skin's signals are gone.
            self.has_ended = True
            return False
        return self._day.is_over(event.utc)

    def scored(self, event: StressScored) -> None:
        """Count a window."""
        self._day.take(event)

    def walked(self, event: WearerVerified) -> None:
        """Take one decision on whose walk it is."""
        self._day.take(event)
        self._wear.walked(event)

    def rested(self) -> None:
        """Rest was learned."""
        self._wear.has_learned_rest = True

    def end(self, now_utc: float) -> bool:
        """The band is off: rest that somebody else sat for is not the wearer's; whether it was set aside.

        Raises
        ------
        StorageError
            If there is no room to; it is due again then.
        """
        self.has_ended = False
        wear, self._wear = self._wear, Wear()
        if self._vault is None or not (wear.has_learned_rest and wear.is_somebody_elses):
            return False
        try:
            revert_rest(self._vault, now_utc=now_utc)
        except StorageError:
            self._wear, self.has_ended = wear, True
            raise
        except AdaptationError:
            # The only rest there is: whoever that was, there is nothing to go back to.
            return False
        return True

    def end_day(self, placement: str, now_utc: float) -> list[Misfit]:
        """The day is over: what no longer fits the wearer since then."""
        day, self._day = self._day, DayFacts()
        if self._vault is None:
            return []
        return watch_run(self._vault, day.told(placement), now_utc=now_utc, begun_utc=day.begun_utc)
