"""What a learning job may use and what it used: seconds, energy by proxy, bytes written.

Energy is a proxy: CPU seconds of this process times what a busy core draws. Nothing here measures
watts; memory, radio and card are not in it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from firmware_host.errors import AdaptationError, AdaptationReason

# A Raspberry Pi 4 draws 5.0 W with four busy cores and 1.6 W idle (measured at the wall,
# github.com/geerlingguy/sbc-reviews issue 4): 0.85 W a core, and a margin.
CORE_W = 1.0


@dataclass(frozen=True, slots=True)
class Budget:
    """Limits of one call; 0 is none. `core_w` watts of a busy core turn CPU seconds into joules."""

    seconds: float = 0.0
    joules: float = 0.0
    n_bytes: int = 0
    core_w: float = CORE_W


@dataclass(frozen=True, slots=True)
class Used:
    """What a job took, over all its calls; what was lost to a kill is not in it."""

    wall_s: float = 0.0
    cpu_s: float = 0.0
    n_bytes: int = 0
    n_resumes: int = 0

    def plus(self, other: Used) -> Used:
        """Sum of the two."""
        return Used(
            self.wall_s + other.wall_s,
            self.cpu_s + other.cpu_s,
            self.n_bytes + other.n_bytes,
            self.n_resumes + other.n_resumes,
        )


class Meter:
    """Measures one call against its budget, from its making on.

    Parameters
    ----------
    n_bytes
        Bytes that were written to the vault so far.
    """

    def __init__(
        self,
        budget: Budget,
        n_bytes: Callable[[], int],
        *,
        wall: Callable[[], float] = time.monotonic,
        cpu: Callable[[], float] = time.process_time,
    ) -> None:
        self._budget = budget
        self._clocks = (wall, cpu, n_bytes)
        self._start = (wall(), cpu(), n_bytes())

    def used(self) -> Used:
        """What this call took so far."""
        wall, cpu, n_bytes = self._clocks
        return Used(
            wall() - self._start[0], cpu() - self._start[1], n_bytes() - int(self._start[2])
        )

    def spent(self, *, reserve_bytes: int) -> str | None:
        """Which limit leaves no room for another step, in words; None if there is room.

        `reserve_bytes` is what a step and the pause after it may write.
        """
        budget, used = self._budget, self.used()
        joules = used.cpu_s * budget.core_w
        if budget.seconds and used.wall_s >= budget.seconds:
            return f"the budget of {budget.seconds:g} s is used up"
        if budget.joules and joules >= budget.joules:
            return f"the budget of {budget.joules:g} J (CPU time x {budget.core_w:g} W) is used up"
        if budget.n_bytes and used.n_bytes + reserve_bytes > budget.n_bytes:
            return f"the budget of {budget.n_bytes} bytes in the vault is used up"
        return None

    def require_one_step(self, *, reserve_bytes: int) -> None:
        """Refuse a budget that is used up before the first step.

        Raises
        ------
        AdaptationError
            `budget`: otherwise every call would pause where it began.
        """
        cause = self.spent(reserve_bytes=reserve_bytes)
        if cause is None:
            return
        used = self.used()
        text = (
            f"{cause} before the first step: getting there took {used.wall_s:.2g} s and "
            f"{used.cpu_s * self._budget.core_w:.2g} J, and a step may write {reserve_bytes} bytes; "
            "allow more ([adaptation] budget_s, budget_j, budget_bytes)"
        )
        raise AdaptationError(AdaptationReason.BUDGET, text)
