"""The exported functions that learn, on each runtime in a process of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from firmware_host.inference.tflite import RUNTIMES, TfliteModel, installed_runtimes
from models.signatures import MICRO_BATCH, MOMENTUM_PREFIX, TRAIN_BATCH
from tests.training.calls_apart import Arrays, Call, play
from tests.training.gait_weights import identity_arrays, one_hot, random_gait_weights

pytestmark = pytest.mark.needs_tf

PLAIN = {"lr": np.ones(3, np.float32), "anchor": np.zeros(1, np.float32)}
STEP = {"lr": np.array([0.05, 0.02, 0.01], np.float32), "anchor": np.full(1, 0.1, np.float32)}


class Case(NamedTuple):
    """One network: itself in TensorFlow, its file and its twin in numpy."""

    network: Any
    path: Path
    twin: Any
    # Inputs that one row stands for, which the twin does without.
    shared: Arrays

    @property
    def data(self) -> str:
        return "features" if self.shared else "x"

    def state(self, rng: np.random.Generator) -> Arrays:
        """A wearer's adapter in the middle of learning."""
        state = self.twin.run("get_adapter")
        drawn = {name: rng.normal(size=v.shape) for name, v in state.items()}
        scales = {n: 0.02 if n.startswith(MOMENTUM_PREFIX) else 0.1 for n in state}
        return {n: (state[n] + scales[n] * v).astype(np.float32) for n, v in drawn.items()}

    def batch(self, rng: np.random.Generator) -> Arrays:
        n_features = self.twin.signatures["evaluate"].inputs[self.data].shape[1]
        label = rng.integers(0, 2, TRAIN_BATCH)
        y = label[:, None] if self.shared else np.eye(2)[label]
        return {
            self.data: rng.normal(size=(TRAIN_BATCH, n_features)).astype(np.float32),
            "y": y.astype(np.float32),
            "weight": rng.uniform(0.1, 1.0, TRAIN_BATCH).astype(np.float32),
        }


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Case]:
    """Both networks in the shapes that ship."""
    from models.gait import GaitNet
    from models.stress import StressNet, random_weights
    from training.bundle.rounding import rounded_weights
    from training.bundle.tflite_file import convert
    from training.gait.numpy_model import NumpyGaitModel
    from training.stress.numpy_model import TableModel

    rng, folder = np.random.default_rng(6), tmp_path_factory.mktemp("files")
    stress = rounded_weights(random_weights(rng, 26))
    gait = rounded_weights(random_gait_weights(rng, n_features=580, n_directions=24))
    made = {
        "stress": (StressNet(stress), TableModel(stress.arrays()), {}),
        "gait": (
            GaitNet(gait),
            NumpyGaitModel(identity_arrays(gait, 1)),
            {"placement": one_hot(1)},
        ),
    }
    found = {}
    for name, (network, twin, shared) in made.items():
        path = folder / f"{name}.tflite"
        path.write_bytes(convert(network))
        found[name] = Case(network, path, twin, shared)
    return found


@pytest.fixture(params=["stress", "gait"])
def case(request: pytest.FixtureRequest, cases: dict[str, Case]) -> Case:
    return cases[request.param]


@pytest.fixture(params=list(RUNTIMES))
def runtime(request: pytest.FixtureRequest) -> str:
    if request.param not in installed_runtimes():
        pytest.skip(f"{request.param} is not installed here")
    return request.param


def off(received: Arrays, expected: Arrays) -> float:
    """Largest difference of any array, as a share of the largest number in it."""
    assert set(received) >= set(expected)
    return max(
        float(np.abs(received[name] - value).max() / max(np.abs(value).max(), 1e-12))
        for name, value in expected.items()
    )


def momenta(state: Arrays) -> Arrays:
    return {name: v for name, v in state.items() if name.startswith(MOMENTUM_PREFIX)}


def at_rest(state: Arrays) -> Arrays:
    return state | {name: np.zeros_like(v) for name, v in momenta(state).items()}


def in_parts(case: Case, batch: Arrays, step: Arrays) -> list[Call]:
    """The calls that stand for one of `train`."""
    batch = {**batch, "weight": batch["weight"] / batch["weight"].sum()}
    parts = [
        {name: value[start : start + MICRO_BATCH] for name, value in batch.items()}
        for start in range(0, TRAIN_BATCH, MICRO_BATCH)
    ]
    return [*(("accumulate", {**part, **case.shared}) for part in parts), ("apply", step)]


def test_file_uses_fast_kernels_when_loaded(case: Case, runtime: str) -> None:
    assert TfliteModel(case.path, runtime=runtime).accelerated


