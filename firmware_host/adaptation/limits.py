"""The limits of the learning policy, each with the side at which learning begins again."""

from __future__ import annotations

import math
from dataclasses import dataclass

from firmware_host.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Limits:
    """The ``[policy]`` section: where learning stops, and where it begins again.

    Temperatures: a Raspberry Pi slows down from 80 degC on (Raspberry Pi documentation, "Frequency
    management and thermal control"); its own fan control has the same 5 degrees of hysteresis.
    Battery: Android warns at 15 % and is content again 5 % higher (``config_lowBatteryWarningLevel``,
    ``config_lowBatteryCloseWarningBump``). Load: atd runs batch jobs below 0.8. Disk: one day of the
    reference board, as ``signet doctor`` wants it.
    """

    on_battery: bool = False
    min_battery_percent: float = 15.0
    resume_battery_percent: float = 20.0
    max_soc_c: float = 75.0
    resume_soc_c: float = 70.0
    max_load_per_cpu: float = 0.8
    resume_load_per_cpu: float = 0.6
    max_lost_percent: float = 5.0
    resume_lost_percent: float = 1.0
    min_free_mb: float = 100.0
    min_hours_between: float = 0.5

    def __post_init__(self) -> None:
        _check_order(self, "min_battery_percent", "resume_battery_percent", most=100.0)
        _check_order(self, "resume_soc_c", "max_soc_c", most=120.0)
        _check_order(self, "resume_load_per_cpu", "max_load_per_cpu", most=math.inf)
        _check_order(self, "resume_lost_percent", "max_lost_percent", most=100.0)
        for key in ("min_free_mb", "min_hours_between"):
            value = getattr(self, key)
            if not 0 <= value < math.inf:
                raise ConfigError(f"policy.{key}", "0 or more", value)


def _check_order(limits: Limits, low_key: str, high_key: str, *, most: float) -> None:
    low, high = getattr(limits, low_key), getattr(limits, high_key)
    if not 0 <= low <= high <= most or math.isinf(high):
        at_most = "" if math.isinf(most) else f", at most {most:g}"
        expected = f"0 or more, not above {high_key} ({high:g}){at_most}"
        raise ConfigError(f"policy.{low_key}", expected, low)
