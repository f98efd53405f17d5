"""The ways to learn from one wearer's labels that are set side by side."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from firmware_host.adaptation.adapters import read_adapter
from firmware_host.adaptation.learner import Groups
from firmware_host.adaptation.recipe import CANDIDATES, Candidate
from firmware_host.inference.base import FloatArray, Signature, SignatureModel
from models.signatures import LEARNING_RATE_GROUPS
from models.stress import GROUPS
from training.ablation.stress_updates import Update
from training.bundle.artifacts import Backbone

Rates = tuple[float, float, float]
# How a step is taken, as `way_process` knows it.
Call = Literal["train", "accumulate", "train_mezo", "solve"]

ONLY_BIAS, ONLY_HEAD, ONLY_LORA, ALL = (
    (1.0, 0.0, 0.0),
    (1.0, 1.0, 0.0),
    (0.0, 0.0, 1.0),
    (1.0, 1.0, 1.0),
)
LEARNING_RATE = 0.01
# Of forward-only steps: with some 500 directions a slope along one of them tells little of the
# others, and ten times this runs away. By the loss on the labelled windows alone.
MEZO_RATE = 0.003
MEZO_EPSILON = 1e-3
MEZO_SEED = 20261121
# As the ablation's "bias free": weights at lambda 10, bias at 0.1, every window the same weight.
_PULLS: dict[str, Any] = {"anchor": 2.0, "min_gain": 0.0, "bias_anchor": 0.02, "by_window": True}
_STEPS = 800


@dataclass(frozen=True)
class Way:
    """A row: its name, how the frozen weights are stored, how a step is taken, and what moves.

    `update` is what a job would try for the wearer. `moving` are the rates of the three groups
    when the steps to a given loss are counted. `same_as` names a way that gives the same numbers.
    """

    name: str
    update: Update
    call: Call
    moving: Rates
    backbone: Backbone | Literal["split"] = "int8"
    is_mezo: bool = False
    same_as: str = ""


def _steps(
    name: str, groups: Groups, *, moving: Rates = ALL, rate: float = LEARNING_RATE
) -> Update:
    candidate = Candidate(groups, _STEPS, rate, **_PULLS)
    return Update(name, "bias free", (candidate,), moving=moving)


def _exact(name: str, groups: Literal["bias", "head"]) -> Update:
    # Alone, the bias has no weights beside it to be pulled harder than itself.
    pulls = {**_PULLS, "anchor": _PULLS["bias_anchor"]} if groups == "bias" else _PULLS
    return Update(name, "bias free", (Candidate(groups, 0, 0.0, **pulls),))


_LORA_HEAD = _steps("LoRA + head", "lora+head")
WAYS = (
    Way("bias, exact", _exact("bias, exact", "bias"), "solve", ONLY_BIAS),
    Way("bias", _steps("bias", "bias"), "train", ONLY_BIAS),
    Way("head, exact", _exact("head, exact", "head"), "solve", ONLY_HEAD),
    Way("head", _steps("head", "head"), "train", ONLY_HEAD),
    Way("LoRA", _steps("LoRA", "lora+head", moving=ONLY_LORA), "train", ONLY_LORA),
    Way("LoRA + head", _LORA_HEAD, "train", ALL),
    Way("LoRA + head, accumulated", _LORA_HEAD, "accumulate", ALL, same_as="LoRA + head"),
    Way(
        "LoRA + head, forward only (MeZO)",
        _steps("MeZO", "lora+head", rate=MEZO_RATE),
        "train_mezo",
        ALL,
        is_mezo=True,
    ),
    Way("LoRA + head, float backbone", _LORA_HEAD, "train", ALL, "float"),
    Way("LoRA + head, 4-bit backbone", _LORA_HEAD, "train", ALL, "nf4"),
    Way("head, Edge TPU split", _steps("head", "head"), "train", ONLY_HEAD, "split"),
    Way(
        "as shipped: whatever passes",
        Update("as shipped", "its own", CANDIDATES),
        "train",
        ALL,
    ),
)


class ForwardOnly:
    """A model whose `train` takes a forward-only step, as `train_mezo` of the file does.

    With it the learner that ships drives MeZO too, on any model behind the seam. Noise depends on
    the number of steps since the adapter was set, so a job repeats itself.
    """

    def __init__(self, model: SignatureModel) -> None:
        self._model = model
        self._groups = {name: LEARNING_RATE_GROUPS.index(g) for name, g in GROUPS.items()}
        self._generic = read_adapter(model)
        self._n_steps = 0

    @property
    def signatures(self) -> Mapping[str, Signature]:
        """As the model's."""
        return self._model.signatures

    def run(self, signature: str, **arrays: FloatArray) -> dict[str, FloatArray]:
        """Call one signature; gives its outputs by name."""
        if signature == "train":
            return self._step(arrays.pop("lr"), float(arrays.pop("anchor")[0]), arrays)
        if signature in ("set_adapter", "reset"):
            self._n_steps = 0
        return self._model.run(signature, **arrays)

    def _step(
        self, lr: FloatArray, anchor: float, batch: Mapping[str, FloatArray]
    ) -> dict[str, FloatArray]:
        start = self._model.run("get_adapter")
        rates = {name: np.float32(lr[idx]) for name, idx in self._groups.items()}
        rng = np.random.default_rng([MEZO_SEED, self._n_steps])
        self._n_steps += 1
        noise = {n: rng.standard_normal(start[n].shape, np.float32) for n in sorted(rates)}
        moving = {name: noise[name] for name, rate in rates.items() if rate > 0}

        def put(values: Mapping[str, FloatArray]) -> None:
            self._model.run("set_adapter", **{**start, **values})

        def loss_at(shift: float) -> float:
            put({name: start[name] + np.float32(shift) * part for name, part in moving.items()})
            return float(self._model.run("evaluate", **batch)["loss"][0])

        plus, minus = loss_at(MEZO_EPSILON), loss_at(-MEZO_EPSILON)
        slope = np.float32((plus - minus) / (2 * MEZO_EPSILON))
        pulls = {n: np.float32(anchor) * (start[n] - self._generic[n]) for n in moving}
        put({n: start[n] - rates[n] * (slope * part + pulls[n]) for n, part in moving.items()})
        return {"loss": np.array([(plus + minus) / 2], np.float32)}
