"""PyTorch, eager: ``python -m bench.learning.torch_eager``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional

from bench.learning.probe import Step, main
from bench.learning.workload import (
    BRANCHES,
    LEARNING_RATE,
    LORA_SCALE,
    MOMENTUM,
    FloatArray,
    Workload,
)

Tensor = Any


class Network:
    """Both networks over plain tensors; signals as (N, C, T), as PyTorch's convolutions want."""

    def __init__(self, workload: Workload) -> None:
        self._frozen = {name: _laid_out(name, v) for name, v in workload.frozen.items()}
        self.values = {
            name: torch.tensor(v, requires_grad=True) for name, v in workload.trained.items()
        }
        self.forward = {"stress": self._stress, "conv": self._conv}[workload.name]

    def _stress(self, inputs: Mapping[str, Tensor]) -> Tensor:
        x = inputs["x"]
        h = functional.relu(self._dense("dense1", "lora1", x))
        h = functional.relu(self._dense("dense2", "lora2", h))
        return self._head(torch.cat([h, x], dim=1))

    def _conv(self, inputs: Mapping[str, Tensor]) -> Tensor:
        pooled = torch.cat([self._branch(name, inputs[name]) for name in BRANCHES], dim=1)
        return self._head(functional.relu(self._dense("fuse", "fuse", pooled)))

    def _branch(self, name: str, x: Tensor) -> Tensor:
        branch, frozen = BRANCHES[name], self._frozen
        x = _same(x.transpose(1, 2), branch.kernel, 2)
        x = functional.conv1d(x, frozen[f"{name}_stem_w"], frozen[f"{name}_stem_b"], stride=2)
        x = functional.relu(x)
        for i, (_, stride) in enumerate(branch.blocks):
            kernel, bias = frozen[f"{name}_dw{i}_w"], frozen[f"{name}_dw{i}_b"]
            x = _same(x, branch.kernel, stride)
            x = functional.conv1d(x, kernel, bias, stride=stride, groups=x.shape[1])
            x = functional.relu(x)
            layer = f"{name}_pw{i}"
            y = functional.conv1d(x, frozen[f"{layer}_w"][:, :, None], frozen[f"{layer}_b"])
            if branch.is_adapted(i):
                code = functional.conv1d(x, self.values[f"{layer}_a"][:, :, None])
                y = y + LORA_SCALE * functional.conv1d(code, self.values[f"{layer}_b"][:, :, None])
            x = functional.relu(y)
        return x.mean(dim=2)

    def _dense(self, layer: str, adapter: str, x: Tensor) -> Tensor:
        a, b = self.values[f"{adapter}_a"], self.values[f"{adapter}_b"]
        y = functional.linear(x, self._frozen[f"{layer}_w"], self._frozen[f"{layer}_b"])
        return y + LORA_SCALE * functional.linear(functional.linear(x, a), b)

    def _head(self, x: Tensor) -> Tensor:
        return functional.linear(x, self.values["head_w"], self.values["head_b"])


def _laid_out(name: str, value: FloatArray) -> Tensor:
    """Kernels (1, k, in, out) as (out, in, k), depthwise ones as (C, 1, k); the rest as it is."""
    if value.ndim != 4:
        return torch.tensor(value)
    axes = (1, 2, 0) if "_dw" in name else (2, 1, 0)
    return torch.tensor(value[0].transpose(axes).copy())


def _same(x: Tensor, kernel: int, stride: int) -> Tensor:
    """Pad (N, C, T) as TensorFlow's SAME does, which PyTorch does not know for strides."""
    n = x.shape[2]
    total = max((-(-n // stride) - 1) * stride + kernel - n, 0)
    return functional.pad(x, (total // 2, total - total // 2))


def make(workload: Workload, _folder: Path) -> tuple[Step, str]:
    """One thread; the optimizer that PyTorch brings."""
    torch.set_num_threads(1)
    network = Network(workload)
    optimizer = torch.optim.SGD(network.values.values(), LEARNING_RATE, momentum=MOMENTUM)

    def step(inputs: dict[str, FloatArray], labels: FloatArray) -> float:
        given = {name: torch.from_numpy(value) for name, value in inputs.items()}
        optimizer.zero_grad()
        loss = functional.cross_entropy(network.forward(given), torch.from_numpy(labels))
        loss.backward()
        optimizer.step()
        return float(loss.item())

    return step, f"torch {torch.__version__}"


if __name__ == "__main__":
    raise SystemExit(main(make))
