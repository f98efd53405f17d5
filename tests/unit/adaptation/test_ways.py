"""Steps without a backward, in micro-batches, and from comparisons, on the real runtimes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from firmware_host.adaptation.adapters import read_adapter
from firmware_host.adaptation.batches import log_odds
from firmware_host.adaptation.choice import Choice
from firmware_host.adaptation.evidence import Compared, Comparisons, Evidence, Labelled
from firmware_host.adaptation.gate import GateReason
from firmware_host.adaptation.job import Job, choose_update
from firmware_host.adaptation.recipe import COMPARED, METHODS, MEZO, Candidate, candidates_of
from firmware_host.adaptation.trainings import train_alone
from firmware_host.inference.base import FloatArray, SignatureModel
from firmware_host.inference.tflite import RUNTIMES, TfliteModel
from training.stress.numpy_model import TableModel

from .conftest import N_FEATURES

# Stress shows in the first input, and how strong it is in the second.
STRESS, STRONG = 0, 1
TRAINED = Candidate("lora+head", 60, 0.02, 0.0, 0.0, by_window=True)


@pytest.fixture(params=list(RUNTIMES))
def model(request: pytest.FixtureRequest, repo: Path) -> SignatureModel:
    pytest.importorskip(RUNTIMES[request.param])
    return TfliteModel(repo / "tests" / "golden" / "stress_random.tflite", runtime=request.param)


def _labelled(rng: np.random.Generator, n: int = 40, sign: float = 1.0) -> Labelled:
    y = np.tile([0, 1], n)
    x = rng.normal(0.0, 0.3, (2 * n, N_FEATURES)).astype(np.float32)
    x[:, STRESS] += 3.0 * sign * (2 * y - 1)
    return Labelled(x, y, np.ones(2 * n, np.float32))


def _pairs(rng: np.random.Generator, n: int, feature: int = STRONG, sign: float = 1.0) -> Compared:
    more, less = rng.normal(0.0, 0.3, (2, n, N_FEATURES)).astype(np.float32)
    more[:, feature] += sign
    less[:, feature] -= sign
    return Compared(more, less, np.ones(n, np.float32))


def _evidence(rng: np.random.Generator, pairs: Comparisons | None = None) -> Evidence:
    calibration, held_back, everything = (_labelled(rng) for _ in range(3))
    fresh = np.ones(len(held_back.y), np.bool_)
    return Evidence(((calibration, held_back),), everything, 2, fresh, pairs)


def _choose(model: SignatureModel, evidence: Evidence, *candidates: Candidate) -> Choice:
    return choose_update(model, evidence, current=None, candidates=candidates, seed=5)


def _accuracy(model: SignatureModel, windows: Labelled) -> float:
    return float(np.mean((log_odds(model, windows.x) > 0) == windows.y))


def _far(one: dict[str, FloatArray], other: dict[str, FloatArray]) -> float:
    return max(float(np.abs(one[name] - other[name]).max()) for name in one)


def test_micro_batches_take_the_same_steps(model: SignatureModel, rng: np.random.Generator) -> None:
    labelled = _labelled(rng)
    start = read_adapter(model)
    whole = train_alone(model, TRAINED, labelled, seed=5)
    small = train_alone(model, replace(TRAINED, micro_batches=True), labelled, seed=5)
    assert _far(whole, start) > 0.1
    assert _far(whole, small) < 1e-4


def test_mezo_learns_without_a_backward(model: SignatureModel, rng: np.random.Generator) -> None:
    labelled, later = _labelled(rng), _labelled(rng)
    before = _accuracy(model, later)
    candidate = replace(MEZO, steps=1500, anchor=0.0, bias_anchor=None, learning_rate=0.02)
    learned = train_alone(model, candidate, labelled, seed=5)
    assert _accuracy(model, later) > max(0.8, before)
    start = {name: v for name, v in learned.items() if name.startswith("lora")}
    model.run("reset")
    # Only the head may move; the other directions are not even tried.
    generic = read_adapter(model)
    assert _far(start, {name: generic[name] for name in start}) == 0.0
    assert _far(train_alone(model, candidate, labelled, seed=5), learned) == 0.0


def test_lora_alone_leaves_the_head(model: SignatureModel, rng: np.random.Generator) -> None:
    generic = read_adapter(model)
    learned = train_alone(model, replace(TRAINED, groups="lora"), _labelled(rng), seed=5)
    assert np.array_equal(learned["head_w"], generic["head_w"])
    assert np.array_equal(learned["head_b"], generic["head_b"])
    assert not np.array_equal(learned["lora2_b"], generic["lora2_b"])


def test_comparisons_order_later_moments(model: SignatureModel) -> None:
    rng = np.random.default_rng(1)
    later = _pairs(rng, 40)
    pairs = Comparisons((_pairs(rng, 40),), later, _pairs(rng, 80))
    evidence = _evidence(rng, pairs)
    labels = replace(COMPARED, way="labels", steps=COMPARED.steps // 2)
    choice = _choose(model, evidence, labels, COMPARED)
    assert choice.changed
    assert choice.groups == "lora+head, comparisons"
    assert choice.decision.reason is GateReason.AGREES_BETTER
    figures = choice.decision.figures
    assert figures["n_comparisons"] == 40
    assert figures["candidate_agreement"] > 0.8 > 0.5 > figures["current_agreement"]
    assert _accuracy(model, _labelled(rng)) > 0.95


def test_comparisons_that_cost_labels_are_refused(
    model: SignatureModel, rng: np.random.Generator
) -> None:
    # What is said by comparing is the reverse of what the labels say.
    wrong = [_pairs(rng, n, STRESS, -1.0) for n in (40, 40, 80)]
    evidence = _evidence(rng, Comparisons((wrong[0],), wrong[1], wrong[2]))
    labels = replace(COMPARED, way="labels", steps=COMPARED.steps // 2)
    choice = _choose(model, evidence, labels, COMPARED)
    assert choice.groups == "lora+head"
    (refused,) = [t for t in choice.trials if t.groups == "lora+head, comparisons"]
    assert refused.decision.reason is GateReason.WORSE_THAN_CURRENT
    assert "with your comparisons it did worse than the best update" in refused.decision.text


def test_comparisons_that_teach_nothing_are_refused(
    model: SignatureModel, rng: np.random.Generator
) -> None:
    # Learned from and held back say the reverse of each other.
    evidence = _evidence(
        rng, Comparisons((_pairs(rng, 40),), _pairs(rng, 40, sign=-1.0), _pairs(rng, 9))
    )
    trials = _choose(model, evidence, COMPARED).trials
    assert [t.decision.reason for t in trials] == [GateReason.AGREES_NO_BETTER]


def test_without_comparisons_nothing_is_said_of_them(
    model: SignatureModel, rng: np.random.Generator
) -> None:
    choice = _choose(model, _evidence(rng), *METHODS["head"], COMPARED)
    assert [t.groups for t in choice.trials] == ["bias", "bias", "head"]


@pytest.mark.parametrize("candidate", [COMPARED, MEZO], ids=["comparisons", "mezo"])
def test_a_job_goes_on_where_it_stopped(
    model: SignatureModel, rng: np.random.Generator, candidate: Candidate
) -> None:
    short = replace(candidate, steps=24, min_stories=1)
    pairs = Comparisons((_pairs(rng, 40),), _pairs(rng, 40), _pairs(rng, 80))
    evidence = _evidence(rng, pairs)

    def job() -> Job:
        return Job(model, evidence, current=None, candidates=(short,), seed=5)

    whole, states = job(), []
    while not whole.is_done:
        states.append(whole.state())
        whole.advance()
    expected = whole.choice()
    for state in states[:: max(1, len(states) // 8)]:
        resumed = job()
        resumed.restore(state)
        while not resumed.is_done:
            resumed.advance()
        again = resumed.choice()
        assert again.decision == expected.decision
        assert (again.arrays is None) == (expected.arrays is None)
        if again.arrays is not None and expected.arrays is not None:
            assert all(
                again.arrays[name].tobytes() == value.tobytes()
                for name, value in expected.arrays.items()
            )


def test_micro_batches_are_asked_of_what_is_trained_in_steps() -> None:
    asked = candidates_of("recipe", micro_batches=True)
    assert [one.micro_batches for one in asked] == [one.steps > 0 for one in asked]
    assert candidates_of("recipe") == METHODS["recipe"]


def test_way_without_steps_is_refused() -> None:
    with pytest.raises(ValueError, match="steps"):
        Candidate("head", 0, 0.0, 1.0, 0.0, way="mezo")


def test_numpy_twin_learns_from_comparisons_as_the_file_does(
    model: SignatureModel, repo: Path, rng: np.random.Generator
) -> None:
    with np.load(repo / "tests" / "golden" / "stress_random.npz") as stored:
        twin = TableModel(dict(stored))
    pairs = Comparisons((_pairs(rng, 40),), _pairs(rng, 40), _pairs(rng, 80))
    evidence = _evidence(rng, pairs)
    short = replace(COMPARED, steps=100)
    one, two = (_choose(each, evidence, short) for each in (model, twin))
    assert one.decision.reason is two.decision.reason
    for name, figure in one.decision.figures.items():
        assert figure == pytest.approx(two.decision.figures[name], abs=1e-3), name
