"""Both networks in two files each: int8 layers for an Edge TPU, and the float rest that learns.

Ranges of the int8 tensors come from inputs that nobody recorded. Recorded motion gives ranges as
wide as its hardest knock, and then standing still is a step or two: the gate lost 5 points of F1.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from firmware_host.signals.normalise import CLIP
from models.gait import GaitNet, GaitWeights
from models.split import GaitInTwo, GaitTail, StressHeadNet, StressTail
from models.stress import StressWeights
from training.bundle.contracts import GAIT_FILE, STRESS_FILE
from training.bundle.edge_tpu import EdgeTpuError, as_layers, int8_files
from training.bundle.tflite_file import convert
from training.gait.made_up import made_up_motion

STRESS_INT8_FILE = "stress_backbone_int8.tflite"
GAIT_INT8_FILE = "gait_backbone_int8.tflite"
_N_ROWS = 400
# As far as a wearer's features usually are from their rest, in divisors of the normalisation.
_SPREAD = 1.5


# Of a logit, in units of the largest and one.
MAX_CHANGE = 0.1


def stress_in_two(
    weights: StressWeights, golden: Mapping[str, NDArray[np.float32]]
) -> tuple[dict[str, bytes], StressHeadNet]:
    """Files of the stress network, and what they compute together; `golden` are windows.

    Raises
    ------
    EdgeTpuError
        If int8 changes what is said of the windows by more than `MAX_CHANGE`.
    """
    files = stress_files(weights)
    network = StressHeadNet(weights, as_layers(files[STRESS_INT8_FILE]))
    check_near(StressHeadNet(weights), network, "logits", x=golden["x"])
    return files, network


def gait_in_two(
    weights: GaitWeights, golden: Mapping[str, NDArray[np.float32]]
) -> tuple[dict[str, bytes], GaitInTwo]:
    """The same of the gait network."""
    files = gait_files(weights)
    network = GaitInTwo(weights, as_layers(files[GAIT_INT8_FILE]))
    check_near(GaitNet(weights), network, "activity_logits", imu=golden["imu"])
    return files, network


def check_near(plain: Any, split: Any, output: str, **windows: NDArray[np.float32]) -> None:
    """Refuse int8 layers with which a network says something else.

    Raises
    ------
    EdgeTpuError
        If an output of `infer` changes by more than `MAX_CHANGE`.
    """
    (name, rows) = next(iter(windows.items()))
    expected, received = (
        np.concatenate([network.infer(**{name: row[None]})[output] for row in rows])
        for network in (plain, split)
    )
    change = float(np.abs(received - expected).max() / (1.0 + np.abs(expected).max()))
    if not change <= MAX_CHANGE:
        raise EdgeTpuError(
            f"int8 layers: expected {output} within {MAX_CHANGE:g} of the float network's, "
            f"got {change:.2g}"
        )


def stress_files(weights: StressWeights) -> dict[str, bytes]:
    """Both dense layers in int8; the head, which reads the features too, in float."""
    rng = np.random.default_rng(0)
    x = rng.normal(0.0, _SPREAD, (_N_ROWS, 1, weights.n_features)).clip(-CLIP, CLIP)
    layers = StressHeadNet(weights).hidden
    return {
        STRESS_FILE: convert(StressTail(weights)),
        **int8_files(STRESS_INT8_FILE, layers, "x", x.astype(np.float32)),
    }


def gait_files(weights: GaitWeights) -> dict[str, bytes]:
    """The gate's convolutions in int8; its last layers, and telling people apart, in float."""
    tail = GaitTail(weights)
    rng = np.random.default_rng(0)
    motion = made_up_motion(weights.gate_center, weights.gate_scale, _N_ROWS, rng)
    windows = tail.prepared(motion).numpy()[:, None]
    return {GAIT_FILE: convert(tail), **int8_files(GAIT_INT8_FILE, tail.hidden, "imu", windows)}
