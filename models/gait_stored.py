"""The gait network with its directions stored otherwise: as floats, or in 4 bits."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from models import nf4
from models.gait import GaitNet, GaitWeights

Tensor = tf.Tensor

# Floats of the directions that are unpacked at a time. Half of them: all at once takes twice the
# memory to embed a window, a quarter at a time six kilobytes more of file.
_MAX_UNPACKED = 7000


class FloatGaitNet(GaitNet):
    """Directions as they were fitted."""

    def _within(self, x: Tensor, place: Tensor) -> Tensor:
        w = self._weights
        directions = tf.reshape(tf.gather(w.directions, place), w.directions.shape[1:])
        along = tf.matmul(x, directions, transpose_b=True)  # (N, k)
        return tf.matmul(along * tf.gather(w.shrink, place), directions)


class FourBitGaitNet(GaitNet):
    """Directions in 4-bit NormalFloat; some of the placement in question are unpacked at a time.

    The converter cannot unpack them beforehand, because the placement is an input.

    Raises
    ------
    ValueError
        If no whole blocks divide the directions of a placement.
    """

    def __init__(self, weights: GaitWeights) -> None:
        super().__init__(weights)
        packed = [nf4.quantise(directions) for directions in weights.directions]
        codes = np.stack([one.codes for one in packed])  # (P, k F / 2)
        scales = np.stack([one.scale[:, 0] for one in packed])  # (P, blocks)
        n_parts = _n_parts(weights.directions.shape[1:], scales.shape[1])
        self._parts = [
            tuple(np.ascontiguousarray(part) for part in parts)
            for parts in zip(
                np.split(codes, n_parts, axis=1),
                np.split(scales, n_parts, axis=1),
                np.split(weights.shrink, n_parts, axis=1),
                strict=True,
            )
        ]

    def _within(self, x: Tensor, place: Tensor) -> Tensor:
        found = 0.0
        for codes, scales, shrink in self._parts:
            directions = self._unpacked(tf.gather(codes, place), tf.gather(scales, place))
            along = tf.matmul(x, directions, transpose_b=True) * tf.gather(shrink, place)
            found = found + tf.matmul(along, directions)
        return found

    def _unpacked(self, codes: Tensor, scales: Tensor) -> Tensor:
        """(rows, F) directions from their codes (1, n / 2) and scales (1, blocks)."""
        pairs = tf.gather(nf4.byte_levels(), tf.cast(codes, tf.int32))  # (1, n / 2, 2)
        blocks = tf.reshape(pairs, [scales.shape[1], -1])
        return tf.reshape(blocks * tf.transpose(scales), [-1, self._weights.directions.shape[2]])


# By how frozen weights are stored.
NETWORKS = {"int8": GaitNet, "nf4": FourBitGaitNet, "float": FloatGaitNet}


def _n_parts(shape: tuple[int, int], n_blocks: int) -> int:
    """Fewest equal parts, of whole directions and whole blocks, that are small enough."""
    n_rows, n_features = shape
    fits = [n for n in range(1, n_rows + 1) if n_rows % n == 0 and n_blocks % n == 0]
    return next((n for n in fits if n_rows * n_features // n <= _MAX_UNPACKED), fits[-1])
