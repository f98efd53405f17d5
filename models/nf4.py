"""4-bit NormalFloat: sixteen levels at the quantiles of a normal distribution, scaled by block.

Two codes a byte, the first in the low half. numpy only: the graph unpacks with a table of all 256
bytes, which needs no bit operations; tflite-runtime 2.14 has none that fit.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]

# Dettmers, Pagnoni, Holtzman, Zettlemoyer 2023, QLoRA (arXiv 2305.14314), appendix E.
LEVELS = np.array(
    [
        -1.0,
        -0.6961928009986877,
        -0.5250730514526367,
        -0.39491748809814453,
        -0.28444138169288635,
        -0.18477343022823334,
        -0.09105003625154495,
        0.0,
        0.07958029955625534,
        0.16093020141124725,
        0.24611230194568634,
        0.33791524171829224,
        0.44070982933044434,
        0.5626170039176941,
        0.7229568362236023,
        1.0,
    ],
    np.float32,
)
# Section 4 there. A smaller one is taken where 64 does not divide the weights.
BLOCK = 64
# Scales of smaller blocks would cost more than the codes save.
MIN_BLOCK = 32


@dataclass(frozen=True, eq=False)
class Packed:
    """n weights: `codes` (n / 2,) uint8, `scale` (n / block, 1) the largest magnitude of each block."""

    codes: NDArray[np.uint8]
    scale: FloatArray


def block_size(n_values: int) -> int | None:
    """Largest even block up to 64 that divides `n_values`; None if that is too small to pay."""
    sizes = range(BLOCK, MIN_BLOCK - 1, -2)
    return next((size for size in sizes if n_values % size == 0), None)


def quantise(values: FloatArray) -> Packed:
    """Nearest level of every value, blocks along the flattened array.

    Raises
    ------
    ValueError
        If no block divides the number of values.
    """
    size = block_size(values.size)
    if size is None:
        raise ValueError(f"expected a multiple of {MIN_BLOCK} to {BLOCK} values, got {values.size}")
    blocks = np.asarray(values, np.float32).reshape(-1, size)
    scale = np.abs(blocks).max(axis=1, keepdims=True)
    # Float64, so that levels that were multiplied in float32 are found again.
    share = blocks / np.where(scale > 0.0, scale, 1.0).astype(np.float64)
    middles = (LEVELS[1:].astype(np.float64) + LEVELS[:-1]) / 2.0
    codes = np.searchsorted(middles, share.reshape(-1)).astype(np.uint8)
    return Packed(codes[0::2] | codes[1::2] << 4, scale)


def dequantise(packed: Packed) -> FloatArray:
    """(n,) float32, as the graph computes them: level times scale."""
    levels = byte_levels()[packed.codes].reshape(len(packed.scale), -1)
    return (levels * packed.scale).reshape(-1)


def byte_levels() -> FloatArray:
    """(256, 2) the two levels that each byte stands for."""
    byte = np.arange(256)
    return np.stack([LEVELS[byte & 15], LEVELS[byte >> 4]], axis=1)


def rounded(values: FloatArray) -> FloatArray:
    """Values on their 4-bit levels, same shape; doing it twice changes nothing."""
    return dequantise(quantise(values)).reshape(values.shape)
