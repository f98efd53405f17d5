"""Several days in one life: no day is like the other, and a run may begin with any of them."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from firmware_host.errors import ConfigError

if TYPE_CHECKING:
    from sim.schedule import Schedule
    from sim.traits import Traits

_STREAM = 32
# Half of what a person's sessions on three days differ by (docs/studies/drift.md, in the units of
# Traits): those were a calm one and two before exercise, days at home are more alike.
_HR_BPM, _LOG_RMSSD, _LOG_PULSE, _LOG_EDA, _TEMP_C = 6.0, 0.16, 0.24, 0.65, 0.8
_MOST_SD = 2.0


def traits_of_day(traits: Traits, *, seed: int, day: int) -> Traits:
    """The person on that day, counted from 1; the first is as the person is drawn."""
    if day == 1:
        return traits
    rng = np.random.default_rng([seed, _STREAM, day])
    hr, rmssd, pulse, eda, temp = np.clip(rng.standard_normal(5), -_MOST_SD, _MOST_SD).tolist()
    return replace(
        traits,
        rest_hr_bpm=traits.rest_hr_bpm + _HR_BPM * hr,
        rest_rmssd_ms=traits.rest_rmssd_ms * math.exp(_LOG_RMSSD * rmssd),
        bvp_sd_au=traits.bvp_sd_au * math.exp(_LOG_PULSE * pulse),
        eda_usiemens=traits.eda_usiemens * math.exp(_LOG_EDA * eda),
        skin_temp_degc=traits.skin_temp_degc + _TEMP_C * temp,
    )


def only_days(schedule: Schedule, first: int, last: int) -> Schedule:
    """The same life, but the board is off before day ``first`` and it ends with day ``last``.

    What happens on those days is the same to the last bit.
    """
    bouts = [
        bout
        if bout.day >= first
        else replace(
            bout, label="charging", activity="table", task="none", buttons="none", late_s=0
        )
        for bout in schedule.bouts
        if bout.day <= last
    ]
    while bouts and bouts[-1].label == "charging":
        bouts.pop()
    if not bouts:
        there = f"days from 1 to {schedule.bouts[-1].day}"
        raise ConfigError("days", there, f"{first}-{last}")
    return replace(schedule, bouts=tuple(bouts))


def parse_days(text: str) -> tuple[int, int]:
    """First and last day of ``3-5`` or ``3``.

    Raises
    ------
    ConfigError
        If it is neither.
    """
    first, dash, last = text.partition("-")
    days = (first, last if dash else first)
    if not all(day.isascii() and day.isdigit() and len(day) < 5 for day in days) or not (
        1 <= int(days[0]) <= int(days[1])
    ):
        raise ConfigError("days", "a day such as 3, or 3-5", text[:40])
    return int(days[0]), int(days[1])
