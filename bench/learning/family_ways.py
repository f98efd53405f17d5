"""The ways to learn from one wearer's labels that are set side by side."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from firmware_host.adaptation.adapters import read_adapter
from firmware_host.adaptation.learner import Groups
from firmware_host.adaptation.recipe import CANDIDATES, MEZO, Candidate
from firmware_host.inference.base import FloatArray, Signature, SignatureModel, signature_of
from models.signatures import LEARNING_RATE_GROUPS
from training.ablation.stress_updates import Update
from training.bundle.artifacts import Backbone

_HEAD = {"head_b": "bias", "head_w": "head"}
# How a step is taken, as `way_process` knows it.
Call = Literal["train", "accumulate", "train_mezo", "solve"]

# The bold candidate of the recipe that ships: 800 steps, weights at lambda 10, bias at 0.1.
_BOLD = next(one for one in CANDIDATES if one.groups == "lora+head")


@dataclass(frozen=True)
class Way:
    """A row: its name, what a job would try, how a step is taken, how frozen weights are stored.

    `same_as` names a way that gives the same numbers.
    """

    name: str
    candidates: tuple[Candidate, ...]
    call: Call
    backbone: Backbone | Literal["split"] = "int8"
    same_as: str = ""

    @property
    def update(self) -> Update:
        """The way as the ablation takes it."""
        return Update(self.name, "", self.candidates)


def _free(candidate: Candidate) -> tuple[Candidate, ...]:
    """After one stress episode already, and whatever is better: a row shows what it does."""
    return (replace(candidate, min_gain=0.0, min_stories=1),)


def _exact(groups: Literal["bias", "head"]) -> tuple[Candidate, ...]:
    # Alone, the bias has no weights beside it to be pulled harder than itself.
    anchor = _BOLD.anchor if groups == "head" else (_BOLD.bias_anchor or _BOLD.anchor)
    return _free(replace(_BOLD, groups=groups, steps=0, learning_rate=0.0, anchor=anchor))


def _steps(groups: Groups) -> tuple[Candidate, ...]:
    return _free(replace(_BOLD, groups=groups))


_LORA_HEAD = _steps("lora+head")
WAYS = (
    Way("bias, exact", _exact("bias"), "solve"),
    Way("bias", _steps("bias"), "train"),
    Way("head, exact", _exact("head"), "solve"),
    Way("head", _steps("head"), "train"),
    Way("LoRA", _steps("lora"), "train"),
    Way("LoRA + head", _LORA_HEAD, "train"),
    Way(
        "LoRA + head, micro-batches",
        (replace(_LORA_HEAD[0], micro_batches=True),),
        "accumulate",
        same_as="LoRA + head",
    ),
    Way("head, forward only (MeZO)", _free(MEZO), "train_mezo"),
    Way("LoRA + head, float backbone", _LORA_HEAD, "train", "float"),
    Way("LoRA + head, 4-bit backbone", _LORA_HEAD, "train", "nf4"),
    Way("head, Edge TPU split", _steps("head"), "train", "split"),
    Way("as shipped: whatever passes", CANDIDATES, "train"),
)


class WithMezo:
    """A model with a `train_mezo` beside its functions, for twins that have none of their own."""

    def __init__(self, model: SignatureModel) -> None:
        self._model = model
        self._generic = read_adapter(model)
        groups = {name: _HEAD.get(name, "lora") for name in self._generic}
        self._groups = {name: LEARNING_RATE_GROUPS.index(group) for name, group in groups.items()}
        self._signatures = {**model.signatures, "train_mezo": self._signature()}

    @property
    def signatures(self) -> Mapping[str, Signature]:
        """Every function by name."""
        return self._signatures

    def run(self, signature: str, **arrays: FloatArray) -> dict[str, FloatArray]:
        """Call one signature; gives its outputs by name."""
        return (
            self._step(**arrays)
            if signature == "train_mezo"
            else self._model.run(signature, **arrays)
        )

    def _signature(self) -> Signature:
        n = sum(value.size for value in self._generic.values())
        rows = self._model.signatures["train"].inputs
        given = {name: spec.shape for name, spec in rows.items()}
        given |= {"noise": (n,), "epsilon": (1,)}
        return signature_of("train_mezo", given, {"loss_plus": (1,), "loss_minus": (1,)})

    def _step(
        self,
        lr: FloatArray,
        anchor: FloatArray,
        noise: FloatArray,
        epsilon: FloatArray,
        **batch: FloatArray,
    ) -> dict[str, FloatArray]:
        start, rates = self._model.run("get_adapter"), {n: lr[g] for n, g in self._groups.items()}
        along = {n: part for n, part in self._by_name(noise).items() if rates[n] > 0}

        def put(values: Mapping[str, FloatArray]) -> None:
            self._model.run("set_adapter", **{**start, **values})

        def loss_at(shift: np.float32) -> FloatArray:
            put({name: start[name] + shift * part for name, part in along.items()})
            return self._model.run("evaluate", **batch)["loss"]

        plus, minus = loss_at(epsilon[0]), loss_at(-epsilon[0])
        slope = (plus - minus) / (2 * epsilon)
        pulls = {name: anchor * (start[name] - self._generic[name]) for name in along}
        put({n: start[n] - rates[n] * (slope * along[n] + pulls[n]) for n in along})
        return {"loss_plus": plus, "loss_minus": minus}

    def _by_name(self, flat: FloatArray) -> dict[str, FloatArray]:
        """In alphabetical order, as the file cuts it."""
        names = sorted(self._generic)
        ends = np.cumsum([self._generic[name].size for name in names])
        parts = np.split(flat, ends[:-1])
        return {
            n: part.reshape(self._generic[n].shape) for n, part in zip(names, parts, strict=True)
        }
