"""The stress network with every weight free to move: a reference that never ships.

Behind the host's model seam, so that the learner that ships trains it: the group of the low-rank
adapters stands for the two dense layers.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from firmware_host.inference.base import (
    MOMENTUM_PREFIX,
    FloatArray,
    Signature,
    check_inputs,
    find_signature,
    signature_of,
)
from models.signatures import TRAIN_BATCH

_MOMENTUM = 0.9
# Weight -> index of its learning rate: bias, head, everything else.
_RATE_IDX = {"head_b": 0, "head_w": 1, "w1": 2, "b1": 2, "w2": 2, "b2": 2}


class FullModel:
    """All six arrays trained by momentum, in float64 inside.

    Parameters
    ----------
    arrays
        w1 (F, H1), b1, w2 (H1, H2), b2, head_w (H2 + F, 2), head_b (2,), matrices (in, out).
    """

    def __init__(self, arrays: Mapping[str, NDArray[np.float32]]) -> None:
        self._generic = {name: np.asarray(arrays[name], np.float64) for name in _RATE_IDX}
        self._signatures = _signatures({n: v.shape for n, v in self._generic.items()})
        self._reset()

    @property
    def signatures(self) -> Mapping[str, Signature]:
        """Every function by name."""
        return self._signatures

    def run(self, signature: str, **arrays: FloatArray) -> dict[str, FloatArray]:
        """Call one signature; gives its outputs by name, float32."""
        check_inputs(find_signature(self._signatures, signature), arrays)
        outputs = getattr(self, f"_{signature}")(**arrays)
        return {name: np.asarray(value, np.float32) for name, value in outputs.items()}

    def _forward(self, x: NDArray) -> tuple[NDArray, NDArray, NDArray]:
        v = self._values
        h1 = np.maximum(x @ v["w1"] + v["b1"], 0.0)
        h2 = np.maximum(h1 @ v["w2"] + v["b2"], 0.0)
        return h1, h2, np.concatenate([h2, x], axis=1) @ v["head_w"] + v["head_b"]

    def _infer(self, x: FloatArray) -> dict[str, NDArray]:
        logits = self._forward(x.astype(np.float64))[2]
        return {"logits": logits, "probs": np.exp(_log_softmax(logits))}

    def _evaluate(self, x: FloatArray, y: FloatArray, weight: FloatArray) -> dict[str, NDArray]:
        logits = self._forward(x.astype(np.float64))[2]
        shares = weight[:, None] / max(float(weight.sum()), 1e-12)
        loss = -(shares * y * _log_softmax(logits)).sum()
        return {"loss": np.array([loss]), "probs": np.exp(_log_softmax(logits))}

    def _train(
        self, x: FloatArray, y: FloatArray, weight: FloatArray, lr: FloatArray, anchor: FloatArray
    ) -> dict[str, NDArray]:
        loss = self._evaluate(x, y, weight)["loss"]
        for name, gradient in self.gradients(x, y, weight).items():
            pull = float(anchor[0]) * (self._values[name] - self._generic[name])
            rate = float(lr[_RATE_IDX[name]])
            self._momenta[name] = _MOMENTUM * self._momenta[name] - rate * (gradient + pull)
            self._values[name] = self._values[name] + self._momenta[name]
        return {"loss": loss}

    def gradients(self, x: FloatArray, y: FloatArray, weight: FloatArray) -> dict[str, NDArray]:
        """Gradient of the weighted cross-entropy by every weight."""
        v, data = self._values, x.astype(np.float64)
        h1, h2, logits = self._forward(data)
        shares = weight[:, None] / max(float(weight.sum()), 1e-12)
        d_logits = shares * (np.exp(_log_softmax(logits)) - y)
        d_h2 = (d_logits @ v["head_w"].T)[:, : h2.shape[1]] * (h2 > 0)
        d_h1 = (d_h2 @ v["w2"].T) * (h1 > 0)
        return {
            "head_b": d_logits.sum(axis=0),
            "head_w": np.concatenate([h2, data], axis=1).T @ d_logits,
            "w2": h1.T @ d_h2,
            "b2": d_h2.sum(axis=0),
            "w1": data.T @ d_h1,
            "b1": d_h1.sum(axis=0),
        }

    def _get_adapter(self) -> dict[str, NDArray]:
        momenta = {MOMENTUM_PREFIX + name: v.copy() for name, v in self._momenta.items()}
        return {**{name: v.copy() for name, v in self._values.items()}, **momenta}

    def _set_adapter(self, **arrays: FloatArray) -> dict[str, NDArray]:
        self._values = {n: np.asarray(arrays[n], np.float64) for n in _RATE_IDX}
        momenta = {n: np.asarray(arrays[MOMENTUM_PREFIX + n], np.float64) for n in _RATE_IDX}
        self._momenta = momenta
        return {"ok": np.ones(1)}

    def _reset(self) -> dict[str, NDArray]:
        self._values = {name: v.copy() for name, v in self._generic.items()}
        self._momenta = {name: np.zeros_like(v) for name, v in self._generic.items()}
        return {"ok": np.ones(1)}


def _signatures(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Signature]:
    n_features = shapes["w1"][0]
    state = {**shapes, **{MOMENTUM_PREFIX + name: shape for name, shape in shapes.items()}}
    batch = {"x": (TRAIN_BATCH, n_features), "y": (TRAIN_BATCH, 2), "weight": (TRAIN_BATCH,)}
    probs = (TRAIN_BATCH, 2)
    table: dict[str, tuple[dict[str, tuple[int, ...]], dict[str, tuple[int, ...]]]] = {
        "infer": ({"x": (1, n_features)}, {"logits": (1, 2), "probs": (1, 2)}),
        "evaluate": (batch, {"loss": (1,), "probs": probs}),
        "train": ({**batch, "lr": (3,), "anchor": (1,)}, {"loss": (1,)}),
        "get_adapter": ({}, state),
        "set_adapter": (state, {"ok": (1,)}),
        "reset": ({}, {"ok": (1,)}),
    }
    return {name: signature_of(name, *pair) for name, pair in table.items()}


def _log_softmax(logits: NDArray) -> NDArray:
    shifted = logits - logits.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
