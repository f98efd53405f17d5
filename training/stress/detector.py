"""A trained detector applied to people: probabilities, decisions, and how thresholds are chosen."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from firmware_host.signals.normalise import CLIP
from firmware_host.signals.quality import NOISE_QUALITY
from firmware_host.signals.smoothing import TIME_CONSTANT_S, LogitEma
from firmware_host.signals.stress import CHANNELS
from training.metrics import PersonScore, score_person
from training.stress.network import StressNet, fit_net, sigmoid, training_set
from training.stress.people import spread_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from training.stress.people import Person

# What exercise may still be called stress, mean over people, before movement must be told apart.
MAX_EXERCISE_CALLED_STRESS = 0.08
# Shares of laboratory windows that should still get an answer; but noise gets none.
KEEP_BY_QUALITY = 0.85
KEEP_BY_BAND = 0.90
# Without any exercise recording: the movement that this share of laboratory windows stays under.
LAB_MOVEMENT_SHARE = 0.95
_PULSE = CHANNELS.index("bvp")


@dataclass(frozen=True, slots=True)
class StressThresholds:
    """When the detector answers, and what it says.

    `stress` and `unsure_band`: stress above, rest below, unsure within the band of P(stress).
    `quality_min`: poor signal if the BVP quality is below. `moving_ms2`: moving
    if `StressWindow.motion` is above. `ema_s`: time constant of the smoothed log-odds.
    """

    stress: float = 0.5
    unsure_band: float = 0.05
    quality_min: float = 0.4
    moving_ms2: float = 0.25
    ema_s: float = TIME_CONSTANT_S


@dataclass(frozen=True)
class Detector:
    """A network with the normalisation it was fitted on."""

    net: StressNet
    spread: NDArray[np.float64]
    clip: float = CLIP

    def probability(self, person: Person, *, ema_s: float = TIME_CONSTANT_S) -> NDArray:
        """(n,) P(stress) of every window of the session, smoothed in order of time."""
        ema = LogitEma(time_constant_s=ema_s)
        logit = self.net.logit(person.z(self.spread, clip=self.clip).astype(np.float64))
        smooth = [ema.update(v, t) for v, t in zip(logit, person.t_end_s, strict=True)]
        return sigmoid(np.array(smooth))


@dataclass(frozen=True)
class Scored:
    """One session with probabilities from a detector that never saw its person."""

    person: Person
    probability: NDArray[np.float64]

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


def fit_detector(people: Sequence[Person], *, seed: int, shuffle: bool = False) -> Detector:
    """Fit on the rest and stress windows of these people.

    Parameters
    ----------
    shuffle
        Permute each person's labels first: the control that must fall to chance.
    """
    rng = np.random.default_rng(seed)
    spread = spread_of(people)
    parts = []
    for person in people:
        mask = (person.y == 0) | (person.y == 1)
        y = person.y[mask]
        parts.append((person.z(spread)[mask], rng.permutation(y) if shuffle else y))
    return Detector(fit_net(training_set(parts), rng), spread)


def calibrate(lab: Sequence[Scored], exercise: Sequence[Scored]) -> StressThresholds:
    """Thresholds from people of the training set, each scored by a detector without them."""
    pool = [s for s in lab if s.mask.any()]
    quality = np.concatenate([s.person.quality[s.mask, _PULSE] for s in pool])
    distance = np.concatenate([np.abs(s.probability - 0.5)[s.mask] for s in pool])
    return StressThresholds(
        unsure_band=_floor2(np.quantile(distance, 1 - KEEP_BY_BAND)),
        quality_min=max(NOISE_QUALITY, _floor2(np.quantile(quality, 1 - KEEP_BY_QUALITY))),
        moving_ms2=_movement_threshold(pool, exercise),
    )


def exercise_called_stress(exercise: Sequence[Scored], moving_ms2: float) -> NDArray[np.float64]:
    """Share of each exercise session's windows that would be called stress, by session."""
    shares = []
    for scored in exercise:
        called = (scored.probability > 0.5) & (scored.person.motion <= moving_ms2)
        shares.append(called[scored.person.y == 2].mean())
    return np.array(shares)


def _movement_threshold(lab: Sequence[Scored], exercise: Sequence[Scored]) -> float:
    """The highest threshold that keeps exercise from being called stress."""
    motion = np.concatenate([s.person.motion[s.mask] for s in lab])
    typical = round(float(np.quantile(motion, LAB_MOVEMENT_SHARE)), 2)
    if not exercise:
        return typical
    for threshold in np.arange(0.60, 0.10, -0.01):
        if exercise_called_stress(exercise, threshold).mean() <= MAX_EXERCISE_CALLED_STRESS:
            return round(float(threshold), 2)
    return typical


def _floor2(value: float) -> float:
    return float(np.floor(100 * value) / 100)


@dataclass(frozen=True)
class DecisionReport:
    """What the wearer would see: abstentions and movement included; means over people."""

    coverage: float
    balanced_accuracy: float
    stress_recall: float
    exercise_called_stress: float
    exercise_called_stress_worst: float
    exercise_without_gate: float
    per_person: dict[str, float] = field(default_factory=dict)


def decide(
    lab: Sequence[Scored], exercise: Sequence[Scored], thresholds: StressThresholds
) -> DecisionReport:
    """Apply all thresholds. A moving window is not called stress; it counts as "not stress".

    Balanced accuracy is over the answered windows of people with both classes among them.
    """
    coverage, recalls, accuracy = [], [], {}
    for scored in lab:
        p, y = scored.probability, scored.person.y
        moving = scored.person.motion > thresholds.moving_ms2
        usable = scored.person.quality[:, _PULSE] >= thresholds.quality_min
        sure = np.abs(p - thresholds.stress) >= thresholds.unsure_band
        answered = moving | (usable & sure)
        called = (p > thresholds.stress) & ~moving
        keep = scored.mask & answered
        coverage.append(keep.sum() / scored.mask.sum())
        if (y[keep] == 1).any() and (y[keep] == 0).any():
            recall, false = called[keep & (y == 1)].mean(), called[keep & (y == 0)].mean()
            accuracy[scored.person.person] = float(0.5 * (recall + 1 - false))
            recalls.append(recall)
    gated = exercise_called_stress(exercise, thresholds.moving_ms2)
    plain = exercise_called_stress(exercise, np.inf)
    nothing = float("nan")
    return DecisionReport(
        float(np.mean(coverage)),
        float(np.mean(list(accuracy.values()))) if accuracy else nothing,
        float(np.mean(recalls)) if recalls else nothing,
        float(gated.mean()) if len(gated) else nothing,
        float(gated.max()) if len(gated) else nothing,
        float(plain.mean()) if len(plain) else nothing,
        accuracy,
    )
