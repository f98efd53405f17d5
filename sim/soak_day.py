"""The day of the soak test: every fault scenario in a stretch of its own, and then all of them at once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sim.fault_plan import FaultPlan
from sim.schedule import load_scenario, scenario_names

LIFE = "day"
QUIET, EVERYTHING = "quiet", "everything"
# A fault is over, and what it made the host do, before the next stretch begins.
_MARGIN_S = 20.0
# The last stretch has more of everything in it.
_EVERYTHING_PARTS = 2


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of the day and the one scenario whose faults strike in it."""

    name: str
    start_s: float
    end_s: float

    def __contains__(self, t_s: float) -> bool:
        return self.start_s <= t_s < self.end_s


def soak_stretches(hours: float) -> list[Stretch]:
    """A quiet stretch, one for each kind of fault, and a longer one for all at once."""
    names = [QUIET, *(name for name in scenario_names() if name.startswith("fault-")), EVERYTHING]
    part_s = hours * 3600 / (len(names) - 1 + _EVERYTHING_PARTS)
    starts = [n * part_s for n in range(len(names))]
    ends = [*starts[1:], hours * 3600]
    return [Stretch(*row) for row in zip(names, starts, ends, strict=True)]


def soak_faults(stretches: list[Stretch]) -> FaultPlan:
    """Faults of every stretch's scenario, moved there."""
    return FaultPlan(
        tuple(
            fault.within(stretch.start_s, stretch.end_s - _MARGIN_S)
            for stretch in stretches
            if stretch.name != QUIET
            for fault in load_scenario(stretch.name).faults.faults
        )
    )


def write_soak_day(path: Path, stretches: list[Stretch]) -> None:
    """Write the day as a scenario, so that it can be looked at and run again."""
    parts = [f'about = "the day of make soak"\nlife = "{LIFE}"']
    parts += [fault.as_toml() for fault in soak_faults(stretches).faults]
    path.write_text("\n\n".join(parts) + "\n", encoding="ascii")
