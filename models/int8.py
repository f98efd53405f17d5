"""Weights rounded to int8 levels before they are exported.

A row of weights is `k * scale` with k in -127..127. The scale keeps 16 bits of mantissa, so every
product is exact in float32: a file that stores the levels computes bit for bit what the rounded
network does, in float, training included. Dynamic-range quantisation also rounds activations while
it runs, and with them the gradients.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]

LEVELS = 127
# Below this many values the scales and the op that unpacks take more than int8 saves.
MIN_VALUES = 200


def rounded(weights: FloatArray, axis: int) -> FloatArray:
    """Weights on an int8 grid with one scale for each index along `axis`.

    Each moves by at most half a 127th of the largest of its index; zero stays zero. Doing it twice
    changes nothing.
    """
    levels, scale = grid(np.asarray(weights, np.float32), axis)
    return np.asarray(levels * scale, np.float32)


def grid(weights: FloatArray, axis: int) -> tuple[FloatArray, FloatArray]:
    """Nearest levels, shaped as the weights, and the scale of each index, shaped to multiply them."""
    others = tuple(i for i in range(weights.ndim) if i != axis % weights.ndim)
    largest = np.abs(weights).max(axis=others, keepdims=True).astype(np.float64) / LEVELS
    mantissa, exponent = np.frexp(largest)
    # Upwards, so that the largest stays within 127 levels.
    scale = np.ldexp(np.ceil(mantissa * 2**16) / 2**16, exponent)
    scale = np.where(largest > 0.0, scale, 1.0).astype(np.float32)
    return np.rint(weights / scale), scale


def exact_grid(weights: FloatArray) -> tuple[FloatArray, FloatArray, int] | None:
    """Levels, scales and axis that give the weights to the bit; None if nothing does.

    Of several axes the one with the fewest scales.
    """
    for axis in sorted(range(weights.ndim), key=lambda i: weights.shape[i]):
        levels, scale = grid(weights, axis)
        if np.array_equal(levels.astype(np.float32) * scale, weights):
            return levels, scale, axis
    return None
