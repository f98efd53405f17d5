"""Pickles of numpy arrays from strangers, read without running what is in them.

A pickle is a program: loading one calls whatever it names. Here it may name the few functions that
numpy's own arrays are rebuilt with, and nothing else.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import IO, Any

import numpy as np

from firmware_host.errors import RecordingError


def _latin1(text: str, encoding: str = "latin1") -> bytes:
    """Bytes as Python 3 writes them in pickles that Python 2 can read."""
    if encoding != "latin1":
        msg = f"text encoded as {encoding}"
        raise pickle.UnpicklingError(msg)
    return text.encode("latin1")


# Taken from numpy itself, whatever its version calls the module.
_RECONSTRUCT = np.empty(0).__reduce__()[0]
_SCALAR = np.float64(0.0).__reduce__()[0]
_FROM_BUFFER = np.empty(0).__reduce_ex__(5)[0]
_ALLOWED: dict[tuple[str, str], Callable[..., Any]] = {
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("numpy.core.multiarray", "_reconstruct"): _RECONSTRUCT,
    ("numpy._core.multiarray", "_reconstruct"): _RECONSTRUCT,
    ("numpy.core.multiarray", "scalar"): _SCALAR,
    ("numpy._core.multiarray", "scalar"): _SCALAR,
    ("numpy.core.numeric", "_frombuffer"): _FROM_BUFFER,
    ("numpy._core.numeric", "_frombuffer"): _FROM_BUFFER,
    ("_codecs", "encode"): _latin1,
}


class _ArraysOnly(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Callable[..., Any]:
        allowed = _ALLOWED.get((module, name))
        if allowed is None:
            msg = f"it asks for {module}.{name}"
            raise pickle.UnpicklingError(msg)
        return allowed


def load_arrays(file: IO[bytes], where: object) -> Any:
    """Dicts, lists, numbers, text and numpy arrays of a pickle of Python 2 or 3.

    Raises
    ------
    RecordingError
        If the pickle is cut, or asks for anything but numpy arrays.
    """
    expected = "a complete pickle of numpy arrays and nothing else"
    try:
        return _ArraysOnly(file, encoding="latin1").load()
    except Exception as err:
        # A damaged pickle can raise nearly anything.
        raise RecordingError(where, expected, f"another; {err or type(err).__name__}") from err