def test_losses_are_tensorflows_when_trained_apart(
    case: Case, runtime: str, rng: np.random.Generator
) -> None:
    state, batches = case.state(rng), [case.batch(rng) for _ in range(4)]
    steps = [{**batches[i % 4], **case.shared, **STEP} for i in range(44)]
    calls: list[Call] = [("set_adapter", state), *(("train", step) for step in steps)]
    received = [float(out["loss"][0]) for out in play(case.path, runtime, calls)[1:]]
    case.network.adapter.write(state)
    expected = [float(case.network.train(**step)["loss"][0]) for step in steps]
    np.testing.assert_allclose(received, expected, rtol=2e-3, atol=1e-4)
    assert np.mean(expected[-4:]) < 0.9 * np.mean(expected[:4])


def test_micro_batches_give_the_gradient_of_the_whole(
    case: Case, runtime: str, rng: np.random.Generator
) -> None:
    state, batch = at_rest(case.state(rng)), case.batch(rng)
    parts = in_parts(case, batch, PLAIN)
    calls: list[Call] = [
        ("set_adapter", state),
        ("train", {**batch, **case.shared, **PLAIN}),
        ("get_adapter", {}),
        ("set_adapter", state),
        *parts,
        ("get_adapter", {}),
    ]
    found = play(case.path, runtime, calls)
    whole, apart = momenta(found[2]), momenta(found[-1])
    assert off(apart, whole) <= 1e-6
    loss = sum(float(out["loss"][0]) for out in found[4 : 4 + len(parts) - 1])
    assert loss == pytest.approx(float(found[1]["loss"][0]), rel=1e-6)
    length = np.sqrt(sum(float((v.astype(np.float64) ** 2).sum()) for v in whole.values()))
    assert float(found[-2]["norm"][0]) == pytest.approx(length, rel=1e-5)


def test_micro_batches_stay_with_the_whole_when_ten_steps_are_made(
    case: Case, runtime: str, rng: np.random.Generator
) -> None:
    state, batches = case.state(rng), [case.batch(rng) for _ in range(10)]
    whole = [("train", {**batch, **case.shared, **STEP}) for batch in batches]
    parts = [call for batch in batches for call in in_parts(case, batch, STEP)]
    first, last = ("set_adapter", state), ("get_adapter", {})
    expected = play(case.path, runtime, [first, *whole, last])[-1]
    received = play(case.path, runtime, [first, *parts, last])[-1]
    assert off(received, expected) <= 3e-6
    assert off(momenta(state), momenta(expected)) > 0.1


@pytest.mark.parametrize("clearing", ["set_adapter", "reset", "apply"])
def test_nothing_is_accumulated_when_cleared(
    case: Case, runtime: str, rng: np.random.Generator, clearing: str
) -> None:
    state = case.state(rng)
    *some, _ = in_parts(case, case.batch(rng), PLAIN)
    inputs = {"set_adapter": state, "reset": {}, "apply": PLAIN}[clearing]
    calls: list[Call] = [("set_adapter", state), *some, (clearing, inputs), ("apply", PLAIN)]
    assert play(case.path, runtime, calls)[-1]["norm"] == 0.0
    kept = play(case.path, runtime, [*calls[: 1 + len(some)], ("apply", PLAIN)])
    assert kept[-1]["norm"] > 0.01


def mezo_in_numpy(twin: Any, batch: Arrays, mezo: Arrays) -> tuple[float, float]:
    """The step as the paper has it, through a model that only evaluates; moves the twin."""
    state = twin.run("get_adapter")
    twin.run("reset")
    generic = twin.run("get_adapter")
    names = sorted(name for name in state if not name.startswith(MOMENTUM_PREFIX))
    group = {n: 0 if n == "head_b" else 1 if n == "head_w" else 2 for n in names}
    ends = np.cumsum([state[name].size for name in names])[:-1]
    noise = dict(zip(names, np.split(mezo["noise"], ends), strict=True))
    z = {n: noise[n].reshape(state[n].shape) * (mezo["lr"][group[n]] > 0) for n in names}

    def loss_at(shift: float) -> float:
        twin.run("set_adapter", **{**state, **{n: state[n] + np.float32(shift) * z[n] for n in z}})
        return float(twin.run("evaluate", **batch)["loss"][0])

    epsilon, anchor = float(mezo["epsilon"][0]), mezo["anchor"]
    plus, minus = loss_at(epsilon), loss_at(-epsilon)
    slope = np.float32((plus - minus) / (2 * epsilon))
    moved = {
        n: state[n] - mezo["lr"][group[n]] * (slope * z[n] + anchor * (state[n] - generic[n]))
        for n in names
    }
    twin.run("set_adapter", **{**state, **moved})
    return plus, minus


def mezo_inputs(case: Case, rng: np.random.Generator, lr: tuple[float, float, float]) -> Arrays:
    (n,) = TfliteModel(case.path).signatures["train_mezo"].inputs["noise"].shape
    return {
        "noise": rng.normal(size=n).astype(np.float32),
        "epsilon": np.full(1, 1e-2, np.float32),
        "lr": np.array(lr, np.float32),
        "anchor": np.full(1, 0.1, np.float32),
    }


