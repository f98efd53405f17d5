"""Other ways to find a training step than one backward over a whole batch of labels."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from firmware_host.adaptation.batches import BatchShape, draw, log_odds
from firmware_host.adaptation.evidence import Compared
from firmware_host.adaptation.learner import Pace, Training, diverged
from firmware_host.inference.base import FloatArray, SignatureModel, find_signature

# Malladi et al. 2023, Fine-tuning language models with just forward passes, appendix E.
EPSILON = 1e-3
# How hard a comparison pulls once the model agrees: at a margin of 1 / beta it lets go.
BETA = 0.5
# What comparisons weigh against labels: the share at which real ones cost labels nothing
# (docs/studies/preferences.md).
PAIR_SHARE = 0.3
# Keeps the draws of pairs apart from those of labelled windows.
_PAIR_STREAM = 2


class MicroBatchTraining(Training):
    """Each step's gradient added up from small batches, in the memory of one of them."""

    def step(self, step: int) -> float:
        """Take one step, given its index; the loss of its batch before it."""
        batch = draw(self._windows, self._shape.n_rows, seed=self._seed, step=step)
        shares = batch.weight / np.float32(batch.weight.sum())
        n_rows = find_signature(self._model.signatures, "accumulate").inputs["weight"].shape[0]
        small = BatchShape(self._shape.name, n_rows, self._shape.n_features, self._shape.n_labels)
        loss = 0.0
        for start in range(0, len(batch), n_rows):
            part = slice(start, start + n_rows)
            inputs = small.fill(batch.x[part], batch.y[part], shares[part])
            loss += float(self._model.run("accumulate", **inputs)["loss"][0])
        _refuse_infinite(loss, step)
        self._model.run("apply", **self._pace.at(step))
        return loss


class MezoTraining(Training):
    """Two forwards instead of a backward: the slope along one random direction.

    The direction of a step depends on seed and index alone, so a resumed job draws the same.
    """

    def step(self, step: int) -> float:
        """Take one step, given its index; the mean loss of its batch on both sides."""
        batch = draw(self._windows, self._shape.n_rows, seed=self._seed, step=step)
        noise_spec = find_signature(self._model.signatures, "train_mezo").inputs["noise"]
        rng = np.random.default_rng([self._seed, step])
        losses = self._model.run(
            "train_mezo",
            **self._shape.fill(batch.x, batch.y, batch.weight),
            **self._pace.at(step),
            noise=rng.standard_normal(noise_spec.shape).astype(np.float32),
            epsilon=np.array([EPSILON], np.float32),
        )
        loss = float(losses["loss_plus"][0] + losses["loss_minus"][0]) / 2
        _refuse_infinite(loss, step)
        return loss


class ComparedTraining:
    """Labels and comparisons in turn: every second step pulls two moments apart."""

    def __init__(
        self, labels: Training, model: SignatureModel, pairs: Compared, pace: Pace, seed: int
    ) -> None:
        self._labels, self._model, self._pairs = labels, model, pairs
        self._pace, self._seed = pace, seed
        self.rest, self.loss, self.checked = labels.rest, labels.loss, labels.checked

    def step(self, step: int) -> float:
        """Take one step, given its index; the loss of its batch before it."""
        # The labels' own turns, bias and rest, go on as if there were no comparisons in between.
        if step % 2 == 0:
            return self._labels.step(step // 2)
        if len(self._pairs.weight) == 0:
            # A turn that holds back whatever was compared.
            return 0.0
        loss = float(self._model.run("prefer", **self._inputs(step))["loss"][0])
        _refuse_infinite(loss, step)
        return loss

    def _inputs(self, step: int) -> Mapping[str, FloatArray]:
        shape = find_signature(self._model.signatures, "prefer").inputs["more"].shape
        rows = self._draw(shape[0], step)
        inputs = {name: np.zeros(shape, np.float32) for name in ("more", "less")}
        weight = np.zeros(shape[0], np.float32)
        inputs["more"][: len(rows)] = self._pairs.more[rows]
        inputs["less"][: len(rows)] = self._pairs.less[rows]
        weight[: len(rows)] = self._pairs.weight[rows]
        idx = step // 2
        # The labels' odd turns move the bias alone; a comparison moves what the even ones do.
        rates = self._pace.at(idx - idx % 2)["lr"]
        return {
            **inputs,
            "weight": weight,
            "beta": np.array([BETA], np.float32),
            # What both moments share cancels out: a comparison says nothing of the bias.
            "lr": rates * np.array([0.0, PAIR_SHARE, PAIR_SHARE], np.float32),
            # The labels' steps hold the weights back already.
            "anchor": np.zeros(1, np.float32),
        }

    def _draw(self, n_rows: int, step: int) -> NDArray[np.int64]:
        n = len(self._pairs.weight)
        if n <= n_rows:
            return np.arange(n)
        rng = np.random.default_rng([self._seed, step, _PAIR_STREAM])
        return np.sort(rng.choice(n, n_rows, replace=False))


def margins(model: SignatureModel, pairs: Compared) -> FloatArray:
    """(m,) log-odds of stress of the more stressful window minus those of the other one."""
    apart = log_odds(model, pairs.more) - log_odds(model, pairs.less)
    return apart.astype(np.float32)


def _refuse_infinite(loss: float, step: int) -> None:
    if not math.isfinite(loss):
        raise diverged(f"loss is {loss} at step {step}")
