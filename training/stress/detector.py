"""A trained detector applied to people: probabilities, decisions, and how thresholds are chosen."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from firmware_host.signals.effort import effort_of
from firmware_host.signals.normalise import CLIP
from firmware_host.signals.smoothing import TIME_CONSTANT_S, LogitEma
from training.metrics import PersonScore, score_person
from training.stress.network import StressNet, fit_net, sigmoid, training_set
from training.stress.people import check_people_apart, spread_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from training.stress.people import Person

# What exercise may still be called stress, mean over people; half of what is asked for, because
# new people move otherwise than those it was set on.
MAX_EXERCISE_CALLED_STRESS = 0.05
# Effort must not be mistaken in more laboratory windows than this, whatever exercise does then.
MAX_LAB_CALLED_EXERCISE = 0.05
# Minutes over which effort is averaged: it bridges the pauses of interval training.
EFFORT_S = 300.0
# Share of laboratory windows that are not too close to call.
KEEP_BY_BAND = 0.95
# Contact during half of the window.
MIN_SKIN_QUALITY = 0.5
# With skin contact an unreadable pulse costs nothing that a weak one does not: balanced accuracy
# is 0.71 at a quality of 0.2 to 0.45, 0.70 at 0.45 to 0.6. Below, hardly a window was recorded.
MIN_PULSE_QUALITY = 0.2
# The movement that this share of laboratory windows stays under: no rest above it.
LAB_MOVEMENT_SHARE = 0.98
_NO_LIMIT = 1e3


@dataclass(frozen=True, slots=True)
class StressThresholds:
    """When the detector answers, and what it says.

    `stress` and `unsure_band`: stress above, rest below, unsure within the band of P(stress).
    `quality_min`, `pulse_min`: poor signal if skin or pulse quality is below. `effort_ms2`:
    exercise if sustained effort over `effort_s` is above. `moving_ms2`: moving if
    `StressWindow.motion` is above. `ema_s`: time constant of the smoothed log-odds.
    """

    stress: float = 0.5
    unsure_band: float = 0.05
    quality_min: float = MIN_SKIN_QUALITY
    moving_ms2: float = 0.25
    ema_s: float = TIME_CONSTANT_S
    effort_ms2: float = _NO_LIMIT
    effort_s: float = EFFORT_S
    pulse_min: float = MIN_PULSE_QUALITY


@dataclass(frozen=True)
class Detector:
    """A network with the normalisation it was fitted on."""

    net: StressNet
    spread: NDArray[np.float64]
    clip: float = CLIP

    def log_odds(self, person: Person, *, ema_s: float = TIME_CONSTANT_S) -> NDArray[np.float64]:
        """(n,) log-odds of stress of every window of the session, smoothed in order of time."""
        ema = LogitEma(time_constant_s=ema_s)
        logit = self.net.logit(person.z(self.spread, clip=self.clip).astype(np.float64))
        return np.array([ema.update(v, t) for v, t in zip(logit, person.t_end_s, strict=True)])

    def probability(self, person: Person, *, ema_s: float = TIME_CONSTANT_S) -> NDArray:
        """(n,) P(stress) of every window if rest and stress were equally frequent."""
        return sigmoid(self.log_odds(person, ema_s=ema_s))


@dataclass(frozen=True)
class Scored:
    """One session with probabilities from a detector that never saw its person.

    `log_odds` (n,) is what they were made of; empty where nobody needs it.
    """

    person: Person
    probability: NDArray[np.float64]
    log_odds: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))

    @property
    def mask(self) -> NDArray[np.bool_]:
        """(n,) windows of rest or stress."""
        return (self.person.y == 0) | (self.person.y == 1)

    def score(self, threshold: float = 0.5) -> PersonScore:
        """Figures over every rest and stress window, none left out."""
        mask = self.mask
        return score_person(
            self.person.person, self.person.y[mask], self.probability[mask], threshold
        )


def fit_detector(people: Sequence[Person], *, seed: int) -> Detector:
    """Fit on the rest and stress windows of these people."""
    rng = np.random.default_rng(seed)
    spread = spread_of(people)
    parts = []
    for person in people:
        mask = (person.y == 0) | (person.y == 1)
        parts.append((person.z(spread)[mask], person.y[mask]))
    return Detector(fit_net(training_set(parts), rng), spread)


def cross_dataset(
    train: Sequence[Person], test: Sequence[Person], *, seed: int
) -> list[PersonScore]:
    """Score every person of one dataset by a detector trained on another.

    Raises
    ------
    LeakError
        If a person or a recording is in both.
    """
    check_people_apart(train, test)
    detector = fit_detector(train, seed=seed)
    return [Scored(person, detector.probability(person)).score() for person in test]


def choose_thresholds(
    lab: Sequence[Scored], exercise: Sequence[Scored], stress: float
) -> StressThresholds:
    """Thresholds from people of the training set, each scored by a detector without them.

    Parameters
    ----------
    stress
        Calibrated P(stress) where the detector is undecided: a miss and a false alarm weigh the
        same there.
    """
    pool = [s for s in lab if s.mask.any()]
    distance = np.concatenate([np.abs(s.probability - stress)[s.mask] for s in pool])
    motion = np.concatenate([s.person.motion[s.mask] for s in pool])
    return StressThresholds(
        stress=round(stress, 3),
        unsure_band=round(float(np.quantile(distance, 1 - KEEP_BY_BAND)), 3),
        moving_ms2=round(float(np.quantile(motion, LAB_MOVEMENT_SHARE)), 2),
        effort_ms2=_effort_threshold(pool, exercise, stress) if exercise else _NO_LIMIT,
    )


def _effort_threshold(lab: Sequence[Scored], exercise: Sequence[Scored], stress: float) -> float:
    """The highest effort that still keeps exercise from being called stress."""
    at_lab = np.concatenate([_effort(s.person)[s.mask] for s in lab])
    called = [(_effort(s.person), s.probability > stress, s.person.y == 2) for s in exercise]
    lowest = float(np.quantile(at_lab, 1 - MAX_LAB_CALLED_EXERCISE))
    for threshold in np.arange(0.80, lowest, -0.005):
        shares = [((effort <= threshold) & stressed)[y].mean() for effort, stressed, y in called]
        if np.mean(shares) <= MAX_EXERCISE_CALLED_STRESS:
            return round(float(threshold), 3)
    return round(lowest, 3)


def _effort(person: Person, effort_s: float = EFFORT_S) -> NDArray[np.float64]:
    return effort_of(person.motion, person.t_end_s, effort_s=effort_s)
