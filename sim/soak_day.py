"""The day of the soak test: every fault scenario in a stretch of its own, and then all of them at once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from sim.fault_plan import FaultPlan
from sim.schedule import load_scenario, scenario_names

LIFE = "day"
QUIET, EVERYTHING = "quiet", "everything"
# A fault is over, and what it made the host do, before the next stretch begins.
_MARGIN_S = 20.0
# A stretch is at least this long: every fault of the scenarios strikes in their first two minutes.
_LEAST_S = 130.0
LEAST_HOURS = 2 / 3
WARM_SHARE = 1 / 8
# The last stretch has more of everything in it.
_EVERYTHING_PARTS = 2


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of the day and the one scenario whose faults strike in it."""

    name: str
    start_s: float
    end_s: float
    is_warm_up: bool = False

    @property
    def title(self) -> str:
        """What to call it: each comes twice in a long day."""
        return f"{self.name}, warm-up" if self.is_warm_up else self.name

    def __contains__(self, t_s: float) -> bool:
        return self.start_s <= t_s < self.end_s


def soak_stretches(hours: float) -> list[Stretch]:
    """Two rounds of a quiet stretch, one for each kind of fault, and a longer one for all at once.

    The first round is a warm-up of an eighth of the day, if its stretches are long enough for the faults;
    a shorter day has only one round. Whatever a fault makes the host allocate once, it has then.
    """
    whole_s = hours * 3600
    warm_s = whole_s * WARM_SHARE
    if warm_s / _n_parts() < _LEAST_S:
        return _round(0.0, whole_s)
    first = [replace(stretch, is_warm_up=True) for stretch in _round(0.0, warm_s)]
    return [*first, *_round(warm_s, whole_s)]


def _names() -> list[str]:
    return [QUIET, *(name for name in scenario_names() if name.startswith("fault-")), EVERYTHING]


def _n_parts() -> int:
    return len(_names()) - 1 + _EVERYTHING_PARTS


def _round(start_s: float, end_s: float) -> list[Stretch]:
    part_s = (end_s - start_s) / _n_parts()
    names = _names()
    starts = [start_s + n * part_s for n in range(len(names))]
    return [Stretch(*row) for row in zip(names, starts, [*starts[1:], end_s], strict=True)]


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
