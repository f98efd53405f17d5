"""Distributions of a measure over people and over windows, and how two of them agree."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.body.windows import Seen

FloatArray = NDArray[np.float64]

_QUANTILES = (5.0, 50.0, 95.0)
# Fewer minutes are no person's usual value.
_MIN_WINDOWS = 3
RESPONSE = "response"
# Measures whose change under stress is compared, and whether as a ratio.
RESPONSES = {
    "hr_bpm": False,
    "rmssd_ms": True,
    "sdnn_ms": True,
    "rsa_ms": True,
    "pulse_height_au": True,
    "eda_level_usiemens": True,
    "scr_per_min": False,
    "scr_clear_per_min": False,
    "temp_degc": False,
}
# With fewer people the ends of a band are single persons.
MIN_PEOPLE = 8


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """One measure in one condition: (n_people,) medians of people, and every window of them."""

    people: FloatArray
    windows: FloatArray

    @property
    def is_enough(self) -> bool:
        """Whether there are people enough for a band."""
        return len(self.people) >= MIN_PEOPLE

    def figures(self) -> dict[str, Any]:
        """5th, 50th and 95th percentile over people and over windows."""
        return {
            "n_people": len(self.people),
            "people": np.percentile(self.people, _QUANTILES).tolist() if self.is_enough else None,
            "windows": np.percentile(self.windows, _QUANTILES).tolist() if self.is_enough else None,
        }


Groups = dict[tuple[str, str], Group]
"""(measure, condition) -> group."""


def grouped(seen: Iterable[Seen]) -> Groups:
    """Everybody's windows by measure and condition, and the stress response of each person."""
    listed = list(seen)
    return _by_condition(listed) | _responses(listed)


def _responses(seen: Sequence[Seen]) -> Groups:
    """Median under stress less the median at rest, of natural logarithms where a ratio says more."""
    usual: dict[tuple[str, str, str], float] = {}
    for one in seen:
        for measure, values in one.windows.items():
            known = values[np.isfinite(values)]
            if measure in RESPONSES and len(known) >= _MIN_WINDOWS:
                middle = float(np.median(known))
                is_log = RESPONSES[measure]
                usual[measure, one.person, one.condition] = np.log(middle) if is_log else middle
    groups = {}
    for measure in RESPONSES:
        people = np.array([
            value - usual[measure, person, "rest"]
            for (name, person, condition), value in usual.items()
            if name == measure and condition == "stress" and (measure, person, "rest") in usual
        ])  # fmt: skip
        if len(people):
            groups[measure, RESPONSE] = Group(people, people)
    return groups


def _by_condition(seen: Sequence[Seen]) -> Groups:
    medians: dict[tuple[str, str], list[float]] = defaultdict(list)
    windows: dict[tuple[str, str], list[FloatArray]] = defaultdict(list)
    for one in seen:
        for measure, values in one.windows.items():
            known = values[np.isfinite(values)]
            if len(known) >= _MIN_WINDOWS:
                medians[measure, one.condition].append(float(np.median(known)))
                windows[measure, one.condition].append(known)
    return {key: Group(np.array(medians[key]), np.concatenate(windows[key])) for key in medians}


@dataclass(frozen=True, slots=True)
class Row:
    """One measure in one condition, real beside simulated."""

    measure: str
    condition: str
    real: Group
    simulated: Group

    def figures(self) -> dict[str, Any]:
        """Both bands, the share of simulated people in the real one, and the ratio of widths."""
        low, _, high = np.percentile(self.real.people, _QUANTILES)
        ours = np.percentile(self.simulated.people, _QUANTILES)
        inside = (self.simulated.people >= low) & (self.simulated.people <= high)
        in_windows = np.percentile(self.real.windows, _QUANTILES)
        of_windows = self.simulated.windows
        return {
            "measure": self.measure,
            "condition": self.condition,
            "real": self.real.figures(),
            "simulated": self.simulated.figures(),
            "median_inside": bool(low <= ours[1] <= high),
            "share_of_people_inside": float(inside.mean()),
            "share_of_windows_inside": float(
                np.mean((of_windows >= in_windows[0]) & (of_windows <= in_windows[2]))
            ),
            "width_ratio": float((ours[2] - ours[0]) / max(high - low, 1e-12)),
        }


def compared(real: Groups, simulated: Groups, order: Sequence[tuple[str, str]]) -> list[Row]:
    """Rows of everything that both sides show, in the order given."""
    return [
        Row(*key, real[key], simulated[key])
        for key in order
        if key in real and key in simulated and real[key].is_enough and simulated[key].is_enough
    ]
