"""What the wearer's labels may move: bias, head, low-rank adapters, or every weight."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from firmware_host.adaptation.adapters import apply_adapter
from firmware_host.adaptation.episodes import Refusal, build_episodes, split_for_gate
from firmware_host.adaptation.evidence import Evidence
from firmware_host.adaptation.exact import solve
from firmware_host.adaptation.job import choose_update
from firmware_host.adaptation.learner import learn
from firmware_host.adaptation.prepare import (
    evidence_of,
    first_rest_baseline,
    unusable_windows,
)
from firmware_host.adaptation.recipe import CANDIDATES, Candidate
from firmware_host.adaptation.samples import WindowTable
from firmware_host.errors import AdaptationError
from firmware_host.inference.base import FloatArray, SignatureModel
from firmware_host.scoring import balanced_accuracy
from training.ablation.full_model import FullModel
from training.datasets.stress_windows import SessionWindows
from training.stress.calibration_split import Protocol, divide
from training.stress.detector import StressThresholds
from training.stress.generic_models import Generic, table_model
from training.stress.people import Person

# Balanced accuracy moves by a window or two without meaning anything.
NOISE = 0.01
_EVERYTHING = (1.0, 1.0, 1.0)
_LORA_ONLY = (0.0, 0.0, 1.0)


@dataclass(frozen=True, slots=True)
class Update:
    """One way to learn. `moving` switches off what its candidate would move; see `models_of`."""

    name: str
    pull: str
    candidates: tuple[Candidate, ...]
    model: str = "adapters"
    moving: tuple[float, float, float] = _EVERYTHING


def _both(name: str, groups: Any, **options: Any) -> tuple[Update, Update]:
    """One timid way and one bold way, the same for every group: lambda 10 and a free bias."""
    timid = Candidate(groups, 200, 0.01, anchor=2.0, min_gain=0.0)
    bold = Candidate(groups, 800, 0.01, 2.0, 0.0, bias_anchor=0.02, by_window=True)
    return (
        Update(name, "all strong", (timid,), **options),
        Update(name, "bias free", (bold,), **options),
    )


UPDATES = (
    *_both("bias", "bias"),
    *_both("head, bias", "head"),
    *_both("LoRA", "lora+head", moving=_LORA_ONLY),
    *_both("LoRA, head, bias", "lora+head"),
    *_both("full: every weight", "lora+head", model="full"),
    Update("as shipped: whatever passes", "its own", CANDIDATES),
)


@dataclass(frozen=True)
class Outcome:
    """One person and one update: balanced accuracy without it, with it, and as the gate rules."""

    person: str
    generic: float
    ungated: float
    gated: float
    kept: bool


@dataclass(frozen=True)
class Job:
    """One person's labels and test windows as the host would have them.

    `free` (n,) marks windows that share no second with a label; only those are smoothed and
    scored. `truth` is of the windows in `test`, which are among them.
    """

    person: str
    z: NDArray[np.float32]
    t_end_s: NDArray[np.float64]
    free: NDArray[np.bool_]
    test: NDArray[np.int64]
    truth: NDArray[np.int64]
    evidence: Evidence


def prepare(
    person: Person, windows: SessionWindows, spread: NDArray[np.float64], protocol: Protocol
) -> Job | None:
    """Job of one session; None if there is nothing to learn from or to test on."""
    division = divide(windows, protocol, window_s=windows.window_s)
    if division is None:
        return None
    table = WindowTable(
        person.t_end_s, person.raw, person.quality, person.motion, windows.missing, windows.worn
    )
    built = build_episodes(
        person.t_end_s,
        division.calibration,
        window_s=windows.window_s,
        unusable=unusable_windows(table, max_motion_ms2=None),
    )
    split = split_for_gate(built)
    if isinstance(split, Refusal):
        return None
    # The baseline may use nothing of the test part either.
    found = first_rest_baseline(table, built.episodes)
    z = replace(person, baseline=found or person.baseline).z(spread)
    free = np.ones(len(z), np.bool_)
    for span in division.calibration:
        starts = person.t_end_s - windows.window_s
        free &= (starts >= span.end_utc) | (person.t_end_s <= span.start_utc)
    test = division.test
    evidence = evidence_of(z, built, split)
    return Job(person.person, z, person.t_end_s, free, test, person.y[test], evidence)


def models_of(
    arrays: Mapping[str, NDArray[np.float32]], spread: NDArray[np.float64], *, seed: int
) -> dict[str, Generic]:
    """The generic network "adapters" as it ships, and "full", whose every weight may move."""
    thresholds = StressThresholds()
    return {
        "adapters": Generic(table_model(dict(arrays), seed=seed), spread, thresholds),
        "full": Generic(FullModel(arrays), spread, thresholds),
    }


def outcome(
    job: Job, models: Mapping[str, Generic], update: Update, *, seed: int, gate_only: bool = False
) -> Outcome:
    """Learn with the gate and without, and score the test windows before and after.

    With `gate_only`, and for a choice of several, what the gate kept stands for both.
    """
    generic = models[update.model]
    model = _Only(generic.model, update.moving)
    apply_adapter(model, None)
    before = _score(job, generic)
    choice = choose_update(
        model, job.evidence, current=None, candidates=update.candidates, seed=seed
    )
    gated = _score(job, generic) if choice.changed else before
    ungated = gated
    if len(update.candidates) == 1 and not gate_only:
        apply_adapter(model, None)
        _learn(model, job.evidence, update.candidates[0], seed)
        ungated = _score(job, generic)
    apply_adapter(model, None)
    return Outcome(job.person, before, ungated, gated, choice.changed)


def n_bytes(models: Mapping[str, Generic], update: Update) -> int:
    """Bytes of what the wearer's update is, float32, without momentum."""
    shapes = models[update.model].model.signatures["get_adapter"].outputs
    sizes = {n: int(np.prod(s.shape)) for n, s in shapes.items() if not n.startswith("momentum_")}
    bias, head = sizes["head_b"], sizes["head_w"]
    rest = sum(sizes.values()) - bias - head
    if update.moving == _LORA_ONLY:
        return 4 * rest
    moved = {"bias": bias, "head": bias + head, "lora+head": bias + head + rest}
    return 4 * max(moved[candidate.groups] for candidate in update.candidates)


