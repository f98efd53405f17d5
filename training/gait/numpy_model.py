"""The gait network's identity half in plain numpy: for evaluation over many wearers, and as oracle.

It has no activity gate: `infer` is not among its signatures.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from firmware_host.inference.base import Signature, check_inputs, find_signature, signature_of

FloatArray = NDArray[np.float32]

TRAIN_BATCH = 16
MOMENTUM = 0.9
MOMENTUM_PREFIX = "momentum_"
_CLIP = 5.0
_LORA_SCALE = np.float32(2.0)
_RATE_IDX = {"head_b": 0, "head_w": 1, "lora_a": 2, "lora_b": 2}
_FROZEN = ("center", "scale", "directions", "shrink")


class NumpyGaitModel:
    """Same signatures and numbers as the exported file, to float32 rounding.

    Parameters
    ----------
    arrays
        Of one placement: `center`, `scale` (F,), `directions` (k, F), `shrink` (k,), and the
        generic `lora_a`, `lora_b`, `head_w`, `head_b`, shaped as in `models.gait.GaitWeights`.
        There is no choice of placement: its signatures are those of the file without that input.
    """

    def __init__(self, arrays: Mapping[str, FloatArray]) -> None:
        self._frozen = {name: np.asarray(arrays[name], np.float32) for name in _FROZEN}
        self._generic = {name: np.asarray(arrays[name], np.float32) for name in _RATE_IDX}
        n_features = len(self._frozen["center"])
        self._gain = np.float32(0.3 * np.sqrt(n_features))
        self._signatures = _signatures(n_features, self._generic)
        self._reset()

    @property
    def signatures(self) -> Mapping[str, Signature]:
        """Every function by name."""
        return self._signatures

    def run(self, signature: str, **arrays: FloatArray) -> dict[str, FloatArray]:
        """Call one signature; gives its outputs by name."""
        check_inputs(find_signature(self._signatures, signature), arrays)
        calls: dict[str, Callable[..., dict[str, FloatArray]]] = {
            "embed": self.embed,
            "evaluate": self._evaluate,
            "train": self._train,
            "get_adapter": self._get_adapter,
            "set_adapter": self._set_adapter,
            "reset": self._reset,
        }
        return calls[signature](**arrays)

    def embed(self, features: FloatArray) -> dict[str, FloatArray]:
        """Embedding and score of (N, F) features; unlike the file's, for any N."""
        logits, kept = self._forward(features)
        return {"embedding": kept["unit"], "score": logits}

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

    def _evaluate(
        self, features: FloatArray, y: FloatArray, weight: FloatArray
    ) -> dict[str, FloatArray]:
        logits, _ = self._forward(features)
        return {"loss": _loss(logits, y, weight)[0], "probs": _sigmoid(logits)}

    def _train(
        self,
        features: FloatArray,
        y: FloatArray,
        weight: FloatArray,
        lr: FloatArray,
        anchor: FloatArray,
    ) -> dict[str, FloatArray]:
        logits, kept = self._forward(features)
        loss, d_logits = _loss(logits, y, weight)
        gradients = self._gradients(kept, d_logits, with_lora=bool(lr[2] > 0.0))
        for name, gradient in gradients.items():
            pull = anchor * (self._values[name] - self._generic[name])
            rate = lr[_RATE_IDX[name]]
            self._momenta[name] = MOMENTUM * self._momenta[name] - rate * (gradient + pull)
            self._values[name] = self._values[name] + self._momenta[name]
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

    def _get_adapter(self) -> dict[str, FloatArray]:
        momenta = {MOMENTUM_PREFIX + name: v.copy() for name, v in self._momenta.items()}
        return {**{name: v.copy() for name, v in self._values.items()}, **momenta}

    def _set_adapter(self, **arrays: FloatArray) -> dict[str, FloatArray]:
        self._values = {name: arrays[name].copy() for name in _RATE_IDX}
        self._momenta = {name: arrays[MOMENTUM_PREFIX + name].copy() for name in _RATE_IDX}
        return {"ok": np.ones(1, np.float32)}

    def _reset(self) -> dict[str, FloatArray]:
        self._values = {name: v.copy() for name, v in self._generic.items()}
        self._momenta = {name: np.zeros_like(v) for name, v in self._generic.items()}
        return {"ok": np.ones(1, np.float32)}


def _signatures(n_features: int, generic: Mapping[str, FloatArray]) -> dict[str, Signature]:
    adapter = {name: v.shape for name, v in generic.items()}
    state = {**adapter, **{MOMENTUM_PREFIX + name: shape for name, shape in adapter.items()}}
    rows: dict[str, tuple[int, ...]] = {
        "features": (TRAIN_BATCH, n_features),
        "y": (TRAIN_BATCH, 1),
        "weight": (TRAIN_BATCH,),
    }
    one = {"embedding": (1, n_features), "score": (1, 1)}
    return {
        "embed": signature_of("embed", {"features": (1, n_features)}, one),
        "evaluate": signature_of("evaluate", rows, {"loss": (1,), "probs": (TRAIN_BATCH, 1)}),
        "train": signature_of("train", {**rows, "lr": (3,), "anchor": (1,)}, {"loss": (1,)}),
        "get_adapter": signature_of("get_adapter", {}, state),
        "set_adapter": signature_of("set_adapter", state, {"ok": (1,)}),
        "reset": signature_of("reset", {}, {"ok": (1,)}),
    }


def _sigmoid(logits: FloatArray) -> FloatArray:
    out: FloatArray = 1.0 / (1.0 + np.exp(-np.clip(logits, -60.0, 60.0)))
    return out


def _loss(logits: FloatArray, y: FloatArray, weight: FloatArray) -> tuple[FloatArray, FloatArray]:
    shares = (weight / max(float(weight.sum()), 1e-12)).astype(np.float32)[:, None]
    rows = np.maximum(logits, 0.0) - logits * y + np.log1p(np.exp(-np.abs(logits)))
    return np.array([(shares * rows).sum()], np.float32), shares * (_sigmoid(logits) - y)
