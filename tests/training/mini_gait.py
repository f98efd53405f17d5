"""A small network with the gait model's signatures: enough to export, train and check."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from firmware_host.signals.gait_features import N_FEATURES
from models import backward, lora
from models.signatures import SignatureShapes, adapter_signatures, batch_signatures

GROUPS = {"lora_a": "lora", "lora_b": "lora", "head_w": "head", "head_b": "bias"}


class MiniGait(tf.Module):
    """Dense 8 with a low-rank adapter, unit length, one logit."""

    def __init__(self, rng: np.random.Generator) -> None:
        super().__init__()
        self._weight = rng.normal(0, 0.05, (8, N_FEATURES)).astype(np.float32)
        self._bias = np.zeros(8, np.float32)
        a, b = lora.initial_lora(rng, n_in=N_FEATURES, n_out=8, rank=2)
        generic = {
            "lora_a": a,
            "lora_b": b,
            "head_w": rng.normal(size=(1, 8)).astype(np.float32),
            "head_b": np.zeros(1, np.float32),
        }
        self.adapter = lora.AdapterState(generic, GROUPS)

    @property
    def signatures(self) -> dict[str, SignatureShapes]:
        embed = SignatureShapes(
            {"features": (1, N_FEATURES)}, {"embedding": (1, 8), "score": (1, 1)}
        )
        batch = batch_signatures({"features": (16, N_FEATURES)}, 1)
        return {"embed": embed, **batch, **adapter_signatures(self.adapter.shapes)}

    def _forward(self, features):
        v = self.adapter.values
        z, code = lora.lora_dense(
            features, weight=self._weight, bias=self._bias, **self._low_rank()
        )
        unit, inverse = backward.unit_length(z)
        logits = tf.matmul(unit, v["head_w"], transpose_b=True) + v["head_b"]
        return logits, (code, unit, inverse)

    def _low_rank(self):
        return {
            "a": self.adapter.values["lora_a"],
            "b": self.adapter.values["lora_b"],
            "scale": 2.0,
        }

    def embed(self, features):
        logits, (_, unit, _) = self._forward(features)
        return {"embedding": unit, "score": logits}

    def evaluate(self, features, y, weight):
        logits, _ = self._forward(features)
        loss, _ = backward.sigmoid_loss(logits, y, backward.row_shares(weight))
        return {"loss": loss, "probs": tf.sigmoid(logits)}

    def train(self, features, y, weight, lr, anchor):
        logits, (code, unit, inverse) = self._forward(features)
        loss, d_logits = backward.sigmoid_loss(logits, y, backward.row_shares(weight))
        d_head_w, d_head_b = backward.head_backward(unit, d_logits)
        d_unit = tf.matmul(d_logits, self.adapter.values["head_w"])
        d_z = backward.unit_length_backward(unit, inverse, d_unit)
        low_rank = backward.lora_backward(d_z, x=features, code=code, **self._low_rank())
        gradients = {
            "lora_a": low_rank.a,
            "lora_b": low_rank.b,
            "head_w": d_head_w,
            "head_b": d_head_b,
        }
        self.adapter.step(gradients, lr, anchor)
        return {"loss": loss}
