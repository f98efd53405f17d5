"""The larger network with our own backward: layers and gradients as our networks have them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import tensorflow as tf

from bench.learning.workload import BATCH, BRANCHES, LORA_SCALE, N_CLASSES, Branch, FloatArray
from models import backward, lora
from models.signatures import SignatureShapes, adapter_signatures

Tensor = tf.Tensor
_GROUPS = {"head_w": "head", "head_b": "bias"}


class _Block(NamedTuple):
    """What the backward of one block needs: activations (N, 1, T, C) and the low-rank code."""

    inside: Tensor
    out: Tensor
    code: Tensor | None


class ConvNet(tf.Module):
    """`train` and the functions around the adapter, as our exported networks have them."""

    def __init__(self, frozen: Mapping[str, FloatArray], trained: Mapping[str, FloatArray]) -> None:
        super().__init__()
        self._frozen = tuple(frozen.items())
        groups = {name: _GROUPS.get(name, "lora") for name in trained}
        self.adapter = lora.AdapterState(trained, groups)

    @property
    def signatures(self) -> dict[str, SignatureShapes]:
        """Names and shapes of the exported functions."""
        inputs = {n: (BATCH, b.n_samples, b.n_channels) for n, b in BRANCHES.items()}
        labelled = {**inputs, "y": (BATCH, N_CLASSES), "weight": (BATCH,)}
        train = SignatureShapes({**labelled, "lr": (3,), "anchor": (1,)}, {"loss": (1,)})
        return {"train": train, **adapter_signatures(self.adapter.shapes)}

    def train(
        self, y: Tensor, weight: Tensor, lr: Tensor, anchor: Tensor, **inputs: Tensor
    ) -> dict[str, Tensor]:
        """One momentum step; gives the loss before it."""
        blocks = {name: self._branch(name, inputs[name]) for name in BRANCHES}
        pooled = tf.concat([tf.reduce_mean(b[-1].out, axis=[1, 2]) for b in blocks.values()], 1)
        frozen, v = dict(self._frozen), self.adapter.values
        z, code = lora.lora_dense(
            pooled, weight=frozen["fuse_w"], bias=frozen["fuse_b"], **self._low_rank("fuse")
        )
        hidden = tf.nn.relu(z)  # (N, 128)
        logits = tf.matmul(hidden, v["head_w"], transpose_b=True) + v["head_b"]
        loss, d_logits = backward.softmax_loss(logits, y, backward.row_shares(weight))
        d_head_w, d_head_b = backward.head_backward(hidden, d_logits)
        fuse = backward.dense_backward(
            backward.relu_backward(hidden, tf.matmul(d_logits, v["head_w"])),
            x=pooled,
            code=code,
            weight=frozen["fuse_w"],
            **self._low_rank("fuse"),
        )
        found = {"head_w": d_head_w, "head_b": d_head_b, "fuse_a": fuse.a, "fuse_b": fuse.b}
        for name, part in zip(BRANCHES, _split(fuse.x, blocks), strict=True):
            found |= self._branch_gradients(name, blocks[name], part)
        self.adapter.step(found, lr, anchor)
        return {"loss": loss}

    def _branch(self, name: str, x: Tensor) -> list[_Block]:
        branch, frozen = BRANCHES[name], dict(self._frozen)
        x = tf.reshape(x, [-1, 1, branch.n_samples, branch.n_channels])
        x = tf.nn.conv2d(x, frozen[f"{name}_stem_w"], 2, "SAME") + frozen[f"{name}_stem_b"]
        x = tf.nn.relu(x)
        blocks = []
        for i, (n_out, stride) in enumerate(branch.blocks):
            strides = [1, stride, stride, 1]
            kernel = frozen[f"{name}_dw{i}_w"]
            inside = tf.nn.depthwise_conv2d(x, kernel, strides, "SAME")
            inside = tf.nn.relu(inside + frozen[f"{name}_dw{i}_b"])
            z, code = self._pointwise(name, i, tf.reshape(inside, [-1, inside.shape[3]]))
            x = tf.nn.relu(tf.reshape(z, [-1, 1, inside.shape[2], n_out]))
            blocks.append(_Block(inside, x, code))
        return blocks

    def _pointwise(self, name: str, i: int, x: Tensor) -> tuple[Tensor, Tensor | None]:
        frozen, layer = dict(self._frozen), f"{name}_pw{i}"
        weight, bias = frozen[f"{layer}_w"], frozen[f"{layer}_b"]
        if BRANCHES[name].is_adapted(i):
            return lora.lora_dense(x, weight=weight, bias=bias, **self._low_rank(layer))
        return tf.matmul(x, weight, transpose_b=True) + bias, None

    def _branch_gradients(
        self, name: str, blocks: list[_Block], d_pooled: Tensor
    ) -> dict[str, Tensor]:
        """Down to the first adapter; nothing below it moves."""
        branch, frozen = BRANCHES[name], dict(self._frozen)
        found: dict[str, Tensor] = {}
        n_steps = blocks[-1].out.shape[2]
        dy = tf.reshape(d_pooled, [-1, 1, 1, d_pooled.shape[1]]) / float(n_steps)
        for i in reversed(range(len(blocks) - branch.n_adapted, len(blocks))):
            block, layer = blocks[i], f"{name}_pw{i}"
            n_in, n_out = block.inside.shape[3], block.out.shape[3]
            rows = tf.reshape(backward.relu_backward(block.out, dy), [-1, n_out])
            kept: dict[str, Any] = {"x": tf.reshape(block.inside, [-1, n_in]), "code": block.code}
            kept |= self._low_rank(layer)
            if not branch.is_adapted(i - 1):
                low_rank = backward.lora_backward(rows, **kept)
            else:
                low_rank = backward.dense_backward(rows, weight=frozen[f"{layer}_w"], **kept)
                d_inside = tf.reshape(low_rank.x, tf.shape(block.inside))
                d_inside = backward.relu_backward(block.inside, d_inside)
                dy = _depthwise_backward(branch, frozen[f"{name}_dw{i}_w"], i, blocks, d_inside)
            found |= {f"{layer}_a": low_rank.a, f"{layer}_b": low_rank.b}
        return found

    def _low_rank(self, layer: str) -> dict[str, Any]:
        v = self.adapter.values
        return {"a": v[f"{layer}_a"], "b": v[f"{layer}_b"], "scale": LORA_SCALE}


def _split(d_pooled: Tensor, blocks: Mapping[str, list[_Block]]) -> list[Tensor]:
    widths = [found[-1].out.shape[3] for found in blocks.values()]
    starts = [sum(widths[:i]) for i in range(len(widths))]
    return [d_pooled[:, a : a + n] for a, n in zip(starts, widths, strict=True)]


def _depthwise_backward(
    branch: Branch, kernel: FloatArray, i: int, blocks: list[_Block], dy: Tensor
) -> Tensor:
    """Gradient by the input: dy, spread by the stride, under the kernel turned around."""
    turned = kernel[:, ::-1]
    stride, n_in = branch.blocks[i][1], blocks[i - 1].out.shape[2]
    if stride == 1:
        return tf.nn.depthwise_conv2d(dy, turned, [1, 1, 1, 1], "SAME")
    n_out, n_channels = dy.shape[2], dy.shape[3]
    before = max((n_out - 1) * stride + branch.kernel - n_in, 0) // 2
    spread = tf.pad(tf.reshape(dy, [-1, n_out, 1, n_channels]), [[0, 0], [0, 0], [0, 1], [0, 0]])
    spread = tf.reshape(spread, [-1, 1, stride * n_out, n_channels])
    ends = [branch.kernel - 1 - before, n_in - stride * n_out + before]
    spread = tf.pad(spread, [[0, 0], [0, 0], ends, [0, 0]])
    return tf.nn.depthwise_conv2d(spread, turned, [1, 1, 1, 1], "VALID")
