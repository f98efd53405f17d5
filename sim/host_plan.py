"""What happens to the simulated host: its case, its battery, when it is plugged in, the air around it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from sim.table import Table

# A bare Raspberry Pi 4 idles at 54.7 degC in air of 27.3 (pi-plates.com) on 2.7 W; in its official closed
# case it idles at 66 (djstein.com), which makes 16.
_BARE_BOARD_K_PER_W = 10.0
_ROOM_C = 22.0
_CPUS = 4
_KEYS = ("ambient_c", "case_k_per_w", "cpus", "battery_percent", "change")
_CHANGE_KEYS = ("minutes", "mains", "ambient_c")
_AIR_C = {"low": -20.0, "high": 60.0}


@dataclass(frozen=True, slots=True)
class Change:
    """From ``start_s`` on: plugged in or not, and how warm the air is; None leaves it as it was."""

    start_s: float
    mains: bool | None = None
    ambient_c: float | None = None


@dataclass(frozen=True, slots=True)
class HostPlan:
    """A host and what happens to it, again and again each ``period_s``.

    Parameters
    ----------
    battery_percent
        Charge at the start; None for a host without a battery, which is always plugged in.
    case_k_per_w
        How much warmer than the air each watt makes it.
    """

    ambient_c: float = _ROOM_C
    case_k_per_w: float = _BARE_BOARD_K_PER_W
    cpus: int = _CPUS
    battery_percent: float | None = None
    changes: tuple[Change, ...] = ()
    period_s: float = math.inf

    def at(self, t_s: float) -> tuple[bool, float]:
        """Whether it is plugged in at ``t_s``, and the temperature of the air."""
        mains, ambient_c = True, self.ambient_c
        for change in self.changes:
            if change.start_s > math.fmod(t_s, self.period_s):
                break
            mains = mains if change.mains is None else change.mains
            ambient_c = ambient_c if change.ambient_c is None else change.ambient_c
        return mains, ambient_c


def build_host_plan(table: object, *, period_s: float) -> HostPlan:
    """Plan from the ``[host]`` table of a scenario.

    Raises
    ------
    ConfigError
        For an unknown key, a value out of range, or changes that are not in the order of time.
    """
    host = Table(table, _KEYS, where="host")
    changes = tuple(_change(row, period_s) for row in host.rows("change"))
    starts = [change.start_s for change in changes]
    if starts != sorted(starts):
        host.refuse("change", "times that only grow", starts)
    percent = host.number("battery_percent", low=0, high=100) if "battery_percent" in host else None
    if percent is None and any(change.mains is False for change in changes):
        host.refuse("mains", "battery_percent to live on", "no battery")
    return HostPlan(
        ambient_c=host.number("ambient_c", _ROOM_C, **_AIR_C),
        case_k_per_w=host.number("case_k_per_w", _BARE_BOARD_K_PER_W, low=1, high=50),
        cpus=host.whole("cpus", _CPUS, low=1, high=64),
        battery_percent=percent,
        changes=changes,
        period_s=period_s,
    )


def _change(row: object, period_s: float) -> Change:
    change = Table(row, _CHANGE_KEYS, where="host.change")
    start_s = 60.0 * change.number("minutes", low=0, high=period_s / 60)
    warm_c = change.number("ambient_c", **_AIR_C) if "ambient_c" in change else None
    return Change(start_s, change.flag("mains", None), warm_c)
