"""The gait network's identity half in plain numpy: for evaluation over many wearers, and as oracle.

It has no activity gate: `infer` is not among its signatures.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from firmware_host.inference.base import Signature, signature_of
from training.numpy_model import NumpyModel, Outputs, learning_signatures, shares_of

FloatArray = NDArray[np.float32]

_CLIP = 5.0
_LORA_SCALE = np.float32(2.0)
_RATE_IDX = {"head_b": 0, "head_w": 1, "lora_a": 2, "lora_b": 2}
_FROZEN = ("center", "scale", "directions", "shrink")


class NumpyGaitModel(NumpyModel):
    """Same numbers as the exported file, to float32 rounding.

    Parameters
    ----------
    arrays
        Of one placement: `center`, `scale` (F,), `directions` (k, F), `shrink` (k,), and the
        generic `lora_a`, `lora_b`, `head_w`, `head_b`, shaped as in `models.gait.GaitWeights`.
        There is no choice of placement: its signatures are those of the file without that input.
    """

    def __init__(self, arrays: Mapping[str, FloatArray]) -> None:
        self._frozen = {name: np.asarray(arrays[name], np.float32) for name in _FROZEN}
        generic = {name: np.asarray(arrays[name], np.float32) for name in _RATE_IDX}
        n_features = len(self._frozen["center"])
        self._gain = np.float32(0.3 * np.sqrt(n_features))
        super().__init__(generic, _RATE_IDX, _signatures(n_features, generic))

    def embed(self, features: FloatArray) -> Outputs:
        """Embedding and score of (N, F) features; unlike the file's, for any N."""
        logits, kept = self._forward(features)
        return {"embedding": kept["unit"], "score": logits}

    def _embed(self, features: FloatArray) -> Outputs:
        return self.embed(features)

    def _forward(self, features: FloatArray) -> tuple[FloatArray, dict[str, FloatArray]]:
        f, v = self._frozen, self._values
        x = np.clip((features - f["center"]) / f["scale"], -_CLIP, _CLIP)
        code = x @ v["lora_a"].T
        y = x - ((x @ f["directions"].T) * f["shrink"]) @ f["directions"]
        y = y + _LORA_SCALE * (code @ v["lora_b"].T)
        inverse = 1.0 / np.sqrt((y * y).sum(axis=1, keepdims=True) + np.float32(1e-12))
        unit = y * inverse
        logits = (self._gain * unit) @ v["head_w"].T + v["head_b"]
        return logits, {"x": x, "code": code, "unit": unit, "inverse": inverse}

    def _evaluate(self, features: FloatArray, y: FloatArray, weight: FloatArray) -> Outputs:
        logits, _ = self._forward(features)
        return {"loss": _loss(logits, y, weight)[0], "probs": _sigmoid(logits)}

    def _train(
        self,
        features: FloatArray,
        y: FloatArray,
        weight: FloatArray,
        lr: FloatArray,
        anchor: FloatArray,
    ) -> Outputs:
        logits, kept = self._forward(features)
        loss, d_logits = _loss(logits, y, weight)
        # Without a step for them, gradients of the factors would be most of the work.
        self._step(self._gradients(kept, d_logits, with_lora=bool(lr[2] > 0.0)), lr, anchor)
        return {"loss": loss}

    def _gradients(
        self, kept: Mapping[str, FloatArray], d_logits: FloatArray, *, with_lora: bool
    ) -> dict[str, FloatArray]:
        v, unit = self._values, kept["unit"]
        found = {"head_b": d_logits.sum(axis=0), "head_w": d_logits.T @ (self._gain * unit)}
        if with_lora:
            d_unit = self._gain * (d_logits @ v["head_w"])
            d_y = kept["inverse"] * (d_unit - unit * (d_unit * unit).sum(axis=1, keepdims=True))
            found["lora_b"] = _LORA_SCALE * (d_y.T @ kept["code"])
            found["lora_a"] = _LORA_SCALE * ((d_y @ v["lora_b"]).T @ kept["x"])
        return found


def _signatures(n_features: int, generic: Mapping[str, FloatArray]) -> dict[str, Signature]:
    one = {"embedding": (1, n_features), "score": (1, 1)}
    embed = signature_of("embed", {"features": (1, n_features)}, one)
    return {"embed": embed, **learning_signatures("features", n_features, 1, generic)}


def _sigmoid(logits: FloatArray) -> FloatArray:
    out: FloatArray = 1.0 / (1.0 + np.exp(-np.clip(logits, -60.0, 60.0)))
    return out


def _loss(logits: FloatArray, y: FloatArray, weight: FloatArray) -> tuple[FloatArray, FloatArray]:
    shares = shares_of(weight)
    rows = np.maximum(logits, 0.0) - logits * y + np.log1p(np.exp(-np.abs(logits)))
    return np.array([(shares * rows).sum()], np.float32), shares * (_sigmoid(logits) - y)
