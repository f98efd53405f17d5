"""What training hands to the export: plain values, no TensorFlow objects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from models.stress import StressWeights

FloatArray = NDArray[np.float32]

# How frozen weights are stored: "int8" ships, "nf4" is 4 bits, "float" is as they were trained.
Backbone = Literal["int8", "nf4", "float"]
BACKBONES: tuple[Backbone, ...] = get_args(Backbone)
# As tables say it.
BACKBONE_WORDS: dict[Backbone, str] = {"float": "float32", "int8": "int8", "nf4": "4 bits"}


@dataclass(frozen=True)
class Recordings:
    """What a model was trained on and what was kept out: "dataset/participant" -> sha256."""

    trained_on: Mapping[str, str]
    held_out: tuple[str, ...] = ()


@dataclass(frozen=True)
class StressArtifacts:
    """A trained stress model.

    `spread` (F,) is the typical within-person standard deviation of `normalise`; `center` (F,)
    the typical rest, which nothing is computed from but what a wearer is told; `time_control`
    is (t_s, p_stress), what time since the session began says on its own; `golden_x` (n, F) are
    a few normalised windows; `calibration` (slope, offset) turns smoothed log-odds into
    P(stress); `effort_s` is how long effort is averaged; `figures` go into the card, one row each;
    `backbone` is how the export is to store what does not learn, `split` whether the layers that
    an Edge TPU can run are to be a file of their own; only the head learns then.
    """

    weights: StressWeights
    feature_names: tuple[str, ...]
    spread: FloatArray
    center: FloatArray
    thresholds: Mapping[str, float]
    smoothing_s: float
    time_control: tuple[FloatArray, FloatArray]
    golden_x: FloatArray
    recordings: Recordings
    calibration: Mapping[str, float] = field(default_factory=lambda: {"slope": 1.0, "offset": 0.0})
    effort_s: float = 300.0
    figures: Mapping[str, str] = field(default_factory=dict)
    backbone: Backbone = "int8"
    split: bool = False


@dataclass(frozen=True)
class GaitArtifacts:
    """A trained gait model.

    `network` is the exportable tf.Module, its weights as `backbone` stores them; `placements` the
    places on the body in the order of its one-hot input; `cohort` (name -> array) is what the
    personal head learns against; `golden` (input name -> (n, ...) array) are a few windows of each
    input.
    """

    network: Any
    feature_names: tuple[str, ...]
    labels: tuple[str, ...]
    thresholds: Mapping[str, float]
    smoothing_s: float
    cohort: Mapping[str, NDArray[np.floating[Any]]]
    golden: Mapping[str, FloatArray]
    placements: tuple[str, ...]
    recordings: Recordings
    figures: Mapping[str, str] = field(default_factory=dict)
    backbone: Backbone = "int8"
    split: bool = False


def merged(first: Mapping[str, str], second: Mapping[str, str]) -> dict[str, str]:
    """Recordings of both halves; another recording of the same person gets a number."""
    found = dict(first)
    for name, sha256 in second.items():
        key, n = name, 1
        while found.get(key, sha256) != sha256:
            n += 1
            key = f"{name}#{n}"
        found[key] = sha256
    return found
