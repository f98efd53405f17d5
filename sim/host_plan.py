"""What happens to the simulated host: its case, its battery, when it is plugged in, the air around it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from firmware_host.errors import ConfigError

# A bare Raspberry Pi 4 idles at 54.7 degC in air of 27.3 (pi-plates.com) on 2.7 W; in its official closed
# case it idles at 66 (djstein.com), which makes 16.
_BARE_BOARD_K_PER_W = 10.0
_ROOM_C = 22.0
_CPUS = 4
_KEYS = ("ambient_c", "case_k_per_w", "cpus", "battery_percent", "change")
_CHANGE_KEYS = ("minutes", "mains", "ambient_c")


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

    def __post_init__(self) -> None:
        _check(-20 <= self.ambient_c <= 60, "ambient_c", "-20 to 60", self.ambient_c)
        _check(1 <= self.case_k_per_w <= 50, "case_k_per_w", "1 to 50", self.case_k_per_w)
        _check(1 <= self.cpus <= 64, "cpus", "1 to 64", self.cpus)
        percent = self.battery_percent
        _check(percent is None or 0 <= percent <= 100, "battery_percent", "0 to 100", percent)
        unplugged = any(change.mains is False for change in self.changes)
        _check(
            percent is not None or not unplugged,
            "mains",
            "battery_percent to live on",
            "no battery",
        )

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
    if not isinstance(table, Mapping):
        raise ConfigError("host", "a table", table)
    _known(table, _KEYS, "host")
    rows = table.get("change", [])
    _check(isinstance(rows, list), "change", "a list of tables", rows)
    changes = tuple(_change(row, period_s) for row in rows)
    starts = [change.start_s for change in changes]
    _check(starts == sorted(starts), "change", "times that only grow", starts)
    percent = table.get("battery_percent")
    return HostPlan(
        ambient_c=_number(table, "ambient_c", _ROOM_C),
        case_k_per_w=_number(table, "case_k_per_w", _BARE_BOARD_K_PER_W),
        cpus=int(_number(table, "cpus", _CPUS)),
        battery_percent=None if percent is None else _number(table, "battery_percent", 0.0),
        changes=changes,
        period_s=period_s,
    )


def _change(row: object, period_s: float) -> Change:
    if not isinstance(row, dict):
        raise ConfigError("host.change", "a table", row)
    _known(row, _CHANGE_KEYS, "host.change")
    start_s = 60.0 * _number(row, "minutes", math.nan)
    _check(0 <= start_s < period_s, "change.minutes", "within the scenario", start_s / 60)
    mains = row.get("mains")
    _check(mains in (None, True, False), "change.mains", "true or false", mains)
    ambient_c = row.get("ambient_c")
    warm = None if ambient_c is None else _number(row, "ambient_c", 0.0)
    _check(warm is None or -20 <= warm <= 60, "change.ambient_c", "-20 to 60", warm)
    return Change(start_s, mains, warm)


def _number(table: Mapping[str, Any], key: str, default: float) -> float:
    value = table.get(key, default)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    _check(is_number, key, "a number", value)
    return float(value)


def _known(table: Mapping[str, Any], known: tuple[str, ...], where: str) -> None:
    unknown = sorted(set(table) - set(known))
    _check(not unknown, where, f"only the keys {', '.join(known)}", ", ".join(unknown))


def _check(ok: bool, key: str, expected: str, received: object) -> None:
    if not ok:
        name = key if key.startswith("host") else f"host.{key}"
        raise ConfigError(name, expected, received)
