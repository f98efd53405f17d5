"""Arrays and plain facts as bytes: the same values always give the same bytes, no code inside.

Layout: ``SGP1``, header length (u32 LE), header (JSON, sorted keys), then each array's values,
little-endian, C order, in the order of the header.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from firmware_host.errors import VaultError

_MAGIC = b"SGP1"
_PREFIX = struct.Struct("<4sI")
_DTYPES = frozenset(["<f4", "<f8", "|i1", "<i2", "<i4", "<i8", "|u1", "<u2", "<u4", "<u8", "|b1"])
_MAX_DIMS = 8

Arrays = dict[str, npt.NDArray[Any]]


def pack(arrays: Mapping[str, npt.ArrayLike], meta: Mapping[str, Any] | None = None) -> bytes:
    """Bytes of named arrays and a JSON-ready mapping.

    Raises
    ------
    ValueError
        If an array's type is none of float, integer or bool, or `meta` is not plain JSON.
    """
    header: dict[str, Any] = {"arrays": [], "meta": dict(meta or {})}
    bodies: list[bytes] = []
    for name in sorted(arrays):
        values = np.asarray(arrays[name])
        values = values.astype(values.dtype.newbyteorder("<"), copy=False)
        if values.dtype.str not in _DTYPES:
            msg = f"array {name}: expected float, integer or bool, got {values.dtype}"
            raise ValueError(msg)
        header["arrays"].append([name, values.dtype.str, list(values.shape)])
        bodies.append(values.tobytes(order="C"))
    text = json.dumps(header, sort_keys=True, separators=(",", ":"), allow_nan=False)
    encoded = text.encode("utf-8")
    return b"".join([_PREFIX.pack(_MAGIC, len(encoded)), encoded, *bodies])


def is_packed(payload: bytes) -> bool:
    """Whether bytes begin as `pack` writes them."""
    return payload[:4] == _MAGIC


def unpack(payload: bytes) -> tuple[Arrays, dict[str, Any]]:
    """Arrays (own copies) and meta of packed bytes.

    Raises
    ------
    VaultError
        If the bytes are of another format, too short, too long, or name an unknown type.
    """
    try:
        magic, length = _PREFIX.unpack_from(payload)
        if magic != _MAGIC:
            msg = f"packed record: expected {_MAGIC!r}, got {magic!r}"
            raise VaultError(msg)
        header = json.loads(payload[_PREFIX.size : _PREFIX.size + length])
        arrays = _read_arrays(memoryview(payload)[_PREFIX.size + length :], header["arrays"])
        return arrays, dict(header["meta"])
    except (
        struct.error,
        ValueError,
        LookupError,
        TypeError,
        ArithmeticError,
        RecursionError,
    ) as err:
        msg = f"packed record: expected whole arrays, got {len(payload)} bytes that are not"
        raise VaultError(msg) from err


def _read_arrays(body: memoryview, specs: list[Any]) -> Arrays:
    arrays: Arrays = {}
    offset = 0
    for name, dtype, shape in specs:
        if dtype not in _DTYPES or len(shape) > _MAX_DIMS or any(n < 0 for n in shape):
            msg = f"array {name!r} of type {dtype!r}"
            raise ValueError(msg)
        count = 1
        for n in shape:
            count *= int(n)
        n_bytes = count * np.dtype(dtype).itemsize
        if offset + n_bytes > len(body):
            msg = f"array {name!r} is cut"
            raise ValueError(msg)
        flat = np.frombuffer(body[offset : offset + n_bytes], dtype=dtype)
        arrays[str(name)] = flat.reshape([int(n) for n in shape]).copy()
        offset += n_bytes
    if offset != len(body):
        msg = f"{len(body) - offset} bytes left over"
        raise ValueError(msg)
    return arrays
