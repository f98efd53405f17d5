"""The ways to learn from one wearer's labels that are set side by side."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from firmware_host.adaptation.learner import Groups
from firmware_host.adaptation.recipe import CANDIDATES, MEZO, Candidate
from training.ablation.stress_updates import Update
from training.bundle.artifacts import Backbone

# How a step is taken, as `way_process` knows it.
Call = Literal["train", "accumulate", "train_mezo", "solve_bias", "solve_head"]
Stored = Backbone | Literal["split"]

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
    backbone: Stored = "int8"
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
    Way("bias, exact", _exact("bias"), "solve_bias"),
    Way("bias", _steps("bias"), "train"),
    Way("head, exact", _exact("head"), "solve_head"),
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
