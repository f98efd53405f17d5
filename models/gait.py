"""The gait network: a frozen activity gate, and an embedding of the walk with a personal head."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from models import backward, int8, lora
from models.gait_gate import N_CHANNELS, N_CLASSES, N_SAMPLES, gate_logits
from models.signatures import Shapes, SignatureShapes, adapter_signatures, batch_signatures
from models.trainable import TrainableNet, Values

Tensor = tf.Tensor
FloatArray = NDArray[np.float32]

LORA_RANK = 4
LORA_SCALE = 2.0
# Standardised features beyond this are sensor glitches more often than gait.
CLIP = 5.0
# Level 0 of an int8 weight that is stored unsigned.
_ZERO_LEVEL = 128.0
GROUPS = {"lora_a": "lora", "lora_b": "lora", "head_w": "head", "head_b": "bias"}


def head_gain(n_features: int) -> float:
    """Scale of the unit-length embedding at the head: its entries become about 0.3."""
    return float(0.3 * np.sqrt(n_features))


@dataclass(frozen=True, eq=False)
class GaitWeights:
    """Everything the network is made of; F identity features, D = F.

    gate: weights of `gait_gate`, with gate_center and gate_scale (6,). For each of P placements
    on the body: center, scale (P, F) standardise; directions (P, k, F) are the orthonormal
    directions in which one person's windows differ most, shrink (P, k) in 0..1 how much of them
    is taken away. lora_a (4, F), lora_b (F, 4), head_w (1, F) and head_b (1,) are where a wearer
    starts from, whatever the placement.
    """

    gate: Mapping[str, FloatArray]
    gate_center: FloatArray
    gate_scale: FloatArray
    center: FloatArray
    scale: FloatArray
    directions: FloatArray
    shrink: FloatArray
    lora_a: FloatArray
    lora_b: FloatArray
    head_w: FloatArray
    head_b: FloatArray

    @property
    def n_features(self) -> int:
        """Length of the identity feature vector and of the embedding."""
        return self.center.shape[1]

    @property
    def n_placements(self) -> int:
        """How many places on the body it can tell people at."""
        return len(self.center)


def gait_signatures(
    n_features: int, n_placements: int, adapter: Shapes
) -> dict[str, SignatureShapes]:
    """Every exported function of the gait network; `placement` is one-hot."""
    scores = {"activity_logits": (1, N_CLASSES), "activity_probs": (1, N_CLASSES)}
    embedding = {"embedding": (1, n_features), "score": (1, 1)}
    placement = {"placement": (1, n_placements)}
    return {
        "infer": SignatureShapes({"imu": (1, N_SAMPLES, N_CHANNELS)}, scores),
        "embed": SignatureShapes({"features": (1, n_features), **placement}, embedding),
        **batch_signatures({"features": n_features}, 1, adapter, shared=placement),
        **adapter_signatures(adapter),
    }


class GaitNet(TrainableNet):
    """The exported functions over one set of weights; rows of features (N, F) are windows.

    The directions are rounded to int8 levels and unpacked at each call, only those of the
    placement in question: as floats they would be the largest thing in memory, once for every
    function.
    """

    loss = staticmethod(backward.sigmoid_loss)

    def __init__(self, weights: GaitWeights) -> None:
        super().__init__()
        # Plain arrays become constants of the graph; a Mapping would be tracked as variables.
        self._weights = weights
        levels, scale = int8.grid(weights.directions, 0)
        # Unsigned: the oldest runtime picks rows of these and of floats only.
        self._codes = (levels + _ZERO_LEVEL).astype(np.uint8)
        # Levels are multiplied in twice: once along each direction, once on the way back.
        self._shrink = (weights.shrink * scale[:, :, 0] ** 2).astype(np.float32)
        self._inverse_scale = (1.0 / weights.scale).astype(np.float32)
        self._gain = head_gain(weights.n_features)
        generic = {name: getattr(weights, name) for name in GROUPS}
        self.adapter = lora.AdapterState(generic, GROUPS)

    @property
    def signatures(self) -> dict[str, SignatureShapes]:
        """Names and shapes of the exported functions."""
        w = self._weights
        return gait_signatures(w.n_features, w.n_placements, self.adapter.shapes)

    @property
    def weights(self) -> GaitWeights:
        """What it is made of."""
        return self._weights

    def infer(self, imu: Tensor) -> dict[str, Tensor]:
        """Activity of one window (1, 100, 6) at 20 Hz in SI units."""
        w = self._weights
        logits = gate_logits(imu, w.gate, w.gate_center, w.gate_scale)
        return {"activity_logits": logits, "activity_probs": tf.nn.softmax(logits)}

    def embed(self, features: Tensor, placement: Tensor) -> dict[str, Tensor]:
        """Unit-length embedding, and the personal head's log odds that this is the wearer."""
        logits, kept = self.logits(self.adapter.values, features=features, placement=placement)
        return {"embedding": kept["y"] * kept["inverse"], "score": logits}

    def logits(
        self, values: Values, *, features: Tensor, placement: Tensor
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Log odds (N, 1) that this is the wearer."""
        place = tf.argmax(placement, axis=1, output_type=tf.int32)  # (1,)
        x = self._standardised(features, place)
        whitened = x - self._within(x, place)
        code = tf.matmul(x, values["lora_a"], transpose_b=True)  # (N, 4)
        y = whitened + tf.matmul(LORA_SCALE * code, values["lora_b"], transpose_b=True)
        cosine, inverse = backward.cosine(y, values["head_w"])
        logits = self._gain * cosine + values["head_b"]
        return logits, {"x": x, "code": code, "y": y, "cosine": cosine, "inverse": inverse}

    def _standardised(self, features: Tensor, place: Tensor) -> Tensor:
        center = tf.gather(self._weights.center, place)  # (1, F)
        x = (features - center) * tf.gather(self._inverse_scale, place)
        return tf.minimum(tf.maximum(x, -CLIP), CLIP)

    def _within(self, x: Tensor, place: Tensor) -> Tensor:
        """(N, F) what is taken away: the part of `x` along the placement's directions, shrunk."""
        codes = tf.reshape(tf.gather(self._codes, place), self._codes.shape[1:])
        levels = tf.cast(codes, tf.float32) - _ZERO_LEVEL  # (k, F)
        along = tf.matmul(x, levels, transpose_b=True)  # (N, k)
        return tf.matmul(along * tf.gather(self._shrink, place), levels)

    def gradients(self, kept: Mapping[str, Tensor], d_logits: Tensor) -> dict[str, Tensor]:
        """Gradient of the loss by every trainable, from the gradient by the log odds (N, 1)."""
        v = self.adapter.values
        by_cosine = self._gain * d_logits
        found = backward.cosine_backward(
            by_cosine, kept, w=v["head_w"], b=v["lora_b"], scale=LORA_SCALE
        )
        return {
            "lora_a": found.a,
            "lora_b": found.b,
            "head_w": found.w,
            "head_b": tf.reduce_sum(d_logits, axis=0),
        }

    def probabilities(self, logits: Tensor) -> Tensor:
        """(N, 1) of being the wearer."""
        return tf.sigmoid(logits)
