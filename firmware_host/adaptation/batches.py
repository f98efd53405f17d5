"""Labelled windows in the fixed batches that the exported functions take."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from firmware_host.errors import AdaptationError, AdaptationReason
from firmware_host.inference.base import FloatArray, SignatureModel, find_signature

_NOT_DATA = {"y", "weight", "lr", "anchor"}


@dataclass(frozen=True, slots=True)
class BatchShape:
    """The data input of a model's batch functions: its name and (n_rows, n_features, n_labels)."""

    name: str
    n_rows: int
    n_features: int
    n_labels: int

    @classmethod
    def of(cls, model: SignatureModel) -> BatchShape:
        """Read it from the `evaluate` signature; the networks name their data differently."""
        inputs = find_signature(model.signatures, "evaluate").inputs
        (name,) = set(inputs) - _NOT_DATA
        n_rows, n_features = inputs[name].shape
        return cls(name, n_rows, n_features, inputs["y"].shape[1])

    def fill(
        self, x: FloatArray, y: NDArray[np.int64], weight: FloatArray
    ) -> dict[str, FloatArray]:
        """Build one call's inputs from at most `n_rows` rows; the rest is zero with weight 0."""
        n = len(x)
        full_x = np.zeros((self.n_rows, self.n_features), np.float32)
        full_y = np.zeros((self.n_rows, self.n_labels), np.float32)
        full_weight = np.zeros(self.n_rows, np.float32)
        full_x[:n], full_weight[:n] = x, weight
        # One column is the probability of the positive class, two or more are one per class.
        full_y[:n] = y[:, None] if self.n_labels == 1 else np.eye(self.n_labels)[y]
        return {self.name: full_x, "y": full_y, "weight": full_weight}


@dataclass(frozen=True, slots=True)
class LabelledWindows:
    """Windows with two classes, weighted so that both count the same: (n, F), (n,), (n,)."""

    x: FloatArray
    y: NDArray[np.int64]
    weight: FloatArray

    def __len__(self) -> int:
        return len(self.x)


def balanced(
    x: FloatArray, y: NDArray[np.int64], weight: FloatArray, *, n_features: int
) -> LabelledWindows:
    """Check labelled windows, drop those of weight 0 and give both classes half of the weight.

    Raises
    ------
    AdaptationError
        `no_data` without any weighted window, `one_class` if all have the same label.
    """
    x, weight = np.asarray(x, np.float32), np.asarray(weight, np.float64)
    y = np.asarray(y).astype(np.int64)
    if x.ndim != 2 or x.shape[1] != n_features or y.shape != (len(x),) or weight.shape != y.shape:
        shapes = f"{x.shape}, {y.shape}, {weight.shape}"
        raise ValueError(f"expected (n, {n_features}), (n,), (n,); got {shapes}")
    if not (np.isfinite(x).all() and np.isfinite(weight).all() and (weight >= 0).all()):
        raise ValueError("expected finite windows and finite weights of at least 0")
    if not np.isin(y, (0, 1)).all():
        raise ValueError(f"expected labels 0 and 1, got {np.unique(y)}")
    kept = weight > 0
    if not kept.any():
        raise AdaptationError(AdaptationReason.NO_DATA, "no labelled windows to learn from")
    x, y, weight = x[kept], y[kept], weight[kept]
    if np.bincount(y, minlength=2).min() == 0:
        raise AdaptationError(
            AdaptationReason.ONE_CLASS,
            f"all {len(y)} labelled windows are of one class; both are needed to learn",
        )
    return LabelledWindows(x, y, _halved(y, weight))


def _halved(y: NDArray[np.int64], weight: NDArray[np.floating[Any]]) -> FloatArray:
    return (0.5 * weight / np.bincount(y, weight)[y]).astype(np.float32)


def draw(windows: LabelledWindows, n_rows: int, *, seed: int, step: int) -> LabelledWindows:
    """Choose the windows of one training step.

    All of them if they fit into one batch, otherwise up to half a batch of either class, both
    with half of the weight. The choice depends on seed and step alone, so that a resumed job
    draws what an uninterrupted one would.
    """
    if len(windows) <= n_rows:
        return windows
    rng = np.random.default_rng([seed, step])
    rows = np.concatenate([_pick(windows, label, n_rows // 2, rng) for label in (0, 1)])
    y = windows.y[rows]
    return LabelledWindows(windows.x[rows], y, _halved(y, windows.weight[rows]))


def _pick(
    windows: LabelledWindows, label: int, n_rows: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    rows = np.flatnonzero(windows.y == label)
    return np.sort(rng.choice(rows, min(n_rows, len(rows)), replace=False))


def chunks(model: SignatureModel, windows: LabelledWindows) -> Iterator[dict[str, FloatArray]]:
    """All windows once, in order, as inputs of the batch functions."""
    shape = BatchShape.of(model)
    for start in range(0, len(windows), shape.n_rows):
        part = slice(start, start + shape.n_rows)
        yield shape.fill(windows.x[part], windows.y[part], windows.weight[part])


def probabilities(model: SignatureModel, x: FloatArray) -> FloatArray:
    """Class probabilities (n, n_labels) of windows (n, F), a batch at a time."""
    windows = LabelledWindows(x, np.zeros(len(x), np.int64), np.ones(len(x), np.float32))
    parts = [model.run("evaluate", **inputs)["probs"] for inputs in chunks(model, windows)]
    n_labels = BatchShape.of(model).n_labels
    joined: FloatArray = np.concatenate([np.zeros((0, n_labels), np.float32), *parts])[: len(x)]
    return joined


def log_odds(model: SignatureModel, x: FloatArray) -> NDArray[np.float64]:
    """(n,) log-odds of stress, one window a call: from probabilities a sure one would be infinite."""
    rows = [model.run("infer", x=row[None, :])["logits"][0] for row in x]
    logits = np.array(rows, np.float64).reshape(len(x), 2)
    difference: NDArray[np.float64] = logits[:, 1] - logits[:, 0]
    return difference


def mean_loss(model: SignatureModel, windows: LabelledWindows) -> float:
    """Weighted loss over all windows."""
    total = weight = 0.0
    for inputs in chunks(model, windows):
        share = float(inputs["weight"].sum())
        total += share * float(model.run("evaluate", **inputs)["loss"][0])
        weight += share
    return total / weight
