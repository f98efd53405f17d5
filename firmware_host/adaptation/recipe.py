"""Which updates a learning job tries, in which order: the recipe that ships."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from firmware_host.adaptation.learner import Groups

Way = Literal["labels", "mezo", "comparisons"]


@dataclass(frozen=True, slots=True)
class Candidate:
    """One way to update: what moves, how far, by how much it must be better, and after what.

    `anchor` is the pull to the generic values in units of the mean loss: 2 lambda / 10 for a MAP
    estimate with prior precision lambda on the logit and total calibration weight 10;
    `bias_anchor` the one of the bias alone, if it differs. `min_gain` is the share by which the
    held-back log loss must fall; `min_stories` the number of labelled stress episodes with a
    labelled rest after them. With `by_window` every window of a class weighs the same, else every
    episode of it. `steps` 0 solves for "bias" or "head" exactly, without a learning rate.

    `way` is how a step is found: by backward from labels, without a backward ("mezo"), or by
    backward from labels and from the wearer's comparisons in turn. `micro_batches` adds a batch's
    gradient up from small ones: less memory, the same step but for rounding.
    """

    groups: Groups
    steps: int
    learning_rate: float
    anchor: float
    min_gain: float
    min_stories: int = 1
    bias_anchor: float | None = None
    by_window: bool = False
    way: Way = "labels"
    micro_batches: bool = False

    @property
    def name(self) -> str:
        """What it is called in the ledger."""
        return self.groups if self.way == "labels" else f"{self.groups}, {self.way}"

    def __post_init__(self) -> None:
        exact = self.steps == 0
        if exact and (self.groups not in ("bias", "head") or self.way != "labels"):
            raise ValueError(f"steps: expected at least 1 for {self.name!r}, got 0")


# How they were chosen and what they do to people is in docs/studies/personal.md. With one stressor
# only a large and plain error may be corrected: a bias at lambda 3 that takes a fifth off the loss.
# After two, whatever loses nothing on what is held back: weights at lambda 10 with a free bias
# (0.1); a nearly free bias alone (0.3), for whom weights do not help; and the layers below, only
# for more than the last few windows' worth of noise.
CANDIDATES = (
    Candidate("bias", 0, 0.0, anchor=0.6, min_gain=0.2),
    Candidate("head", 0, 0.0, 2.0, 0.0, min_stories=2, bias_anchor=0.02, by_window=True),
    Candidate("bias", 0, 0.0, anchor=0.06, min_gain=0.0, min_stories=2, by_window=True),
    # Fewer or smaller steps stop short of the estimate and give away a point or two.
    Candidate("lora+head", 800, 0.01, 2.0, 0.05, min_stories=2, bias_anchor=0.02, by_window=True),
)

# Half of the steps are the wearer's comparisons. After one story they would fit that stressor as
# labels do; docs/studies/preferences.md.
COMPARED = Candidate(
    groups="lora+head",
    steps=1600,
    learning_rate=0.01,
    anchor=2.0,
    min_gain=0.0,
    min_stories=2,
    bias_anchor=0.02,
    by_window=True,
    way="comparisons",
)
# A step without a backward knows the slope along one direction of 400 only, so it needs many more,
# smaller ones; docs/studies/learning.md. Never the default.
MEZO = Candidate(
    "head", 4000, 0.002, 2.0, 0.05, min_stories=2, bias_anchor=0.02, by_window=True, way="mezo"
)
_LORA_HEAD = CANDIDATES[3]
_BIAS = (CANDIDATES[0], CANDIDATES[2])
# What may be asked for instead of the recipe, each with the biases that a first story allows.
METHODS: Mapping[str, tuple[Candidate, ...]] = {
    "recipe": (*CANDIDATES, COMPARED),
    "bias": _BIAS,
    "head": (*_BIAS, CANDIDATES[1]),
    "lora": (*_BIAS, replace(_LORA_HEAD, groups="lora")),
    "lora+head": (*_BIAS, _LORA_HEAD),
    "mezo": (*_BIAS, MEZO),
}


def candidates_of(method: str, *, micro_batches: bool = False) -> tuple[Candidate, ...]:
    """Candidates of a method by name, in the order in which they are tried."""
    return tuple(
        replace(one, micro_batches=True) if micro_batches and one.steps else one
        for one in METHODS[method]
    )
