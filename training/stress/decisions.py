"""What the host would have said of windows, in the order in which it asks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from firmware_host.events import State
from firmware_host.signals.effort import MIN_EXERCISE_RISE_BPM, effort_of, heart_rise_bpm
from training.stress.detector import readable

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from training.datasets.stress_windows import SessionWindows
    from training.stress.detector import StressThresholds


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
    effort = effort_of(windows.motion, windows.t_end_s, effort_s=limits.effort_s)
    is_effort = effort > limits.effort_ms2
    rise_bpm = heart_rise_bpm(windows.features, center)
    asked = [
        (~windows.worn, State.NOT_WORN),
        (~readable(windows.quality, limits), State.POOR_SIGNAL),
        (is_effort & (rise_bpm >= MIN_EXERCISE_RISE_BPM), State.EXERCISE),
        (is_effort | (windows.motion > limits.moving_ms2), State.MOVING),
        (np.abs(p - limits.stress) < limits.unsure_band, State.UNSURE),
        (p > limits.stress, State.STRESS),
    ]
    conditions, states = zip(*asked, strict=True)
    return np.select(conditions, [state.value for state in states], State.REST.value)
