"""A network in plain numpy behind the host's model seam: what every such twin has in common."""

from __future__ import annotations

import threading
from collections.abc import Mapping

import numpy as np
from numpy.typing import DTypeLike, NDArray

from firmware_host.inference.base import (
    MOMENTUM_PREFIX,
    FloatArray,
    Signature,
    check_inputs,
    find_signature,
    signature_of,
)
from models.signatures import TRAIN_BATCH

MOMENTUM = 0.9

Outputs = dict[str, FloatArray]


class NumpyModel:
    """Trainable arrays with their momenta, and calls by the name of a signature.

    Signature `name` is the method `_name` of the network that derives from this. It does not
    imitate a runtime's traps: no graph, no delegate, no crash after a refused call.

    Parameters
    ----------
    generic
        Trainable arrays by name, as they are before anything is learned.
    rate_idx
        Name -> which of the learning rates moves it.
    signatures
        Of everything that the network can do.
    dtype
        What learning computes in; in and out go float32.
    """

    def __init__(
        self,
        generic: Mapping[str, FloatArray],
        rate_idx: Mapping[str, int],
        signatures: Mapping[str, Signature],
        *,
        dtype: DTypeLike = np.float32,
    ) -> None:
        self._dtype = np.dtype(dtype)
        self._generic = {name: np.array(generic[name], self._dtype) for name in rate_idx}
        self._rate_idx = dict(rate_idx)
        self._signatures = signatures
        self._lock = threading.Lock()
        self._reset()

    @property
    def signatures(self) -> Mapping[str, Signature]:
        """Every function by name."""
        return self._signatures

    def run(self, signature: str, **arrays: FloatArray) -> Outputs:
        """Call one signature; gives its outputs by name, each a copy."""
        check_inputs(find_signature(self._signatures, signature), arrays)
        with self._lock, np.errstate(over="ignore", invalid="ignore"):
            outputs = getattr(self, f"_{signature}")(**arrays)
        return {name: np.asarray(value, np.float32) for name, value in outputs.items()}

    def _step(self, gradients: Mapping[str, NDArray], lr: FloatArray, anchor: FloatArray) -> None:
        """Move every array that has a gradient, pulled towards the generic one by `anchor`."""
        rates, strength = lr.astype(self._dtype), anchor.astype(self._dtype)
        for name, gradient in gradients.items():
            pull = strength * (self._values[name] - self._generic[name])
            rate = rates[self._rate_idx[name]]
            self._momenta[name] = MOMENTUM * self._momenta[name] - rate * (gradient + pull)
            self._values[name] = self._values[name] + self._momenta[name]

    def _get_adapter(self) -> dict[str, NDArray]:
        momenta = {MOMENTUM_PREFIX + name: v.copy() for name, v in self._momenta.items()}
        return {**{name: v.copy() for name, v in self._values.items()}, **momenta}

    def _set_adapter(self, **arrays: FloatArray) -> Outputs:
        self._values = {n: np.array(arrays[n], self._dtype) for n in self._rate_idx}
        self._momenta = {
            n: np.array(arrays[MOMENTUM_PREFIX + n], self._dtype) for n in self._rate_idx
        }
        return {"ok": np.ones(1, np.float32)}

    def _reset(self) -> Outputs:
        self._values = {name: v.copy() for name, v in self._generic.items()}
        self._momenta = {name: np.zeros_like(v) for name, v in self._generic.items()}
        return {"ok": np.ones(1, np.float32)}


def learning_signatures(
    data: str, n_features: int, n_labels: int, generic: Mapping[str, NDArray]
) -> dict[str, Signature]:
    """Signatures over labelled rows of the input `data`, and those of the trainable arrays."""
    adapter = {name: v.shape for name, v in generic.items()}
    state = {**adapter, **{MOMENTUM_PREFIX + name: shape for name, shape in adapter.items()}}
    labels = (TRAIN_BATCH, n_labels)
    rows = {data: (TRAIN_BATCH, n_features), "y": labels, "weight": (TRAIN_BATCH,)}
    return {
        "evaluate": signature_of("evaluate", rows, {"loss": (1,), "probs": labels}),
        "train": signature_of("train", {**rows, "lr": (3,), "anchor": (1,)}, {"loss": (1,)}),
        "get_adapter": signature_of("get_adapter", {}, state),
        "set_adapter": signature_of("set_adapter", state, {"ok": (1,)}),
        "reset": signature_of("reset", {}, {"ok": (1,)}),
    }


def shares_of(weight: FloatArray) -> FloatArray:
    """(n, 1) weights of rows as shares of the whole; all zero if nothing weighs anything."""
    shares: FloatArray = (weight / max(float(weight.sum()), 1e-12)).astype(np.float32)[:, None]
    return shares