def summary(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Gain over people, without the gate and with it."""
    ungated = np.array([one.ungated - one.generic for one in outcomes])
    gated = np.array([one.gated - one.generic for one in outcomes])
    return {
        "generic": float(np.mean([one.generic for one in outcomes])),
        "gain": float(ungated.mean()),
        "helped": int((ungated > NOISE).sum()),
        "hurt": int((ungated < -NOISE).sum()),
        "worst_change": float(ungated.min()),
        "gain_gated": float(gated.mean()),
        "kept": sum(one.kept for one in outcomes),
        "hurt_gated": int((gated < -NOISE).sum()),
        "worst_change_gated": float(gated.min()),
        "n": len(outcomes),
    }


def _learn(model: SignatureModel, evidence: Evidence, candidate: Candidate, seed: int) -> None:
    """Learn from everything labelled, whatever comes of it; a diverged update is undone."""
    windows = evidence.everything
    weight = np.ones_like(windows.weight) if candidate.by_window else windows.weight
    labelled = (model, windows.x, windows.y, weight)
    try:
        if candidate.steps == 0:
            solve(
                *labelled,
                linear=candidate.groups == "head",
                anchor=candidate.anchor,
                bias_anchor=candidate.bias_anchor or candidate.anchor,
            )
            return
        learn(
            *labelled,
            groups=candidate.groups,
            steps=candidate.steps,
            learning_rate=candidate.learning_rate,
            anchor=candidate.anchor,
            bias_anchor=candidate.bias_anchor,
            settle=True,
            seed=seed,
        )
    except AdaptationError:
        apply_adapter(model, None)


def _score(job: Job, generic: Generic) -> float:
    p = np.full(len(job.z), np.nan)
    p[job.free] = generic.probability(job.z[job.free], job.t_end_s[job.free])
    return float(balanced_accuracy(job.truth, (p[job.test] > 0.5).astype(np.int64)))


class _Only:
    """A model in whose training some groups stand still."""

    def __init__(self, model: SignatureModel, moving: tuple[float, float, float]) -> None:
        self._model = model
        self._moving = np.array(moving, np.float32)

    @property
    def signatures(self) -> Any:
        return self._model.signatures

    def run(self, signature: str, **arrays: FloatArray) -> dict[str, FloatArray]:
        if signature == "train":
            arrays["lr"] = (arrays["lr"] * self._moving).astype(np.float32)
        return self._model.run(signature, **arrays)
