"""One candidate's training on some windows, whichever way it goes."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from firmware_host.adaptation.adapters import apply_adapter, read_adapter
from firmware_host.adaptation.batches import BatchShape, balanced
from firmware_host.adaptation.evidence import Compared, Labelled
from firmware_host.adaptation.exact import solve
from firmware_host.adaptation.learner import Pace, Training
from firmware_host.adaptation.recipe import Candidate
from firmware_host.adaptation.ways import ComparedTraining, MezoTraining, MicroBatchTraining
from firmware_host.inference.base import FloatArray, SignatureModel

Steps = Training | ComparedTraining
# By way, and by whether gradients are added up from small batches.
_TRAININGS: Mapping[tuple[str, bool], type[Training]] = {
    ("labels", False): Training,
    ("labels", True): MicroBatchTraining,
    ("comparisons", False): Training,
    ("comparisons", True): MicroBatchTraining,
    ("mezo", False): MezoTraining,
    # Without a backward there is nothing to add up.
    ("mezo", True): MezoTraining,
}


def begin(
    model: SignatureModel,
    candidate: Candidate,
    labelled: Labelled,
    compared: Compared | None,
    *,
    seed: int,
) -> Steps:
    """A training of `candidate.steps` steps from the weights that the model holds.

    Parameters
    ----------
    compared
        What a candidate that learns from comparisons must be given; others take no notice.
    """
    is_compared = candidate.way == "comparisons"
    pace = Pace(
        candidate.groups,
        candidate.steps // 2 if is_compared else candidate.steps,
        candidate.learning_rate,
        candidate.anchor,
        candidate.bias_anchor,
        settle=True,
    )
    weight, n_features = _weight(candidate, labelled), BatchShape.of(model).n_features
    windows = balanced(labelled.x, labelled.y, weight, n_features=n_features)
    labels = _TRAININGS[candidate.way, candidate.micro_batches](model, windows, pace, seed)
    if not is_compared:
        return labels
    if compared is None:
        raise ValueError(f"{candidate.name}: expected comparisons to learn from, got none")
    return ComparedTraining(labels, model, compared, pace, seed)


def solve_exactly(
    model: SignatureModel, candidate: Candidate, labelled: Labelled
) -> tuple[float, float]:
    """The best bias or head at once; loss before and after."""
    result = solve(
        model,
        labelled.x,
        labelled.y,
        _weight(candidate, labelled),
        linear=candidate.groups == "head",
        anchor=candidate.anchor,
        bias_anchor=candidate.bias_anchor or candidate.anchor,
    )
    return result.loss_before, result.loss_after


def train_alone(
    model: SignatureModel,
    candidate: Candidate,
    labelled: Labelled,
    compared: Compared | None = None,
    *,
    seed: int,
) -> dict[str, FloatArray]:
    """Weights that one candidate comes to from the generic ones, as in a job but without its gate.

    Raises
    ------
    AdaptationError
        `one_class` or `diverged`.
    """
    apply_adapter(model, None)
    if candidate.steps == 0:
        solve_exactly(model, candidate, labelled)
        return read_adapter(model)
    training = begin(model, candidate, labelled, compared, seed=seed)
    training.rest()
    loss_before = training.loss()
    for step in range(candidate.steps):
        training.step(step)
    training.checked(loss_before, training.loss())
    return read_adapter(model)


def _weight(candidate: Candidate, labelled: Labelled) -> FloatArray:
    return np.ones_like(labelled.weight) if candidate.by_window else labelled.weight
