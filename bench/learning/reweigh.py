"""The same .tflite file with other weights: what converting each person's network would give.

A conversion takes seconds and differs from another of the same network in constants alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from firmware_host.inference.base import FloatArray
from training.bundle.flatbuffer import pack, unpack


def reweighted(
    content: bytes, old: Mapping[str, FloatArray], new: Mapping[str, FloatArray]
) -> bytes:
    """Replace every constant that holds an old array, or its transpose, by the new one.

    Arrays of zeros are left alone in both: there is no telling them apart.

    Raises
    ------
    ValueError
        If an array is in no constant, or zeros would have to become something else.
    """
    model, found = unpack(content), set()
    known = {key: name for name, values in old.items() for key in _forms(values)}
    for buffer in model.buffers:
        name = known.get(bytes(buffer.data)) if buffer.data is not None else None
        if name is not None and old[name].any():
            turned = bytes(buffer.data) != old[name].tobytes()
            values = new[name].T if turned else new[name]
            buffer.data = np.frombuffer(np.ascontiguousarray(values).tobytes(), np.uint8)
            found.add(name)
    missing = [n for n, v in old.items() if n not in found and (v.any() or new[n].any())]
    if missing:
        raise ValueError(f"expected constants of {', '.join(missing)} in the file, found none")
    return pack(model)


def _forms(values: Any) -> tuple[bytes, bytes]:
    return values.tobytes(), np.ascontiguousarray(values.T).tobytes()
