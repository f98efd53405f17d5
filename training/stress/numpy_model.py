"""The stress network in plain numpy: to score many people with, and as an oracle of the file."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from firmware_host.inference.base import FloatArray, Signature, signature_of
from models.signatures import PREFERENCE_PAIRS
from training.numpy_model import NumpyModel, Outputs, learning_signatures, shares_of

# Trainable -> index of its learning rate: bias, head, low-rank adapters.
_RATE_IDX = {"head_b": 0, "head_w": 1, "lora1_a": 2, "lora1_b": 2, "lora2_a": 2, "lora2_b": 2}
# Log-odds of stress from the logits of rest and stress.
_ODDS = np.array([-1.0, 1.0], np.float32)
_FROZEN = ("dense1_w", "dense1_b", "dense2_w", "dense2_b")


class TableModel(NumpyModel):
    """Same numbers to float32 rounding as the exported stress network.

    Parameters
    ----------
    arrays
        Every weight by name, matrices as (out, in): `dense1_w`, `dense1_b`, `dense2_w`,
        `dense2_b` frozen, `lora1_a`, `lora1_b`, `lora2_a`, `lora2_b`, `head_w`, `head_b` trained.
    lora_scale
        alpha / rank of both adapters.
    """

    def __init__(self, arrays: Mapping[str, FloatArray], *, lora_scale: float = 2.0) -> None:
        expected = {*_FROZEN, *_RATE_IDX}
        if set(arrays) != expected:
            raise ValueError(f"expected weights {sorted(expected)}, got {sorted(arrays)}")
        self._frozen = {name: np.array(arrays[name], np.float32) for name in _FROZEN}
        self._scale = np.float32(lora_scale)
        generic = {name: arrays[name] for name in _RATE_IDX}
        n_features = self._frozen["dense1_w"].shape[1]
        super().__init__(generic, _RATE_IDX, stress_signatures(n_features, generic))

    @classmethod
    def random(cls, *, seed: int, n_features: int = 26) -> TableModel:
        """Build a model that has learned nothing, the same for the same seed."""
        rng = np.random.default_rng(seed)
        hidden1, hidden2, rank = 32, 16, 4
        shapes = {
            "dense1_w": (hidden1, n_features),
            "dense2_w": (hidden2, hidden1),
            "lora1_a": (rank, n_features),
            "lora2_a": (rank, hidden1),
            "head_w": (2, hidden2 + n_features),
        }
        arrays = {
            name: rng.normal(0.0, np.sqrt(1.0 / shape[1]), shape).astype(np.float32)
            for name, shape in shapes.items()
        }
        zeros = {
            "dense1_b": (hidden1,),
            "dense2_b": (hidden2,),
            "lora1_b": (hidden1, rank),
            "lora2_b": (hidden2, rank),
            "head_b": (2,),
        }
        return cls({**arrays, **{name: np.zeros(s, np.float32) for name, s in zeros.items()}})

    def _forward(
        self, x: FloatArray, values: Mapping[str, FloatArray] | None = None
    ) -> tuple[FloatArray, dict[str, FloatArray]]:
        f, v, s = self._frozen, self._values if values is None else values, self._scale
        code1 = x @ v["lora1_a"].T
        h1 = np.maximum(x @ f["dense1_w"].T + f["dense1_b"] + s * (code1 @ v["lora1_b"].T), 0)
        code2 = h1 @ v["lora2_a"].T
        h2 = np.maximum(h1 @ f["dense2_w"].T + f["dense2_b"] + s * (code2 @ v["lora2_b"].T), 0)
        skip = np.concatenate([h2, x], axis=1)
        logits = skip @ v["head_w"].T + v["head_b"]
        return logits, {"code1": code1, "h1": h1, "code2": code2, "h2": h2, "skip": skip}

    def _gradients(
        self, x: FloatArray, kept: Mapping[str, FloatArray], d_logits: FloatArray
    ) -> dict[str, FloatArray]:
        f, v, s = self._frozen, self._values, self._scale
        dy2 = (d_logits @ v["head_w"])[:, : kept["h2"].shape[1]] * (kept["h2"] > 0)
        d_code2 = s * (dy2 @ v["lora2_b"])
        dy1 = (d_code2 @ v["lora2_a"] + dy2 @ f["dense2_w"]) * (kept["h1"] > 0)
        d_code1 = s * (dy1 @ v["lora1_b"])
        return {
            "head_b": d_logits.sum(axis=0),
            "head_w": d_logits.T @ kept["skip"],
            "lora2_a": d_code2.T @ kept["h1"],
            "lora2_b": s * (dy2.T @ kept["code2"]),
            "lora1_a": d_code1.T @ x,
            "lora1_b": s * (dy1.T @ kept["code1"]),
        }

    def _infer(self, x: FloatArray) -> Outputs:
        logits, _ = self._forward(x)
        return {"logits": logits, "probs": np.exp(log_softmax(logits))}

    def _evaluate(self, x: FloatArray, y: FloatArray, weight: FloatArray) -> Outputs:
        logits, _ = self._forward(x)
        return {"loss": softmax_loss(logits, y, weight)[0], "probs": np.exp(log_softmax(logits))}

    def _train(
        self, x: FloatArray, y: FloatArray, weight: FloatArray, lr: FloatArray, anchor: FloatArray
    ) -> Outputs:
        logits, kept = self._forward(x)
        loss, d_logits = softmax_loss(logits, y, weight)
        self._step(self._gradients(x, kept, d_logits), lr, anchor)
        return {"loss": loss}

    def _prefer(
        self,
        more: FloatArray,
        less: FloatArray,
        weight: FloatArray,
        beta: FloatArray,
        lr: FloatArray,
        anchor: FloatArray,
    ) -> Outputs:
        x = np.concatenate([more, less])
        logits, kept = self._forward(x)
        generic, _ = self._forward(x, self._generic)
        ahead, behind = np.split((logits - generic) @ _ODDS, 2)
        margin, shares = ahead - behind, shares_of(weight)[:, 0]
        loss = (shares * np.logaddexp(0.0, -beta * margin)).sum()
        d_margin = -beta * shares / (1.0 + np.exp(beta * margin))
        d_logits = np.concatenate([d_margin, -d_margin])[:, None] * _ODDS
        self._step(self._gradients(x, kept, d_logits.astype(np.float32)), lr, anchor)
        return {"loss": np.array([loss]), "margin": margin}


def stress_signatures(n_features: int, generic: Mapping[str, FloatArray]) -> dict[str, Signature]:
    """Signatures of a stress network with these trainable arrays."""
    infer = signature_of("infer", {"x": (1, n_features)}, {"logits": (1, 2), "probs": (1, 2)})
    rows, pairs = (PREFERENCE_PAIRS, n_features), (PREFERENCE_PAIRS,)
    inputs = {"more": rows, "less": rows, "weight": pairs, "beta": (1,), "lr": (3,), "anchor": (1,)}
    prefer = signature_of("prefer", inputs, {"loss": (1,), "margin": pairs})
    learning = learning_signatures("x", n_features, 2, generic)
    return {"infer": infer, "prefer": prefer, **learning}


def log_softmax(logits: NDArray) -> NDArray:
    """(n, classes) log-probabilities."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


def softmax_loss(logits: NDArray, y: FloatArray, weight: FloatArray) -> tuple[NDArray, NDArray]:
    """(1,) weighted cross-entropy and its (n, classes) slope by the logits."""
    shares = shares_of(weight)
    log_probs = log_softmax(logits)
    loss = -(shares * y * log_probs).sum()
    return np.array([loss]), shares * (np.exp(log_probs) - y)
