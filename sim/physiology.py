"""A simulated person from the inside: what the day does to heart, skin and the pulse sensor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sim.heart import Heart, HeartPiece
from sim.optics import Optics, OpticsPiece, per_second
from sim.skin import Skin, SkinPiece
from sim.slow import SlowState

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sim.schedule import Piece
    from sim.traits import Traits

    Floats = NDArray[np.float64]

AMBIENT_DEGC = 24.0
_STREAM = 2
# Exercise raises the heart rate within half a minute and lets it fall more slowly.
_LOAD = {"walk": 0.3, "stairs": 0.65, "run": 1.0, "cycle": 0.42}


@dataclass(frozen=True, slots=True)
class Stressor:
    """How strongly one kind of task drives heart and skin, as a share of the person's response."""

    heart: float
    skin: float


_STRESSORS = {
    "none": Stressor(0.0, 0.0),
    "arithmetic": Stressor(1.0, 0.95),
    "speech": Stressor(1.15, 1.1),
    "stroop": Stressor(0.85, 0.9),
    "call": Stressor(1.0, 1.0),
    "deadline": Stressor(0.9, 0.85),
}


@dataclass(frozen=True, slots=True)
class Vitals:
    """One piece of a person: heart, skin, and what the pulse sensor made of it."""

    heart: HeartPiece
    optics: OpticsPiece
    skin: SkinPiece


class Physiology:
    """One person's heart and skin through the day, piece by piece in order."""

    def __init__(self, traits: Traits, *, seed: int) -> None:
        self._seed = seed
        self._slow = SlowState()
        self._heart = Heart(traits)
        self._optics = Optics(traits)
        self._skin = Skin(traits)

    def advance(self, piece: Piece, shake_ms2: Floats, *, hour: float) -> Vitals:
        """Next piece; ``shake_ms2`` (50 n_s,) moves the sensors, ``hour`` is that of the day."""
        rng = np.random.default_rng([self._seed, _STREAM, piece.idx])
        n_s, slow = piece.n_s, self._slow
        stressor = _STRESSORS[piece.bout.task]
        is_stressed = piece.bout.label == "stress"
        micro = slow.wander("micro", rng.standard_normal(n_s), tau_s=40.0, sd=0.1)[1:]
        # Nobody is equally stressed throughout a task.
        swell = slow.wander("swell", rng.standard_normal(n_s), tau_s=90.0, sd=0.25)[1:]
        drive = np.maximum(1.0 + swell, 0.0) if is_stressed else np.zeros(n_s)
        heart = slow.relax(
            "heart", np.maximum(drive * stressor.heart + micro, 0.0), up_s=12.0, down_s=35.0
        )
        skin = slow.relax(
            "skin", np.maximum(drive * stressor.skin + micro, 0.0), up_s=8.0, down_s=25.0
        )
        goal = np.full(n_s, _LOAD.get(piece.bout.activity, 0.0))
        load = slow.relax("load", goal, up_s=30.0, down_s=55.0)
        beats = self._heart.advance(rng, piece, heart, load, hour)
        return Vitals(
            beats,
            self._optics.advance(rng, beats, heart, load, shake_ms2),
            self._skin.advance(rng, skin, load, per_second(shake_ms2), hour),
        )
