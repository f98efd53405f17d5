"""Pickles of numpy arrays from strangers, read without running what is in them.

A pickle is a program: loading one calls whatever it names. Here it may name the few functions that numpy's own
arrays are rebuilt with, and what it gets by those names is ours: numpy's constructors take a buffer for an array of
Python objects, which are addresses in memory. Only numbers and text of a fixed width are rebuilt.
"""

from __future__ import annotations

import pickle
import struct
from collections.abc import Callable
from typing import IO, Any, ClassVar

import numpy as np

from firmware_host.errors import RecordingError

# Kinds of numpy types whose values are plain bytes, with their width; "S5" is five bytes of text.
_KINDS = "biufcSU"
_SHAPE_ONLY = (0,)
_PART_BYTES = 1 << 24


def _refuse(text: str) -> pickle.UnpicklingError:
    return pickle.UnpicklingError(text)


def _latin1(text: str, encoding: str = "latin1") -> bytes:
    """Bytes as Python 3 writes them in pickles that Python 2 can read."""
    if encoding != "latin1":
        raise _refuse(f"text encoded as {encoding}")
    return text.encode("latin1")


class _Type:
    """A numpy type as pickles build it: its code first, its byte order and details after."""

    def __init__(self, code: str, *_flags: object) -> None:
        self.numpy = np.dtype(str(code))
        if self.numpy.kind not in _KINDS:
            raise _refuse(f"it asks for arrays of {self.numpy}")

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        # Version, byte order, and what only types with fields have.
        _version, order, *details = state
        if any(detail is not None for detail in details[:3]):
            raise _refuse("it asks for arrays of records")
        self.numpy = self.numpy.newbyteorder(order)


class _Array(np.ndarray):  # type: ignore[type-arg]
    """An array that is filled from bytes of exactly its size, or not at all."""

    def __setstate__(self, state: tuple[Any, ...]) -> None:  # type: ignore[override]
        _version, shape, kind, is_fortran, content = state
        filled = _filled(content, kind, shape, "F" if is_fortran else "C")
        # Version of numpy's state, and rows first from here on.
        super().__setstate__((1, filled.shape, filled.dtype, False, filled.tobytes()))


def _filled(content: Any, kind: Any, shape: Any, order: str) -> np.ndarray[Any, Any]:
    if not isinstance(kind, _Type):
        raise _refuse("an array without a type")
    if isinstance(content, str):
        content = content.encode("latin1")
    flat: np.ndarray[Any, Any] = np.frombuffer(content, kind.numpy)
    return flat.reshape(shape, order="F" if order == "F" else "C")


def _reconstruct(_subtype: object, shape: object, _code: object) -> _Array:
    """Make the empty array that its state fills."""
    if shape != _SHAPE_ONLY:
        raise _refuse("an array of a size before its content")
    return np.empty(0, np.uint8).view(_Array)


def _scalar(kind: Any, content: Any) -> Any:
    """One number."""
    return _filled(content, kind, (1,), "C")[0]


def _from_buffer(
    content: Any, kind: Any, shape: Any, order: str, axes: Any = None
) -> np.ndarray[Any, Any]:
    """Rebuild an array as protocol 5 has it; ``axes`` are how numpy 2 says in which order they lie."""
    filled = _filled(content, kind, shape, order)
    return filled if axes is None else filled.transpose(axes)


def _ndarray(*_: object) -> None:
    """Stand for numpy's array type, which a pickle may name, but not call."""
    raise _refuse("it calls numpy.ndarray")


_ALLOWED: dict[tuple[str, str], Callable[..., Any]] = {
    ("numpy", "ndarray"): _ndarray,
    ("numpy", "dtype"): _Type,
    ("_codecs", "encode"): _latin1,
}
# numpy 2 renamed its own modules.
for _core in ("numpy.core", "numpy._core"):
    _ALLOWED[_core + ".multiarray", "_reconstruct"] = _reconstruct
    _ALLOWED[_core + ".multiarray", "scalar"] = _scalar
    _ALLOWED[_core + ".numeric", "_frombuffer"] = _from_buffer


class _ArraysOnly(pickle._Unpickler):
    """The unpickler in Python: the one in C makes room for any number of objects that ten bytes speak of."""

    dispatch: ClassVar = dict(pickle._Unpickler.dispatch)

    def find_class(self, module: str, name: str) -> Callable[..., Any]:
        allowed = _ALLOWED.get((module, name))
        if allowed is None:
            raise _refuse(f"it asks for {module}.{name}")
        return allowed


def _load_bytearray(self: Any) -> None:
    """Read first, make room after."""
    (n_bytes,) = struct.unpack("<Q", self.read(8))
    self.append(bytearray(self.read(n_bytes)))


def _load_build(self: Any) -> None:
    """Give a state to what we made, never to our functions, which lie on the stack as well."""
    state = self.stack.pop()
    made = self.stack[-1]
    if not isinstance(made, _Type | _Array):
        raise _refuse("it changes what is no array")
    made.__setstate__(state)


_ArraysOnly.dispatch[pickle.BYTEARRAY8[0]] = _load_bytearray
_ArraysOnly.dispatch[pickle.BUILD[0]] = _load_build


class _Stream:
    """A file of which a pickle can read no more than there is."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.readline = file.readline

    def read(self, n_bytes: int) -> bytes:
        parts = []
        while n_bytes > 0 and (part := self._file.read(min(n_bytes, _PART_BYTES))):
            parts.append(part)
            n_bytes -= len(part)
        return b"".join(parts)


def load_arrays(file: IO[bytes], where: object) -> Any:
    """Dicts, lists, numbers, text and numpy arrays of a pickle of Python 2 or 3.

    Raises
    ------
    RecordingError
        If the pickle is cut, or asks for anything but numpy arrays of numbers and text.
    """
    expected = "a complete pickle of numpy arrays and nothing else"
    try:
        return _ArraysOnly(_Stream(file), encoding="latin1").load()
    except Exception as err:
        # A damaged pickle can raise nearly anything.
        raise RecordingError(where, expected, f"another; {err or type(err).__name__}") from err
