"""The gait network: a frozen activity gate, and an embedding of the walk with a personal head."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from models import backward, lora
from models.gait_gate import N_CHANNELS, N_CLASSES, N_SAMPLES, gate_logits
from models.signatures import (
    TRAIN_BATCH,
    Shapes,
    SignatureShapes,
    adapter_signatures,
    batch_signatures,
)

Tensor = tf.Tensor
FloatArray = NDArray[np.float32]

LORA_RANK = 4
LORA_SCALE = 2.0
# Standardised features beyond this are sensor glitches more often than gait.
CLIP = 5.0
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
    batch = batch_signatures({"features": (TRAIN_BATCH, n_features)}, 1)
    placed = {
        "embed": SignatureShapes({"features": (1, n_features)}, embedding),
        **batch,
    }
    return {
        "infer": SignatureShapes({"imu": (1, N_SAMPLES, N_CHANNELS)}, scores),
        **{
            name: SignatureShapes({**shapes.inputs, **placement}, shapes.outputs)
            for name, shapes in placed.items()
        },
        **adapter_signatures(adapter),
    }


class GaitNet(tf.Module):
    """The exported functions over one set of weights."""

    def __init__(self, weights: GaitWeights) -> None:
        super().__init__()
        # Plain arrays become constants of the graph; a Mapping would be tracked as variables.
        self._weights = weights
        n_placements, self._n_directions, n_features = weights.directions.shape
        # (P, k F): picking a placement's matrix at run time keeps one copy of it in the file. A
        # constant factor of two matrix products is stored twice, once for each layout.
        self._directions = weights.directions.reshape(n_placements, -1)
        self._inverse_scale = (1.0 / weights.scale).astype(np.float32)
        self._gain = head_gain(n_features)
        generic = {name: getattr(weights, name) for name in GROUPS}
        self.adapter = lora.AdapterState(generic, GROUPS)

    @property
    def signatures(self) -> dict[str, SignatureShapes]:
        """Names and shapes of the exported functions."""
        w = self._weights
        return gait_signatures(w.n_features, w.n_placements, self.adapter.shapes)

    def infer(self, imu: Tensor) -> dict[str, Tensor]:
        """Activity of one window (1, 100, 6) at 20 Hz in SI units."""
        w = self._weights
        logits = gate_logits(imu, w.gate, w.gate_center, w.gate_scale)
        return {"activity_logits": logits, "activity_probs": tf.nn.softmax(logits)}

    def embed(self, features: Tensor, placement: Tensor) -> dict[str, Tensor]:
        """Unit-length embedding, and the personal head's log odds that this is the wearer."""
        logits, kept = self.logits(features, placement)
        return {"embedding": kept["unit"], "score": logits}

    def logits(self, features: Tensor, placement: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Log odds (N, 1) and the activations that the backward needs, from features (N, F)."""
        v = self.adapter.values
        x = self._standardised(features, placement)
        whitened = x - self._within(x, placement)
        code = tf.matmul(x, v["lora_a"], transpose_b=True)  # (N, 4)
        y = whitened + LORA_SCALE * tf.matmul(code, v["lora_b"], transpose_b=True)
        unit, inverse = backward.unit_length(y)
        scaled = self._gain * unit
        logits = tf.matmul(scaled, v["head_w"], transpose_b=True) + v["head_b"]
        return logits, {"x": x, "code": code, "unit": unit, "inverse": inverse, "scaled": scaled}

    def _standardised(self, features: Tensor, placement: Tensor) -> Tensor:
        chosen = tf.transpose(placement)  # (P, 1)
        center = tf.reduce_sum(chosen * self._weights.center, axis=0, keepdims=True)
        inverse_scale = tf.reduce_sum(chosen * self._inverse_scale, axis=0, keepdims=True)
        x = (features - center) * inverse_scale
        return tf.minimum(tf.maximum(x, -CLIP), CLIP)

    def _within(self, x: Tensor, placement: Tensor) -> Tensor:
        """(N, F) what is taken away: the part of `x` along the placement's directions, shrunk."""
        shape = [self._n_directions, self._weights.n_features]
        directions = tf.reshape(tf.matmul(placement, self._directions), shape)
        chosen = tf.transpose(placement)
        shrink = tf.reduce_sum(chosen * self._weights.shrink, axis=0, keepdims=True)  # (1, k)
        along = tf.matmul(x, directions, transpose_b=True)  # (N, k)
        return tf.matmul(along * shrink, directions)

    def gradients(self, kept: Mapping[str, Tensor], d_logits: Tensor) -> dict[str, Tensor]:
        """Gradient of the loss by every trainable, from the gradient by the log odds (N, 1)."""
        v = self.adapter.values
        d_head_w, d_head_b = backward.head_backward(kept["scaled"], d_logits)
        d_unit = self._gain * tf.matmul(d_logits, v["head_w"])  # (N, F)
        d_y = backward.unit_length_backward(kept["unit"], kept["inverse"], d_unit)
        low_rank = backward.lora_backward(
            d_y,
            x=kept["x"],
            code=kept["code"],
            a=v["lora_a"],
            b=v["lora_b"],
            scale=LORA_SCALE,
        )
        return {
            "lora_a": low_rank.a,
            "lora_b": low_rank.b,
            "head_w": d_head_w,
            "head_b": d_head_b,
        }

    def evaluate(
        self, features: Tensor, y: Tensor, weight: Tensor, placement: Tensor
    ) -> dict[str, Tensor]:
        """Weighted loss and probability of being the wearer, a batch; nothing changes."""
        logits, _ = self.logits(features, placement)
        loss, _ = backward.sigmoid_loss(logits, y, backward.row_shares(weight))
        return {"loss": loss, "probs": tf.sigmoid(logits)}

    def train(
        self,
        features: Tensor,
        y: Tensor,
        weight: Tensor,
        placement: Tensor,
        lr: Tensor,
        anchor: Tensor,
    ) -> dict[str, Tensor]:
        """One momentum step; gives the data loss before the step, without the anchor's share."""
        logits, kept = self.logits(features, placement)
        loss, d_logits = backward.sigmoid_loss(logits, y, backward.row_shares(weight))
        self.adapter.step(self.gradients(kept, d_logits), lr, anchor)
        return {"loss": loss}
