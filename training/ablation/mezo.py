"""`ablate --task mezo`: how much of the true gradient a forward-only estimate holds, on real people.

Adapters are those that a wearer has before and after learning; the batch is their own windows. All
of it runs through the bundle's file, so the estimate is the one that a host gets.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from firmware_host.adaptation.batches import BatchShape, balanced, draw
from firmware_host.adaptation.learner import at_rest, learn
from firmware_host.adaptation.recipe import CANDIDATES
from firmware_host.errors import RecordingError
from firmware_host.inference.base import MOMENTUM_PREFIX, FloatArray, SignatureModel
from firmware_host.inference.bundle import find_bundle, load_bundle, open_model
from training.evaluation.options import at_least, seed
from training.evaluation.output import plain, require_writable, write_json
from training.evaluation.progress import progress
from training.stress.data import load_people
from training.stress.people import Person

if TYPE_CHECKING:
    import argparse

DRAWS = (1, 16, 256)
DEFAULT_SEED = 20261121
EPSILON = 1e-3
# What may move -> which learning rates are not 0.
_GROUPS = {"bias": (1, 0, 0), "head": (1, 1, 0), "lora+head": (1, 1, 1)}
# Large enough to count as moving, too small to move anything.
_STILL = 1e-30
_NO_PULL = np.zeros(1, np.float32)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the task."""
    parser.add_argument("--data", type=Path, required=True, help="folder with the data sets")
    parser.add_argument("--bundle", default="", help="default: the one that ships")
    parser.add_argument("--cache", type=Path, help="folder for computed windows")
    parser.add_argument("--people", type=at_least(1), help="take this many, evenly spread")
    parser.add_argument("--seed", type=seed, default=DEFAULT_SEED)
    parser.add_argument("--json", type=Path, help="write the figures of everybody")
    parser.set_defaults(html=None)


def run(args: argparse.Namespace) -> dict[str, object]:
    """Mean and worst cosine by what moves, adapter and number of draws, over people.

    Raises
    ------
    RecordingError
        If there is nobody with rest and stress.
    """
    require_writable("--json", args.json)
    bundle = load_bundle(find_bundle(args.bundle))
    people = load_people(args.data, cache_dir=args.cache).everyone()
    if not people:
        raise RecordingError(args.data, "people with rest and stress", "nobody")
    chosen = people[:: max(1, len(people) // (args.people or len(people)))][: args.people]
    model, spread = open_model(bundle, bundle.stress), np.array(bundle.stress.normalisation.spread)
    each = {
        person.person: cosines(model, person, spread, args.seed)
        for person in progress(chosen, "gradients")
    }
    keys = list(next(iter(each.values())))
    table = {key: np.array([found[key] for found in each.values()]) for key in keys}
    result: dict[str, object] = {
        "bundle": bundle.label,
        "people": len(each),
        "cosine": {k: {"mean": v.mean(), "worst": v.min()} for k, v in table.items()},
    }
    if args.json is not None:
        write_json(args.json, plain({**result, "each": each}))
    return plain(result)


def cosines(
    model: SignatureModel, person: Person, spread: NDArray[np.float64], seed: int
) -> dict[str, float]:
    """Cosine of estimate and gradient by "adapter, what moves, draws"; a mean over independent ones."""
    kept = np.isin(person.y, (0, 1))
    x, y = person.z(spread)[kept], person.y[kept]
    shape = BatchShape.of(model)
    windows = balanced(x, y, np.ones(len(y)), n_features=shape.n_features)
    rows = draw(windows, shape.n_rows, seed=seed, step=0)
    batch = shape.fill(rows.x, rows.y, rows.weight)
    model.run("reset")
    found = _of_adapter(model, batch, "generic", seed)
    last = CANDIDATES[-1]
    learn(
        model,
        x,
        y,
        np.ones(len(y)),
        groups="lora+head",
        steps=last.steps,
        learning_rate=last.learning_rate,
        anchor=last.anchor,
        bias_anchor=last.bias_anchor,
        seed=seed,
    )
    return found | _of_adapter(model, batch, "learned", seed)


def _of_adapter(
    model: SignatureModel, batch: Mapping[str, FloatArray], adapter: str, seed: int
) -> dict[str, float]:
    start = at_rest(model.run("get_adapter"))
    found = {}
    for moving, mask in _GROUPS.items():
        on = np.array(mask, np.float32)
        gradient = _gradient(model, start, batch, on)
        estimates = _estimates(model, start, batch, on, seed)
        for n in DRAWS:
            means = estimates.reshape(-1, n, len(gradient)).mean(axis=1)
            # Two losses that round to the same say nothing: a cosine of zero.
            lengths = np.maximum(np.linalg.norm(means, axis=1), 1e-30)
            each = means @ gradient / lengths / np.linalg.norm(gradient)
            found[f"{adapter}, {moving}, {n}"] = float(each.mean())
    model.run("set_adapter", **start)
    return found


def _gradient(
    model: SignatureModel,
    start: Mapping[str, FloatArray],
    batch: Mapping[str, FloatArray],
    on: FloatArray,
) -> NDArray[np.float64]:
    """(P,) what one step at rate 1 leaves as momentum, turned around."""
    model.run("set_adapter", **start)
    model.run("train", **batch, lr=on, anchor=_NO_PULL)
    state = model.run("get_adapter")
    names = sorted(name for name in state if name.startswith(MOMENTUM_PREFIX))
    return -np.concatenate([state[name].ravel() for name in names]).astype(np.float64)


def _estimates(
    model: SignatureModel,
    start: Mapping[str, FloatArray],
    batch: Mapping[str, FloatArray],
    on: FloatArray,
    seed: int,
) -> NDArray[np.float64]:
    """(draws, P) slope along each direction, times that direction."""
    (n_trainables,) = model.signatures["train_mezo"].inputs["noise"].shape
    still = {"lr": on * np.float32(_STILL), "anchor": _NO_PULL}
    epsilon = np.full(1, EPSILON, np.float32)
    rng = np.random.default_rng(seed)
    model.run("set_adapter", **start)
    rows = []
    for noise in rng.normal(size=(max(DRAWS), n_trainables)).astype(np.float32):
        out = model.run("train_mezo", **batch, noise=noise, epsilon=epsilon, **still)
        slope = float(out["loss_plus"][0] - out["loss_minus"][0]) / (2 * EPSILON)
        rows.append(slope * noise.astype(np.float64) * _mask(start, on))
    return np.array(rows)


def _mask(start: Mapping[str, FloatArray], on: FloatArray) -> NDArray[np.float64]:
    """(P,) 1 where something may move: bias, head, then the low-rank factors, as names sort."""
    values = sorted((n, v) for n, v in start.items() if not n.startswith(MOMENTUM_PREFIX))
    group = {"head_b": 0, "head_w": 1}
    return np.concatenate([np.full(v.size, float(on[group.get(n, 2)])) for n, v in values])
