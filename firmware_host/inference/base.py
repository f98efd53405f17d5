"""The model seam: named signatures over float32 arrays, whichever runtime is behind them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from firmware_host.errors import InferenceError

FloatArray = NDArray[np.float32]

# Names in an adapter that are not weights: where each one was heading.
MOMENTUM_PREFIX = "momentum_"


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """Name and fixed shape of one float32 input or output."""

    name: str
    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Signature:
    """What one exported function takes and gives, by name; the order carries no meaning."""

    name: str
    inputs: Mapping[str, TensorSpec]
    outputs: Mapping[str, TensorSpec]


class SignatureModel(Protocol):
    """A model that is called by signature name.

    Implementations are safe to call from several threads, keep their adapter between calls, give
    outputs that the caller owns, and leave themselves usable after a call that was refused.
    """

    @property
    def signatures(self) -> Mapping[str, Signature]:
        """Every exported function by name."""
        ...

    def run(self, signature: str, **arrays: FloatArray) -> dict[str, FloatArray]:
        """Call one signature; gives its outputs by name.

        Raises
        ------
        InferenceError
            If the signature is unknown, or an input is missing, unknown, of another shape, not
            float32 or not finite. The model is unchanged then.
        """
        ...


def runs_on(model: SignatureModel) -> str:
    """What computes a model, for people and for the ledger: runtime, kernels, accelerator."""
    return str(getattr(model, "runs_on", "plain numpy"))


def signature_of(
    name: str, inputs: Mapping[str, tuple[int, ...]], outputs: Mapping[str, tuple[int, ...]]
) -> Signature:
    """Build a signature from plain name -> shape tables."""
    return Signature(name, _specs(inputs.items()), _specs(outputs.items()))


def _specs(shapes: Iterable[tuple[str, tuple[int, ...]]]) -> dict[str, TensorSpec]:
    return {name: TensorSpec(name, tuple(shape)) for name, shape in shapes}


def find_signature(signatures: Mapping[str, Signature], name: str) -> Signature:
    """Look up one signature; the error lists those that exist."""
    try:
        return signatures[name]
    except KeyError:
        known = ", ".join(sorted(signatures))
        raise InferenceError(f"no signature {name!r} in this model; it has: {known}") from None


def check_inputs(signature: Signature, arrays: Mapping[str, FloatArray]) -> None:
    """Refuse a call before it reaches a runtime.

    tflite-runtime 2.14 with XNNPACK answers a wrong shape with an exception and the next, correct
    call with a segmentation fault, and every runtime lets NaN through in silence, so nothing
    unchecked may go further than this.
    """
    _check_names(signature, arrays)
    for name, spec in signature.inputs.items():
        array = arrays[name]
        where = f"{signature.name}({name})"
        if not isinstance(array, np.ndarray) or array.dtype != np.float32:
            received = array.dtype if isinstance(array, np.ndarray) else type(array).__name__
            raise InferenceError(f"{where}: expected a float32 array, received {received}")
        if array.shape != spec.shape:
            raise InferenceError(f"{where}: expected shape {spec.shape}, received {array.shape}")
        if not np.isfinite(array).all():
            n_bad = int(array.size - np.isfinite(array).sum())
            raise InferenceError(
                f"{where}: expected finite values, received {n_bad} NaN or inf of {array.size}"
            )


def _check_names(signature: Signature, arrays: Mapping[str, FloatArray]) -> None:
    if signature.inputs.keys() == arrays.keys():
        return
    expected, received = set(signature.inputs), set(arrays)
    missing = ", ".join(sorted(expected - received)) or "none"
    unknown = ", ".join(sorted(received - expected)) or "none"
    raise InferenceError(
        f"{signature.name}: expected inputs {sorted(expected)}; missing: {missing}; "
        f"unknown: {unknown}"
    )
