"""Which weights of the two networks are rounded to int8 before they are exported, and along what.

Rounding comes first and storing follows, so golden numbers, thresholds and tests all see the
network that ships. Heads, biases and everything else that is small or learned stays float32.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

import numpy as np

from training.bundle.int8 import MIN_VALUES, rounded

# Name -> axis with a scale of its own: an output of the layer, a channel of a depthwise kernel, a
# placement of the whitening. The start of a low-rank factor is drawn at random: rounding it only
# draws another one.
_AXES = (
    (re.compile(r"dense\d+_w"), 0),
    # The trainer's own names, turned around there: an output is a column.
    (re.compile(r"w\d+"), -1),
    (re.compile(r"lora\d*_a"), 0),
    (re.compile(r"dw\d+_w"), 2),
    (re.compile(r"(stem|pw\d+|spectrum|hidden|logits)_w"), -1),
)


def rounded_weights(weights: Any) -> Any:
    """Copy of a dataclass of arrays, mappings of arrays included, with large weights rounded."""
    changed = {
        field.name: _rounded(field.name, getattr(weights, field.name)) for field in fields(weights)
    }
    return replace(weights, **changed)


def rounded_arrays(arrays: Mapping[str, Any]) -> dict[str, Any]:
    """Copy of arrays by name with the large weights rounded."""
    return {name: _rounded(name, value) for name, value in arrays.items()}


def _rounded(name: str, value: Any) -> Any:
    if isinstance(value, Mapping):
        return rounded_arrays(value)
    if not isinstance(value, np.ndarray) or value.size < MIN_VALUES:
        return value
    if name == "directions":
        # (k, F), or (P, k, F) which the network flattens to one row for each placement.
        return rounded(value.reshape(-1, *value.shape[-2:]), 0).reshape(value.shape)
    axis = next((axis for pattern, axis in _AXES if pattern.fullmatch(name)), None)
    return value if axis is None else rounded(value, axis)