def test_mezo_is_the_paper_in_numpy_when_steps_are_made(
    case: Case, runtime: str, rng: np.random.Generator
) -> None:
    state = case.state(rng)
    steps = [(case.batch(rng), mezo_inputs(case, rng, (1e-3, 1e-3, 1e-3))) for _ in range(6)]
    calls: list[Call] = [
        ("set_adapter", state),
        *(("train_mezo", {**batch, **case.shared, **mezo}) for batch, mezo in steps),
        ("get_adapter", {}),
    ]
    found = play(case.path, runtime, calls)
    case.twin.run("set_adapter", **state)
    expected = [mezo_in_numpy(case.twin, batch, mezo) for batch, mezo in steps]
    received = [(float(o["loss_plus"][0]), float(o["loss_minus"][0])) for o in found[1:-1]]
    np.testing.assert_allclose(received, expected, rtol=2e-5)
    after = case.twin.run("get_adapter")
    for name, value in after.items():
        # The slope is a difference of two losses over 0.02: fifty times their rounding.
        np.testing.assert_allclose(found[-1][name], value, atol=1e-4, err_msg=name)
    assert np.abs(after["head_w"] - state["head_w"]).max() > 1e-3


def test_mezo_leaves_a_group_alone_when_its_rate_is_zero(
    case: Case, runtime: str, rng: np.random.Generator
) -> None:
    state, batch = case.state(rng), case.batch(rng)
    head_only = mezo_inputs(case, rng, (0.0, 1e-2, 0.0))
    n_bias, n_head = state["head_b"].size, state["head_w"].size
    without = {**head_only, "noise": head_only["noise"].copy()}
    without["noise"][:n_bias] = without["noise"][n_bias + n_head :] = 0.0
    outputs = []
    for mezo in (head_only, without):
        step = ("train_mezo", {**batch, **case.shared, **mezo})
        found = play(case.path, runtime, [("set_adapter", state), step, ("get_adapter", {})])
        outputs.append({**found[1], **found[2]})
    assert all((outputs[0][name] == value).all() for name, value in outputs[1].items())
    changed = {n for n in state if (outputs[0][n] != state[n]).any()}
    assert changed == {"head_w"}


def preference(cases: dict[str, Case], rng: np.random.Generator) -> tuple[Arrays, Arrays]:
    state = at_rest(cases["stress"].state(rng))
    pairs = {name: rng.normal(size=(8, 26)).astype(np.float32) for name in ("more", "less")}
    weight = np.array([1, 2, 0, 1, 3, 1, 0.5, 1], np.float32)
    return state, {**pairs, "weight": weight, "beta": np.full(1, 0.7, np.float32)}


def test_preference_is_the_formula_and_autodiff_when_stepped(
    cases: dict[str, Case], runtime: str, rng: np.random.Generator
) -> None:
    from models import autodiff_twin

    case = cases["stress"]
    state, pairs = preference(cases, rng)
    calls: list[Call] = [
        ("set_adapter", state),
        ("prefer", {**pairs, **PLAIN}),
        ("get_adapter", {}),
    ]
    _, out, after = play(case.path, runtime, calls)

    def odds(adapter: Arrays | None) -> np.ndarray:
        case.twin.run("reset")
        if adapter is not None:
            case.twin.run("set_adapter", **adapter)
        rows = [case.twin.run("infer", x=x[None])["logits"][0] for x in both]
        return np.array([row[1] - row[0] for row in rows])

    both = np.concatenate([pairs["more"], pairs["less"]])
    moved = odds(state) - odds(None)
    margin = moved[:8] - moved[8:]
    share = pairs["weight"] / pairs["weight"].sum()
    loss = float((share * np.logaddexp(0.0, -0.7 * margin)).sum())
    np.testing.assert_allclose(out["margin"], margin, atol=1e-5)
    assert float(out["loss"][0]) == pytest.approx(loss, rel=1e-5)
    case.network.adapter.write(state)
    expected = autodiff_twin.preference_gradients(case.network, pairs)
    gradient = {n.removeprefix(MOMENTUM_PREFIX): -v for n, v in momenta(after).items()}
    # The bias is in both log-odds of a pair: what is left of it is rounding.
    assert np.abs(expected.pop("head_b")).max() < 1e-6 > np.abs(gradient["head_b"]).max()
    assert off(gradient, expected) <= 1e-5


def test_preferred_windows_come_apart_when_steps_are_repeated(
    cases: dict[str, Case], runtime: str, rng: np.random.Generator
) -> None:
    _, pairs = preference(cases, rng)
    calls: list[Call] = [("prefer", {**pairs, **STEP})] * 30
    found = play(cases["stress"].path, runtime, [("reset", {}), *calls])[1:]
    # Nothing has moved before the first step: every margin is zero, every pair a coin's toss.
    assert np.abs(found[0]["margin"]).max() < 1e-6
    assert float(found[0]["loss"][0]) == pytest.approx(np.log(2.0), rel=1e-5)
    counted = pairs["weight"] > 0
    assert (found[-1]["margin"][counted] > 0.2).all()
    assert float(found[-1]["loss"][0]) < 0.9 * np.log(2.0)
