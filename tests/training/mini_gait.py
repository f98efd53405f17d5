"""A small network with the gait model's signatures: enough to export, train and check."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from firmware_host.signals.gait_features import N_FEATURES
from models import backward, lora
from models.signatures import SignatureShapes, adapter_signatures, batch_signatures
from models.trainable import TrainableNet

GROUPS = {"lora_a": "lora", "lora_b": "lora", "head_w": "head", "head_b": "bias"}


class MiniGait(TrainableNet):
    """Dense 8 with a low-rank adapter, unit length, one logit."""

    loss = staticmethod(backward.sigmoid_loss)

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
        infer = SignatureShapes({"features": (1, N_FEATURES)}, {"activity_logits": (1, 5)})
        shapes = self.adapter.shapes
        batch = batch_signatures({"features": N_FEATURES}, 1, shapes)
        return {"infer": infer, "embed": embed, **batch, **adapter_signatures(shapes)}

    def logits(self, values, *, features):
        low_rank = {"a": values["lora_a"], "b": values["lora_b"], "scale": 2.0}
        y, code = lora.lora_dense(features, weight=self._weight, bias=self._bias, **low_rank)
        cosine, inverse = backward.cosine(y, values["head_w"])
        kept = {"x": features, "code": code, "y": y, "cosine": cosine, "inverse": inverse}
        return cosine + values["head_b"], kept

    def gradients(self, kept, d_logits):
        v = self.adapter.values
        found = backward.cosine_backward(d_logits, kept, w=v["head_w"], b=v["lora_b"], scale=2.0)
        return {
            "lora_a": found.a,
            "lora_b": found.b,
            "head_w": found.w,
            "head_b": tf.reduce_sum(d_logits, axis=0),
        }

    def probabilities(self, logits):
        return tf.sigmoid(logits)

    def infer(self, features):
        return {"activity_logits": features[:, :5] * 2.0}

    def embed(self, features):
        logits, kept = self.logits(self.adapter.values, features=features)
        return {"embedding": kept["y"] * kept["inverse"], "score": logits}
