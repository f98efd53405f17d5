"""What the host would have said of windows, in the order in which it asks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from firmware_host.events import State
from firmware_host.signals.effort import MIN_EXERCISE_RISE_BPM, effort_of, heart_rise_bpm
from firmware_host.signals.stress import CHANNELS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from training.datasets.stress_windows import SessionWindows
    from training.stress.detector import Scored, StressThresholds

_PULSE, _SKIN = CHANNELS.index("bvp"), CHANNELS.index("eda")


def states_of(
    windows: SessionWindows,
    p: NDArray[np.float64],
    limits: StressThresholds,
    *,
    center: NDArray[np.float64],
) -> NDArray[np.str_]:
    """(n,) names of the states of a session's windows, given their P(stress) (n,).

    `center` (26,) is the wearer's baseline.
    """
    effort_ms2 = effort_of(windows.motion, windows.t_end_s, effort_s=limits.effort_s)
    rise_bpm = heart_rise_bpm(windows.features, center)
    said = _states(windows.quality, windows.motion, effort_ms2, rise_bpm, p, limits)
    return np.where(windows.worn, said, State.NOT_WORN.value)


def states_of_scored(scored: Scored, limits: StressThresholds) -> NDArray[np.str_]:
    """(n,) the same of a session in training; wear is taken for granted."""
    person = scored.person
    effort_ms2 = effort_of(person.motion, person.t_end_s, effort_s=limits.effort_s)
    rise_bpm = heart_rise_bpm(person.raw, person.baseline.center)
    return _states(person.quality, person.motion, effort_ms2, rise_bpm, scored.probability, limits)


def readable(quality: NDArray[np.float64], limits: StressThresholds) -> NDArray[np.bool_]:
    """(n,) where skin and pulse are good enough for an answer, given (n, 4) qualities."""
    good: NDArray[np.bool_] = (quality[:, _SKIN] >= limits.quality_min) & (
        quality[:, _PULSE] >= limits.pulse_min
    )
    return good


def _states(
    quality: NDArray[np.float64],
    motion_ms2: NDArray[np.float64],
    effort_ms2: NDArray[np.float64],
    rise_bpm: NDArray[np.float64],
    p: NDArray[np.float64],
    limits: StressThresholds,
) -> NDArray[np.str_]:
    is_effort = effort_ms2 > limits.effort_ms2
    asked = [
        (~readable(quality, limits), State.POOR_SIGNAL),
        (is_effort & (rise_bpm >= MIN_EXERCISE_RISE_BPM), State.EXERCISE),
        (is_effort | (motion_ms2 > limits.moving_ms2), State.MOVING),
        (np.abs(p - limits.stress) < limits.unsure_band, State.UNSURE),
        (p > limits.stress, State.STRESS),
    ]
    conditions, states = zip(*asked, strict=True)
    return np.select(conditions, [state.value for state in states], State.REST.value)
