"""What the cadence of one reference walk is: several fair answers that differ by 3 to 20 steps/min.

Lab walks are short and hold pauses and turns; the mean counts those as slow steps, the median
leaves them out. A median of single steps lies off the middle where left and right differ, a stride
does not. Contacts that a system could not time leave intervals of two steps between the others.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from training.datasets.mobgap_mat import WalkingBout

FloatArray = NDArray[np.float64]

# Fewer contacts are a step aside, and their median interval says little.
MIN_CONTACTS = 6
HEADLINE, CAMERAS = "median_contacts", "cameras"
MEANINGS = {
    HEADLINE: "60 / median time from one timed contact to the next",
    "median_steps": "60 / median step of the insoles, feet in turn and both contacts timed",
    "median_strides": "120 / median stride of the insoles",
    "stated": "the insoles' own cadence: mean of 120 / stride, pauses counted",
    "mean_contacts": "60 / mean time from one timed contact to the next",
    CAMERAS: "60 / median time from one contact to the next, by cameras that saw over half the walk",
}
"""Every definition, in words; the first is the one the headline figure is against."""


def reference_cadences(bout: WalkingBout, seen: Sequence[WalkingBout]) -> dict[str, float]:
    """Steps/min of a walk by each of `MEANINGS`, NaN where the systems do not tell.

    Parameters
    ----------
    bout
        By the insoles, two timed contacts or more.
    seen
        Walks of the same recording by the cameras.
    """
    between_s = np.diff(bout.contact_s)
    return {
        HEADLINE: 60.0 / float(np.median(between_s)),
        "median_steps": _per_minute(bout.step_s),
        "median_strides": 2.0 * _per_minute(bout.stride_s),
        "stated": bout.cadence_spm,
        "mean_contacts": 60.0 / float(between_s.mean()),
        CAMERAS: _by_cameras(bout, seen),
    }


def _per_minute(durations_s: FloatArray) -> float:
    return 60.0 / float(np.median(durations_s)) if durations_s.size else float("nan")


def _by_cameras(bout: WalkingBout, seen: Sequence[WalkingBout]) -> float:
    half_s = (bout.end_s - bout.start_s) / 2.0
    for other in seen:
        shared_s = min(bout.end_s, other.end_s) - max(bout.start_s, other.start_s)
        if shared_s > half_s and len(other.contact_s) >= MIN_CONTACTS:
            return _per_minute(np.diff(other.contact_s))
    return float("nan")
