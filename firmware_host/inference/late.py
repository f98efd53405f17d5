"""A model that is opened once it has to differ from another one of the same file."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping

from firmware_host.inference.base import FloatArray, Signature, SignatureModel, runs_on

# What reads a model and changes nothing in it.
_READS = ("infer",)


class LateModel:
    """Answers as its twin does until something is written into it.

    A wearer of whom nothing was learned needs no second copy, which takes memory and time to open.

    Parameters
    ----------
    twin
        A model of the same file that nobody ever writes into.
    open_own
        Opens the copy.
    """

    def __init__(self, twin: SignatureModel, open_own: Callable[[], SignatureModel]) -> None:
        self._twin = twin
        self._open_own = open_own
        self._own: SignatureModel | None = None
        self._lock = threading.Lock()

    @property
    def signatures(self) -> Mapping[str, Signature]:
        """Every exported function by name."""
        return self._twin.signatures

    @property
    def runs_on(self) -> str:
        """What computes the model."""
        return runs_on(self._own or self._twin)

    def run(self, signature: str, **arrays: FloatArray) -> dict[str, FloatArray]:
        """Call one signature; gives its outputs by name.

        Raises
        ------
        InferenceError
            As the model itself.
        BundleError
            If the file, once open as the twin, cannot be opened again.
        """
        with self._lock:
            if self._own is None and signature not in _READS:
                self._own = self._open_own()
        return (self._own or self._twin).run(signature, **arrays)
