"""Several days in one life: no day is like the other, months change people, and a run may begin anywhere."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from firmware_host.errors import ConfigError
from sim.gait_style import N_DIRECTIONS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sim.schedule import Schedule
    from sim.traits import Traits

    Floats = NDArray[np.float64]

_STREAM, _MONTHS_STREAM, _GAIT_STREAM = 32, 33, 34
# Half of what a person's sessions on three days differ by (docs/studies/drift.md, in the units of
# Traits): those were a calm one and two before exercise, days at home are more alike.
_HR_BPM, _LOG_RMSSD, _LOG_PULSE, _LOG_EDA, _TEMP_C = 6.0, 0.16, 0.24, 0.65, 0.8
_MOST_SD = 2.0


# What months do on top of that, once they have done what they will: standard deviations in the
# units of Traits, and of gait in standard deviations between people. An assumption, not measured, as
# no data set here follows anybody for months: a third to a half of what people differ by. Quer et al.
# 2020 (PLoS ONE 15, e0227709) tell of weeks: in 92,457 wearers the resting heart rate was mostly stable,
# and in one of five it fluctuated by 10 /min or more within some week.
_MONTHS = (4.0, 0.15, 0.2, 0.4, 0.6)
_MONTHS_GAIT = 0.5
# Gait differs a little from day to day: shoes, bags, the ground. An assumption, not measured.
_DAY_GAIT = 0.12
# How soon months have done it: an assumption, not measured.
_MONTHS_TAU_DAYS, _NODE_DAYS = 90.0, 10


def traits_of_day(traits: Traits, *, seed: int, day: int) -> Traits:
    """The person on that day, counted from 1; the first is as the person is drawn."""
    if day == 1:
        return traits
    rng = np.random.default_rng([seed, _STREAM, day])
    today = np.clip(rng.standard_normal(5), -_MOST_SD, _MOST_SD)
    per_day = np.array([_HR_BPM, _LOG_RMSSD, _LOG_PULSE, _LOG_EDA, _TEMP_C])
    change = per_day * today + np.array(_MONTHS) * _ageing(seed, day, stream=_MONTHS_STREAM, n=5)
    hr, rmssd, pulse, eda, temp = change.tolist()
    return replace(
        traits,
        rest_hr_bpm=traits.rest_hr_bpm + hr,
        rest_rmssd_ms=traits.rest_rmssd_ms * math.exp(rmssd),
        bvp_sd_au=traits.bvp_sd_au * math.exp(pulse),
        eda_usiemens=traits.eda_usiemens * math.exp(eda),
        skin_temp_degc=traits.skin_temp_degc + temp,
    )


def gait_of_day(*, seed: int, day: int) -> Floats | None:
    """(D + 1,) what that day has changed of a person's gait, as `draw_style` takes it."""
    if day == 1:
        return None
    rng = np.random.default_rng([seed, _GAIT_STREAM, day])
    today = np.clip(rng.standard_normal(N_DIRECTIONS + 1), -_MOST_SD, _MOST_SD)
    months = _ageing(seed, day, stream=_GAIT_STREAM, n=N_DIRECTIONS + 1)
    return np.asarray(_DAY_GAIT * today + _MONTHS_GAIT * months)


def _ageing(seed: int, day: int, *, stream: int, n: int) -> Floats:
    """(n,) slow change since day 1, on which there is none; unit variance after many months."""
    keep = math.exp(-_NODE_DAYS / _MONTHS_TAU_DAYS)
    kick = math.sqrt(1.0 - keep * keep)
    # Not the streams of single days, which are keyed by three numbers.
    rng = np.random.default_rng([seed, stream])
    whole, part = divmod(day - 1, _NODE_DAYS)
    before = value = np.zeros(n)
    for _ in range(whole + 1):
        before, value = value, keep * value + kick * rng.standard_normal(n)
    return np.asarray(before + part / _NODE_DAYS * (value - before))


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
