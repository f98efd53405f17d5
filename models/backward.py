"""Gradients derived by hand, in ops that every TFLite runtime has built in.

An autodiff graph of these layers needs `ReluGrad`, which only the Flex delegate offers, and no
wheel for a small Linux host carries that delegate.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import tensorflow as tf

Tensor = tf.Tensor


class LoraGradients(NamedTuple):
    """Gradients by the two low-rank factors and the part that flows on to the input."""

    a: Tensor
    b: Tensor
    x: Tensor


class CosineGradients(NamedTuple):
    """Gradients by the direction and by the two low-rank factors."""

    w: Tensor
    a: Tensor
    b: Tensor


def relu_backward(y: Tensor, dy: Tensor) -> Tensor:
    """Pass the gradient where the relu *output* is positive; a bool mask, a quarter of a float."""
    return tf.where(y > 0.0, dy, 0.0)


def lora_backward(
    dy: Tensor, *, x: Tensor, code: Tensor, a: Tensor, b: Tensor, scale: float
) -> LoraGradients:
    """Backward of `scale * (x A^T) B^T`; x (N, in), code = x A^T (N, rank), dy (N, out)."""
    d_code = scale * tf.matmul(dy, b)  # (N, rank)
    return LoraGradients(
        a=tf.matmul(d_code, x, transpose_a=True),  # (rank, in)
        b=scale * tf.matmul(dy, code, transpose_a=True),  # (out, rank)
        x=tf.matmul(d_code, a),  # (N, in)
    )


def dense_backward(
    dy: Tensor, *, x: Tensor, code: Tensor, weight: Tensor, a: Tensor, b: Tensor, scale: float
) -> LoraGradients:
    """Backward of `lora.lora_dense`: the frozen weight only passes the gradient on."""
    low_rank = lora_backward(dy, x=x, code=code, a=a, b=b, scale=scale)
    return low_rank._replace(x=low_rank.x + tf.matmul(dy, weight))


def head_backward(x: Tensor, dy: Tensor) -> tuple[Tensor, Tensor]:
    """Gradients of `x W^T + bias` by W (out, in) and bias (out,); x (N, in), dy (N, out)."""
    return tf.matmul(dy, x, transpose_a=True), tf.reduce_sum(dy, axis=0)


def cosine(y: Tensor, w: Tensor) -> tuple[Tensor, Tensor]:
    """Product (N, 1) of `w` (1, D) with the rows of y (N, D) at length 1, and 1 / their length."""
    # 1e-12 keeps an all-zero row at zero instead of NaN.
    inverse = tf.math.rsqrt(tf.reduce_sum(y * y, axis=1, keepdims=True) + 1e-12)
    return inverse * tf.matmul(y, w, transpose_b=True), inverse


def cosine_backward(
    d: Tensor, kept: Mapping[str, Tensor], *, w: Tensor, b: Tensor, scale: float
) -> CosineGradients:
    """Backward of `cosine(y, w)` by w, and by the low-rank part of y, `scale * (x A^T) B^T`.

    d (N, 1) is by the cosine; `kept` has x (N, in), code = x A^T (N, rank), y (N, D), cosine and
    inverse (N, 1). The gradient by y is `p w - q y`, a column times a row less the rows of y
    scaled: its products are taken of either part, and nothing of its size is ever made.
    """
    y, code = kept["y"], kept["code"]
    p = kept["inverse"] * d  # (N, 1)
    q = kept["inverse"] * p * kept["cosine"]  # (N, 1)
    d_code = scale * (p * tf.matmul(w, b) - q * tf.matmul(y, b))  # (N, rank)
    along_w = tf.matmul(w, tf.matmul(p, code, transpose_a=True), transpose_a=True)  # (D, rank)
    along_y = tf.matmul(y, q * code, transpose_a=True)
    return CosineGradients(
        w=tf.matmul(p, y, transpose_a=True),  # (1, D)
        a=tf.matmul(d_code, kept["x"], transpose_a=True),  # (rank, in)
        b=scale * (along_w - along_y),  # (D, rank)
    )


def row_shares(weight: Tensor) -> Tensor:
    """Weights (N,) as shares of their sum, (N, 1); all zero gives zeros, not NaN."""
    total = tf.maximum(tf.reduce_sum(weight), 1e-12)
    return tf.reshape(weight / total, [-1, 1])


def softmax_loss(logits: Tensor, y: Tensor, shares: Tensor) -> tuple[Tensor, Tensor]:
    """Weighted cross-entropy (1,) and its gradient by the logits; all (N, C), shares (N, 1)."""
    rows = tf.reduce_sum(y * tf.nn.log_softmax(logits), axis=1, keepdims=True)
    loss = -tf.reshape(tf.reduce_sum(shares * rows), [1])
    return loss, shares * (tf.nn.softmax(logits) - y)


def sigmoid_loss(logits: Tensor, y: Tensor, shares: Tensor) -> tuple[Tensor, Tensor]:
    """Weighted binary cross-entropy (1,) and its gradient by the logits; all (N, 1)."""
    # log(1 + e^z) - y z without overflow, in ops that lower.
    rows = tf.maximum(logits, 0.0) - logits * y + tf.math.log(1.0 + tf.exp(-tf.abs(logits)))
    loss = tf.reshape(tf.reduce_sum(shares * rows), [1])
    return loss, shares * (tf.sigmoid(logits) - y)
