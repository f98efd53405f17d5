"""Generic stress models as the learner meets them: one that ships, or one refit without a person."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from firmware_host.inference.bundle import load_bundle, open_model
from firmware_host.inference.contract import Calibration
from firmware_host.signals.normalise import CLIP
from firmware_host.signals.smoothing import LogitEma
from training.stress.detector import StressThresholds
from training.stress.numpy_model import TableModel
from training.stress.recipe import fit_without

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from firmware_host.inference.base import SignatureModel
    from training.stress.people import Person

_LORA_RANK = 4


@dataclass(frozen=True)
class Generic:
    """A model behind the host's seam with what the host needs to use it.

    `spread` (26,) typical within-person standard deviation; `trained_on` people it has seen, by name
    and by content of their recordings.
    """

    model: SignatureModel
    spread: NDArray[np.float64]
    thresholds: StressThresholds
    clip: float = CLIP
    calibration: Calibration = field(default_factory=Calibration)
    trained_on: frozenset[str] = frozenset()

    def has_seen(self, person: Person) -> bool:
        """Whether this person was in its training; a renamed recording is still known."""
        return bool(self.trained_on & {person.person, person.content_sha256})

    def probability(
        self, z: NDArray[np.float32], t_end_s: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """(n,) P(stress) of one session's windows in order of time, smoothed as the host does."""
        ema = LogitEma(time_constant_s=self.thresholds.ema_s)
        smooth = []
        for row, t_s in zip(z, t_end_s.tolist(), strict=True):
            logits = self.model.run("infer", x=row[None, :])["logits"][0]
            smooth.append(ema.update(float(logits[1]) - float(logits[0]), t_s))
        return np.array([self.calibration.probability(v) for v in smooth], np.float64)


class LeaveOneOut:
    """The generic model refit on everybody but the person who is tested, once for each.

    Parameters
    ----------
    people
        Everybody there is, of all datasets.
    exercise
        Exercise sessions, of which those of the people in training set the limit of effort.
    """

    def __init__(
        self, people: Sequence[Person], *, seed: int, exercise: Sequence[Person] = ()
    ) -> None:
        self._people = list(people)
        self._exercise = list(exercise)
        self._seed = seed
        self._made: dict[str, Generic] = {}

    def __call__(self, name: str) -> Generic:
        """Model for the person of that name ("dataset/participant")."""
        if name not in self._made:
            self._made[name] = self._fit(name)
        return self._made[name]

    def _fit(self, name: str) -> Generic:
        names = frozenset(person.person for person in self._people) - {name}
        recipe = fit_without(name, self._people, self._exercise, seed=self._seed)
        return Generic(
            table_model(recipe.detector.net.arrays(), seed=self._seed),
            recipe.detector.spread,
            recipe.thresholds,
            calibration=recipe.calibration,
            trained_on=names,
        )


def generic_of_bundle(bundle: str | Path = "") -> Generic:
    """The model of a bundle, with its own thresholds; "" is the bundle that ships."""
    loaded = load_bundle(bundle)
    contract, limits = loaded.stress, loaded.stress.thresholds
    return Generic(
        open_model(loaded, contract),
        np.asarray(contract.normalisation.spread, np.float64),
        StressThresholds(
            stress=limits["stress"],
            unsure_band=limits["unsure_high"] - limits["stress"],
            quality_min=limits["min_quality"],
            moving_ms2=limits["max_motion_ms2"],
            ema_s=contract.smoothing_s,
            effort_ms2=limits["max_effort_ms2"],
            effort_s=contract.effort_s,
            pulse_min=limits["min_pulse_quality"],
        ),
        clip=contract.normalisation.clip,
        calibration=contract.calibration,
        trained_on=frozenset(loaded.recordings) | frozenset(loaded.recordings.values()),
    )


def table_model(arrays: dict[str, NDArray[np.float32]], *, seed: int) -> TableModel:
    """Put the fitted net behind the host's model seam; its (in, out) matrices are turned around."""
    rng = np.random.default_rng(seed)
    named = {
        "dense1_w": arrays["w1"].T, "dense1_b": arrays["b1"],
        "dense2_w": arrays["w2"].T, "dense2_b": arrays["b2"],
        "head_w": arrays["head_w"].T, "head_b": arrays["head_b"],
    }  # fmt: skip
    for layer in (1, 2):
        n_out, n_in = named[f"dense{layer}_w"].shape
        down = rng.normal(0.0, 1.0 / np.sqrt(n_in), (_LORA_RANK, n_in))
        named[f"lora{layer}_a"] = down.astype(np.float32)
        named[f"lora{layer}_b"] = np.zeros((n_out, _LORA_RANK), np.float32)
    return TableModel(named)
