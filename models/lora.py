"""Low-rank adapters and the trainable state that the exported functions share."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from models.signatures import LEARNING_RATE_GROUPS, MOMENTUM_PREFIX, n_trainables

Tensor = tf.Tensor
FloatArray = NDArray[np.float32]

MOMENTUM = 0.9


def initial_lora(
    rng: np.random.Generator, *, n_in: int, n_out: int, rank: int
) -> tuple[FloatArray, FloatArray]:
    """Draw A (rank, n_in), with B (n_out, rank) zero: attaching them changes nothing.

    References
    ----------
    Hu et al. 2021, LoRA, section 4.1.
    """
    a = rng.normal(0.0, 1.0 / np.sqrt(n_in), (rank, n_in)).astype(np.float32)
    return a, np.zeros((n_out, rank), np.float32)


def lora_dense(
    x: Tensor, *, weight: Tensor, bias: Tensor, a: Tensor, b: Tensor, scale: float
) -> tuple[Tensor, Tensor]:
    """`x (W + scale B A)^T + bias` and the low-rank code `x A^T`, which the backward needs.

    x (N, in), weight (out, in) frozen, bias (out,), a (rank, in), b (out, rank).
    Matmuls, never convolutions: the gradient of a convolution by its weights has no built-in op.
    """
    code = tf.matmul(x, a, transpose_b=True)  # (N, rank)
    y = tf.matmul(x, weight, transpose_b=True) + bias  # (N, out)
    return y + scale * tf.matmul(code, b, transpose_b=True), code


class AdapterState(tf.Module):
    """Trainable arrays by name, their momentum, and the generic values they start from.

    A flat vector of P numbers, where one is asked for, holds the arrays by name in alphabetical
    order, each row by row.

    Parameters
    ----------
    generic
        name -> initial value.
    groups
        name -> "bias", "head" or "lora": which learning rate moves it.
    """

    def __init__(self, generic: Mapping[str, FloatArray], groups: Mapping[str, str]) -> None:
        super().__init__()
        if set(generic) != set(groups):
            raise ValueError(f"expected a group for each of {sorted(generic)}, got {groups}")
        self._generic = {name: np.asarray(v, np.float32) for name, v in generic.items()}
        self._rate_idx = {name: LEARNING_RATE_GROUPS.index(g) for name, g in groups.items()}
        self.values = {name: tf.Variable(v, name=name) for name, v in self._generic.items()}
        self.momenta = {
            name: tf.Variable(np.zeros_like(v), name=MOMENTUM_PREFIX + name)
            for name, v in self._generic.items()
        }
        # One vector: a variable of its own for each array would be six more in every function.
        self._sum = tf.Variable(np.zeros(n_trainables(self.shapes), np.float32), name="sum")

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of each trainable by name."""
        return {name: value.shape for name, value in self._generic.items()}

    @property
    def generic(self) -> Mapping[str, FloatArray]:
        """Where each trainable starts from."""
        return self._generic

    def step(self, gradients: Mapping[str, Tensor], lr: Tensor, anchor: Tensor) -> None:
        """Move every trainable one momentum step, pulled to its generic value by `anchor`.

        lr (3,) by group, anchor (1,). The learning rate is inside the momentum, so that a group
        with rate 0 and its momentum at rest keeps both bit for bit.
        """
        for name, gradient in gradients.items():
            variable, momentum = self.values[name], self.momenta[name]
            moved = MOMENTUM * momentum - self._pulled(name, gradient, lr, anchor)
            momentum.assign(moved)
            variable.assign_add(moved)

    def descend(self, gradients: Mapping[str, Tensor], lr: Tensor, anchor: Tensor) -> None:
        """Move every trainable one plain step; momentum is left alone."""
        for name, gradient in gradients.items():
            self.values[name].assign_sub(self._pulled(name, gradient, lr, anchor))

    def _pulled(self, name: str, gradient: Tensor, lr: Tensor, anchor: Tensor) -> Tensor:
        pull = anchor * (self.values[name] - self._generic[name])
        return self._of_group(lr, name) * (gradient + pull)

    def accumulate(self, gradients: Mapping[str, Tensor]) -> None:
        """Add to the sum that `apply` steps from."""
        flat = [tf.reshape(gradients[name], [-1]) for name in sorted(self.shapes)]
        self._sum.assign_add(tf.concat(flat, 0))

    def apply(self, lr: Tensor, anchor: Tensor) -> Tensor:
        """Step from the accumulated gradient, and start from zero; gives its length (1,)."""
        total = self._sum.read_value()
        norm = tf.sqrt(tf.reduce_sum(total * total, keepdims=True))
        self.step(self._by_name(total), lr, anchor)
        self._clear()
        return norm

    def moving(self, flat: Tensor, lr: Tensor) -> dict[str, Tensor]:
        """A flat vector by name, zero where the learning rate is 0."""
        on = tf.cast(lr > 0.0, tf.float32)
        return {n: self._of_group(on, n) * part for n, part in self._by_name(flat).items()}

    def shifted(self, direction: Mapping[str, Tensor], by: Tensor) -> dict[str, Tensor]:
        """Every trainable `by` (1,) along a direction; the trainables themselves stay."""
        return {name: self.values[name] + by * part for name, part in direction.items()}

    def _of_group(self, by_group: Tensor, name: str) -> Tensor:
        idx = self._rate_idx[name]
        return by_group[idx : idx + 1]

    def _by_name(self, flat: Tensor) -> dict[str, Tensor]:
        names = sorted(self.shapes)
        sizes = [int(np.prod(self.shapes[name])) for name in names]
        parts = tf.split(flat, sizes)
        return {n: tf.reshape(v, self.shapes[n]) for n, v in zip(names, parts, strict=True)}

    def _clear(self) -> None:
        self._sum.assign(np.zeros(self._sum.shape, np.float32))

    def read(self) -> dict[str, Tensor]:
        """Values and momentum by name."""
        momenta = {MOMENTUM_PREFIX + n: tf.identity(v) for n, v in self.momenta.items()}
        return {**{n: tf.identity(v) for n, v in self.values.items()}, **momenta}

    def write(self, arrays: Mapping[str, Tensor]) -> None:
        """Replace values and momentum by what `read` gave; nothing is accumulated then."""
        for name in self.values:
            self.values[name].assign(arrays[name])
            self.momenta[name].assign(arrays[MOMENTUM_PREFIX + name])
        self._clear()

    def reset(self) -> None:
        """Back to the generic values, momentum zero, nothing accumulated."""
        for name, generic in self._generic.items():
            self.values[name].assign(generic)
            self.momenta[name].assign(np.zeros_like(generic))
        self._clear()
