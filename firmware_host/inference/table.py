"""The stress network in plain numpy: a model without a runtime, for tests and as an oracle."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping

import numpy as np

from firmware_host.inference.base import (
    MOMENTUM_PREFIX,
    FloatArray,
    Signature,
    check_inputs,
    find_signature,
    signature_of,
)

TRAIN_BATCH = 16
MOMENTUM = 0.9
# Trainable -> index of its learning rate: bias, head, low-rank adapters.
_RATE_IDX = {"head_b": 0, "head_w": 1, "lora1_a": 2, "lora1_b": 2, "lora2_a": 2, "lora2_b": 2}
_FROZEN = ("dense1_w", "dense1_b", "dense2_w", "dense2_b")


class TableModel:
    """Same signatures, same numbers to float32 rounding as the exported stress network.

    It does not imitate a runtime's traps: no graph, no delegate, no crash after a refused call.

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
        self._generic = {name: np.array(arrays[name], np.float32) for name in _RATE_IDX}
        self._scale = np.float32(lora_scale)
        self._lock = threading.Lock()
        self._signatures = _signatures(self._frozen["dense1_w"].shape[1], self._generic)
        self._reset()

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

    @property
    def signatures(self) -> Mapping[str, Signature]:
        """Every function by name."""
        return self._signatures

    def run(self, signature: str, **arrays: FloatArray) -> dict[str, FloatArray]:
        """Call one signature; gives its outputs by name, each a copy."""
        check_inputs(find_signature(self._signatures, signature), arrays)
        calls: dict[str, Callable[..., dict[str, FloatArray]]] = {
            "infer": self._infer,
            "evaluate": self._evaluate,
            "train": self._train,
            "get_adapter": self._get_adapter,
            "set_adapter": self._set_adapter,
            "reset": self._reset,
        }
        with self._lock, np.errstate(over="ignore", invalid="ignore"):
            return calls[signature](**arrays)

    def _forward(self, x: FloatArray) -> tuple[FloatArray, dict[str, FloatArray]]:
        f, v, s = self._frozen, self._values, self._scale
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

    def _infer(self, x: FloatArray) -> dict[str, FloatArray]:
        logits, _ = self._forward(x)
        return {"logits": logits, "probs": np.exp(_log_softmax(logits))}

    def _evaluate(self, x: FloatArray, y: FloatArray, weight: FloatArray) -> dict[str, FloatArray]:
        logits, _ = self._forward(x)
        loss, _ = _softmax_loss(logits, y, weight)
        return {"loss": loss, "probs": np.exp(_log_softmax(logits))}

    def _train(
        self,
        x: FloatArray,
        y: FloatArray,
        weight: FloatArray,
        lr: FloatArray,
        anchor: FloatArray,
    ) -> dict[str, FloatArray]:
        logits, kept = self._forward(x)
        loss, d_logits = _softmax_loss(logits, y, weight)
        for name, gradient in self._gradients(x, kept, d_logits).items():
            pull = anchor * (self._values[name] - self._generic[name])
            rate = lr[_RATE_IDX[name]]
            self._momenta[name] = MOMENTUM * self._momenta[name] - rate * (gradient + pull)
            self._values[name] = self._values[name] + self._momenta[name]
        return {"loss": loss}

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
    probs = (TRAIN_BATCH, 2)
    batch = {"x": (TRAIN_BATCH, n_features), "y": probs, "weight": (TRAIN_BATCH,)}
    shapes: dict[str, tuple[dict[str, tuple[int, ...]], dict[str, tuple[int, ...]]]] = {
        "infer": ({"x": (1, n_features)}, {"logits": (1, 2), "probs": (1, 2)}),
        "evaluate": (batch, {"loss": (1,), "probs": probs}),
        "train": ({**batch, "lr": (3,), "anchor": (1,)}, {"loss": (1,)}),
        "get_adapter": ({}, state),
        "set_adapter": (state, {"ok": (1,)}),
        "reset": ({}, {"ok": (1,)}),
    }
    return {name: signature_of(name, *pair) for name, pair in shapes.items()}


def _log_softmax(logits: FloatArray) -> FloatArray:
    shifted: FloatArray = logits - logits.max(axis=1, keepdims=True)
    out: FloatArray = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return out


def _softmax_loss(
    logits: FloatArray, y: FloatArray, weight: FloatArray
) -> tuple[FloatArray, FloatArray]:
    shares = (weight / max(float(weight.sum()), 1e-12)).astype(np.float32)[:, None]
    log_probs = _log_softmax(logits)
    loss = -(shares * y * log_probs).sum()
    return np.array([loss], np.float32), shares * (np.exp(log_probs) - y)
