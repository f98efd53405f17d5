"""The stress network: two frozen dense layers with low-rank adapters, head with a linear skip."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from models import backward, lora
from models.signatures import SignatureShapes, stress_signatures
from models.trainable import TrainableNet, Values

Tensor = tf.Tensor
FloatArray = NDArray[np.float32]

GROUPS = {
    "lora1_a": "lora",
    "lora1_b": "lora",
    "lora2_a": "lora",
    "lora2_b": "lora",
    "head_w": "head",
    "head_b": "bias",
}
# Log-odds of stress from the two logits.
_ODDS = np.array([[-1.0, 1.0]], np.float32)


@dataclass(frozen=True)
class StressWeights:
    """Everything the network is made of, F = 26 features in, matrices as (out, in).

    dense1_w (32, F), dense1_b (32,), dense2_w (16, 32), dense2_b (16,) are frozen; lora1_a
    (4, F), lora1_b (32, 4), lora2_a (4, 32), lora2_b (16, 4), head_w (2, 16 + F), head_b (2,)
    are where the wearer starts from.
    """

    dense1_w: FloatArray
    dense1_b: FloatArray
    dense2_w: FloatArray
    dense2_b: FloatArray
    lora1_a: FloatArray
    lora1_b: FloatArray
    lora2_a: FloatArray
    lora2_b: FloatArray
    head_w: FloatArray
    head_b: FloatArray
    lora_scale: float = 2.0

    def arrays(self) -> dict[str, FloatArray]:
        """Every array by name, float32."""
        names = [field.name for field in fields(self) if field.name != "lora_scale"]
        return {name: np.asarray(getattr(self, name), np.float32) for name in names}

    @property
    def n_features(self) -> int:
        """Length of the input vector."""
        return int(self.dense1_w.shape[1])


def with_adapters(rng: np.random.Generator, dense: Mapping[str, FloatArray]) -> StressWeights:
    """Add low-rank adapters that change nothing yet to trained dense layers and head, by name."""
    hidden1, n_features = dense["dense1_w"].shape
    hidden2, rank = dense["dense2_w"].shape[0], 4
    lora1_a, lora1_b = lora.initial_lora(rng, n_in=n_features, n_out=hidden1, rank=rank)
    lora2_a, lora2_b = lora.initial_lora(rng, n_in=hidden1, n_out=hidden2, rank=rank)
    adapters = {"lora1_a": lora1_a, "lora1_b": lora1_b, "lora2_a": lora2_a, "lora2_b": lora2_b}
    return StressWeights(**{name: v.astype(np.float32) for name, v in dense.items()}, **adapters)


def random_weights(rng: np.random.Generator, n_features: int) -> StressWeights:
    """Draw weights that have learned nothing: a start for training, and for tests."""

    def dense(n_out: int, n_in: int) -> FloatArray:
        return rng.normal(0.0, np.sqrt(2.0 / n_in), (n_out, n_in)).astype(np.float32)

    layers = {
        "dense1_w": dense(32, n_features),
        "dense1_b": np.zeros(32, np.float32),
        "dense2_w": dense(16, 32),
        "dense2_b": np.zeros(16, np.float32),
        "head_w": 0.5 * dense(2, 16 + n_features),
        "head_b": np.zeros(2, np.float32),
    }
    return with_adapters(rng, layers)


class StressNet(TrainableNet):
    """The exported functions over one set of weights; rows of x (N, F) are windows."""

    loss = staticmethod(backward.softmax_loss)

    def __init__(self, weights: StressWeights) -> None:
        super().__init__()
        arrays = weights.arrays()
        self._frozen = {name: v for name, v in arrays.items() if name not in GROUPS}
        self._scale = float(weights.lora_scale)
        self._n_hidden = int(weights.dense2_w.shape[0])
        self._n_features = weights.n_features
        self.adapter = lora.AdapterState({name: arrays[name] for name in GROUPS}, GROUPS)

    @property
    def signatures(self) -> dict[str, SignatureShapes]:
        """Names and shapes of the exported functions."""
        return stress_signatures(self._n_features, self.adapter.shapes)

    def logits(self, values: Values, *, x: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Logits (N, 2), rest first."""
        frozen = self._frozen
        z1, code1 = lora.lora_dense(
            x, weight=frozen["dense1_w"], bias=frozen["dense1_b"], **self._low_rank(values, 1)
        )
        h1 = tf.nn.relu(z1)  # (N, 32)
        z2, code2 = lora.lora_dense(
            h1, weight=frozen["dense2_w"], bias=frozen["dense2_b"], **self._low_rank(values, 2)
        )
        h2 = tf.nn.relu(z2)  # (N, 16)
        skip = tf.concat([h2, x], axis=1)  # (N, 16 + F)
        logits = tf.matmul(skip, values["head_w"], transpose_b=True) + values["head_b"]
        kept = {"x": x, "code1": code1, "h1": h1, "code2": code2, "h2": h2, "skip": skip}
        return logits, kept

    def gradients(self, kept: Mapping[str, Tensor], d_logits: Tensor) -> dict[str, Tensor]:
        """Gradient of the loss by every trainable, from the gradient by the logits (N, 2)."""
        values = self.adapter.values
        d_head_w, d_head_b = backward.head_backward(kept["skip"], d_logits)
        d_h2 = tf.matmul(d_logits, values["head_w"][:, : self._n_hidden])  # (N, 16)
        second = backward.dense_backward(
            backward.relu_backward(kept["h2"], d_h2),
            x=kept["h1"],
            code=kept["code2"],
            weight=self._frozen["dense2_w"],
            **self._low_rank(values, 2),
        )
        first = backward.lora_backward(
            backward.relu_backward(kept["h1"], second.x),
            x=kept["x"],
            code=kept["code1"],
            **self._low_rank(values, 1),
        )
        return {
            "lora1_a": first.a,
            "lora1_b": first.b,
            "lora2_a": second.a,
            "lora2_b": second.b,
            "head_w": d_head_w,
            "head_b": d_head_b,
        }

    def _low_rank(self, values: Values, layer: int) -> dict[str, Any]:
        a, b = values[f"lora{layer}_a"], values[f"lora{layer}_b"]
        return {"a": a, "b": b, "scale": self._scale}

    def probabilities(self, logits: Tensor) -> Tensor:
        """(N, 2), rest first."""
        return tf.nn.softmax(logits)

    def infer(self, x: Tensor) -> dict[str, Tensor]:
        """Logits and probabilities of one window, rest first."""
        logits, _ = self.logits(self.adapter.values, x=x)
        return {"logits": logits, "probs": self.probabilities(logits)}

    def prefer(
        self, more: Tensor, less: Tensor, weight: Tensor, beta: Tensor, lr: Tensor, anchor: Tensor
    ) -> dict[str, Tensor]:
        """One momentum step towards "`more` was more stressful than `less`", pair by pair (8, F).

        The frozen generic network is what it is measured from: `margin` (8,) is how much further
        apart the two log-odds are than there, before the step. `beta` (1,) is how hard to pull on
        a margin, the weights (8,) count as shares of their sum.

        References
        ----------
        Rafailov et al. 2023, Direct preference optimization, equation 7.
        """
        loss, margin, kept, d_logits = self.preference(more, less, weight, beta)
        self.adapter.step(self.gradients(kept, d_logits), lr, anchor)
        return {"loss": loss, "margin": margin}

    def preference(
        self, more: Tensor, less: Tensor, weight: Tensor, beta: Tensor
    ) -> tuple[Tensor, Tensor, dict[str, Tensor], Tensor]:
        """Loss (1,) and margins of `prefer`, activations, and the gradient by the logits."""
        # Both windows of all pairs in one forward.
        x = tf.concat([more, less], 0)
        logits, kept = self.logits(self.adapter.values, x=x)
        generic, _ = self.logits(self.adapter.generic, x=x)
        moved = tf.reduce_sum((logits - generic) * _ODDS, axis=1, keepdims=True)  # (16, 1)
        ahead, behind = tf.split(moved, 2)
        margin = ahead - behind  # (8, 1)
        loss, d_scaled = backward.sigmoid_loss(beta * margin, 1.0, backward.row_shares(weight))
        d_margin = beta * d_scaled
        d_logits = tf.concat([d_margin, -d_margin], 0) * _ODDS  # (16, 2)
        return loss, tf.reshape(margin, [-1]), kept, d_logits
