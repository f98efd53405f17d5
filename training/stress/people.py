"""Participants ready to learn from: windows normalised to each one's own rest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from firmware_host.errors import SignalError
from firmware_host.signals.normalise import CLIP, Baseline, BaselineEstimator, normalise_rows
from firmware_host.signals.resting import QUIET_UNTIL_S, quiet_windows
from firmware_host.signals.stress import CHANNELS, FEATURE_CHANNELS, FEATURE_NAMES, WINDOW_S
from training.datasets.base import EXERCISE, REST, STRESS
from training.splits import WindowKey, check_apart

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from training.datasets.stress_windows import SessionWindows

BaselineKind = Literal["guided", "unlabelled"]
# An exercise session's stand-in for a rest stage: what comes before the effort.
BEFORE_EXERCISE_S = 240.0


@dataclass(frozen=True)
class Person:
    """One session of one participant.

    Shapes: `raw` (n, 26) features, `quality` (n, 4), `motion`, `t_end_s` (n,), `y` (n,) 1 stress,
    0 rest, 2 exercise, -1 unscored.
    """

    person: str
    kind: str
    content_sha256: str
    raw: NDArray[np.float32]
    quality: NDArray[np.float64]
    motion: NDArray[np.float64]
    t_end_s: NDArray[np.float64]
    y: NDArray[np.int64]
    stage: NDArray[np.int64]
    baseline: Baseline
    window_s: float = WINDOW_S

    @property
    def dataset(self) -> str:
        """The dataset's name."""
        return self.person.split("/", 1)[0]

    def z(self, spread: NDArray[np.float64], *, clip: float = CLIP) -> NDArray[np.float32]:
        """(n, 26) model inputs of every window, by the code that ships."""
        return normalise_rows(self.raw, self.quality, self.baseline, spread, clip=clip)

    def has_both_classes(self) -> bool:
        """Whether there are windows of rest and of stress."""
        return bool((self.y == 0).any() and (self.y == 1).any())

    def window_keys(self) -> list[WindowKey]:
        """What the labelled windows are made of, for the leak check."""
        return [
            WindowKey(self.person, self.content_sha256, t - self.window_s, t)
            for t in self.t_end_s[self.y >= 0]
        ]


def check_people_apart(train: Sequence[Person], test: Sequence[Person]) -> None:
    """Raise if somebody tested is also trained on, be it under another name.

    Raises
    ------
    LeakError
        With the first person or recording found on both sides.
    """
    check_apart(
        (key for person in train for key in person.window_keys()),
        (key for person in test for key in person.window_keys()),
    )


def people_of(
    sessions: Sequence[SessionWindows], *, baseline: BaselineKind = "guided"
) -> list[Person]:
    """Sessions with their baselines; sessions without a usable baseline window are left out."""
    made = (_person(windows, baseline) for windows in sessions)
    return [person for person in made if person is not None]


def spread_of(people: Sequence[Person]) -> NDArray[np.float64]:
    """(26,) typical within-person standard deviation over rest and stress: mean over people.

    Floored at a thousandth of the largest so that a constant feature divides by something.
    """
    each = np.array([person.raw[np.isin(person.y, (0, 1))].std(axis=0) for person in people])
    return np.maximum(each.mean(axis=0).astype(np.float64), 1e-3)


def center_of(people: Sequence[Person]) -> NDArray[np.float64]:
    """(26,) typical rest: mean over people of their own rest, each counting once.

    Someone whose channel was unreadable at rest is left out of that feature alone.

    Raises
    ------
    SignalError
        If a feature was unreadable in everybody.
    """
    centers: dict[str, list[NDArray[np.float64]]] = {}
    for person in people:
        centers.setdefault(person.person, []).append(person.baseline.center)
    each = np.array([_mean_of_known(np.array(own)) for own in centers.values()])
    center = _mean_of_known(each)
    for channel, name, value in zip(FEATURE_CHANNELS, FEATURE_NAMES, center.tolist(), strict=True):
        if not np.isfinite(value):
            raise SignalError(channel, f"no {name} at rest in any of {len(each)} people")
    return center


def _mean_of_known(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n, F) -> (F,) mean without NaN; NaN where nothing is known."""
    known = np.isfinite(rows)
    total = np.where(known, rows, 0.0).sum(axis=0)
    n = known.sum(axis=0)
    return np.where(n > 0, total / np.maximum(n, 1), np.nan)


def _person(windows: SessionWindows, kind: BaselineKind) -> Person | None:
    label = windows.label
    y = np.select([label == REST, label == STRESS, label == EXERCISE], [0, 1, 2], -1)
    rest = _guided(windows, y) if kind == "guided" else _unlabelled(windows)
    if not len(rest):
        return None
    estimator = BaselineEstimator()
    for i in rest:
        estimator.add(windows.features[i], _quality_dict(windows.quality[i]))
    return Person(
        windows.session.person,
        windows.session.kind,
        windows.content_sha256,
        windows.features,
        windows.quality,
        windows.motion,
        windows.t_end_s,
        y,
        windows.stage,
        estimator.baseline(),
        windows.window_s,
    )


def _guided(windows: SessionWindows, y: NDArray[np.int64]) -> NDArray[np.int64]:
    """Windows of the first rest stage, as in a guided still minute at the start.

    An exercise session has no rest stage: its first minutes, before the effort, stand in.
    """
    stages = windows.stage[y == 0]
    if len(stages):
        return np.flatnonzero(windows.stage == stages[0])
    return _unlabelled(windows, until_s=BEFORE_EXERCISE_S)


def _unlabelled(windows: SessionWindows, until_s: float = QUIET_UNTIL_S) -> NDArray[np.int64]:
    """Calm, well-measured windows of the first minutes, found without any label."""
    pulse = windows.quality[:, CHANNELS.index("bvp")]
    heart_rate = windows.features[:, FEATURE_NAMES.index("hr_median_bpm")]
    return quiet_windows(windows.t_end_s, pulse, heart_rate, windows.motion, until_s=until_s)


def _quality_dict(row: NDArray[np.float64]) -> dict[str, float]:
    return dict(zip(CHANNELS, row.tolist(), strict=True))
