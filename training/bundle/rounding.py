"""Which weights of the two networks are rounded before they are exported, and along what.

Rounding comes first and storing follows, so golden numbers, thresholds and tests all see the
network that ships. Heads, biases and everything else that is small or learned stays float32.

On the way to 4 bits everything goes to int8 levels first, and most of it stays there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

import numpy as np

from models import nf4
from models.int8 import MIN_VALUES, rounded
from training.bundle.artifacts import Backbone

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


# Matrices of fully connected layers -> the order of axes in which the file holds them. Not the
# spectrum: it is no learned weight, and in 4 bits it would no longer be blind to a constant. Not
# the gate's convolutions: with them in 4 bits it no longer tells still from other.
_FILE_ORDER = (
    (re.compile(r"dense\d+_w"), (0, 1)),
    (re.compile(r"w\d+|hidden_w|logits_w"), (1, 0)),
)


def rounded_weights(weights: Any, backbone: Backbone = "int8") -> Any:
    """Copy of a dataclass of arrays, mappings of arrays included, with large weights rounded."""
    changed = {
        field.name: _rounded(field.name, getattr(weights, field.name), backbone)
        for field in fields(weights)
    }
    return replace(weights, **changed)


def rounded_arrays(arrays: Mapping[str, Any], backbone: Backbone = "int8") -> dict[str, Any]:
    """Copy of arrays by name with the large weights rounded."""
    return {name: _rounded(name, value, backbone) for name, value in arrays.items()}


def _rounded(name: str, value: Any, backbone: Backbone) -> Any:
    if isinstance(value, Mapping):
        return rounded_arrays(value, backbone)
    if backbone == "float" or not isinstance(value, np.ndarray) or value.size < MIN_VALUES:
        return value
    coarse = _to_int8(name, value)
    return coarse if backbone == "int8" else _to_nf4(name, coarse)


def _to_int8(name: str, value: Any) -> Any:
    if name == "directions":
        # (k, F), or (P, k, F) which the network flattens to one row for each placement.
        return rounded(value.reshape(-1, *value.shape[-2:]), 0).reshape(value.shape)
    axis = next((axis for pattern, axis in _AXES if pattern.fullmatch(name)), None)
    return value if axis is None else rounded(value, axis)


def _to_nf4(name: str, value: Any) -> Any:
    if name == "directions":
        # Blocks of one placement's own.
        return np.stack([nf4.rounded(one) for one in value.reshape(-1, *value.shape[-2:])]).reshape(
            value.shape
        )
    order = next((order for pattern, order in _FILE_ORDER if pattern.fullmatch(name)), None)
    if order is None or nf4.block_size(value.size) is None:
        return value
    return nf4.rounded(value.transpose(order)).transpose(np.argsort(order))
