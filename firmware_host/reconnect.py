"""When to try again after a lost link: a back-off state machine, pure, clock and chance given."""

from __future__ import annotations

import random
from collections.abc import Callable
from enum import StrEnum

# A re-plugged USB board enumerates within about a second: trying sooner finds nothing.
FIRST_WAIT_S = 0.5
# Twice as long each time: a board in a boot loop is not opened, and so reset, at every turn.
GROWTH = 2.0
# All the board measures in this time after it is plugged in is lost for good: there is nothing to ask
# a restarted board for. Opening a port that is not there takes well under a millisecond.
LONGEST_WAIT_S = 3.0
# Up to a quarter off either way, so that several hosts or boards do not knock at one instant.
JITTER = 0.25
# A board in a boot loop connects and dies each second or two. Only a link that lived this long
# counts as healthy and starts the waits from the bottom again.
STABLE_AFTER_S = 10.0


class LinkState(StrEnum):
    """Where the link stands."""

    DOWN = "down"
    TRYING = "trying"
    UP = "up"
    STOPPED = "stopped"


class Reconnect:
    """Back-off between attempts to open a link.

    The owner tells what happened (:meth:`trying`, :meth:`up`, :meth:`lost`, :meth:`stop`) and asks
    :meth:`wait_s` how long to wait. It never gives up by itself unless ``max_attempts`` says so: a
    wearable may be away for a day.

    Parameters
    ----------
    clock
        Monotonic seconds.
    rng
        Source of the jitter.
    max_attempts
        Failed attempts in a row after which the state is STOPPED; None for no limit.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], float],
        rng: random.Random,
        first_wait_s: float = FIRST_WAIT_S,
        longest_wait_s: float = LONGEST_WAIT_S,
        max_attempts: int | None = None,
    ) -> None:
        if not 0 < first_wait_s <= longest_wait_s:
            msg = f"expected 0 < first_wait_s <= longest_wait_s: {first_wait_s}, {longest_wait_s}"
            raise ValueError(msg)
        self._clock = clock
        self._rng = rng
        self._first_wait_s = first_wait_s
        self._longest_wait_s = longest_wait_s
        self._max_attempts = max_attempts
        self._due_s = clock()
        self._up_since_s = 0.0
        self.state = LinkState.DOWN
        self.failures = 0
        """Failed attempts and short-lived links in a row."""
        self.reason = ""
        """Why the link was last lost, in the words given to :meth:`lost`."""

    def wait_s(self) -> float:
        """Seconds until the next attempt is due: 0 when it is, infinity when there will be none."""
        if self.state is LinkState.STOPPED:
            return float("inf")
        if self.state is not LinkState.DOWN:
            return 0.0
        return max(0.0, self._due_s - self._clock())

    def trying(self) -> None:
        """An attempt begins."""
        self._require(LinkState.DOWN)
        self.state = LinkState.TRYING

    def up(self) -> None:
        """The attempt succeeded."""
        self._require(LinkState.TRYING)
        self.state = LinkState.UP
        self._up_since_s = self._clock()

    def lost(self, reason: str) -> None:
        """The attempt failed or the link broke; the next attempt gets its time."""
        self._require(LinkState.TRYING, LinkState.UP)
        now_s = self._clock()
        was_stable = self.state is LinkState.UP and now_s - self._up_since_s >= STABLE_AFTER_S
        self.failures = 1 if was_stable else self.failures + 1
        self.reason = reason
        if self._max_attempts is not None and self.failures >= self._max_attempts:
            self.state = LinkState.STOPPED
            return
        self.state = LinkState.DOWN
        self._due_s = now_s + self._next_wait_s()

    def stop(self) -> None:
        """No further attempt: the wearer or the service ended it."""
        self.state = LinkState.STOPPED

    def _next_wait_s(self) -> float:
        # The exponent is bounded so that a link down for weeks does not overflow the power.
        wait_s = self._first_wait_s * GROWTH ** min(self.failures - 1, 32)
        jittered_s = min(wait_s, self._longest_wait_s) * self._rng.uniform(1 - JITTER, 1 + JITTER)
        return min(jittered_s, self._longest_wait_s)

    def _require(self, *allowed: LinkState) -> None:
        if self.state not in allowed:
            names = " or ".join(allowed)
            msg = f"expected the link to be {names}, it is {self.state}"
            raise ValueError(msg)
