"""Does learning on the host help people, and whom does it hurt? The job that ships, on recordings.

Calibration is strictly earlier than test and from other stages of the session. Protocol "earlier":
labels of the baseline, the first task and the rest after it; tested on every later stage. Protocol
"two-tasks": labels up to the end of the second task, so that the gate has a second stress episode
to judge on; tested on later stages. Where no third task follows, calibration ends in the middle of
the second one: then calibration and test share a stressor, and the person is marked `same_task`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from firmware_host.adaptation.adapters import apply_adapter
from firmware_host.adaptation.batches import probabilities
from firmware_host.adaptation.episodes import (
    Label,
    LabelSpan,
    Refusal,
    Split,
    build_episodes,
    split_for_gate,
)
from firmware_host.adaptation.prepare import labelled_windows, unusable_windows
from firmware_host.adaptation.samples import WindowTable
from firmware_host.adaptation.update import CANDIDATES, Candidate, choose_update
from firmware_host.inference.base import SignatureModel
from firmware_host.inference.bundle import load_bundle, open_model
from firmware_host.inference.table import TableModel
from firmware_host.scoring import auc, balanced_accuracy, bootstrap_interval, log_loss
from firmware_host.signals.stress import WINDOW_S
from training.datasets import physionet, stress_predict
from training.datasets.stress_windows import SessionWindows, load_windows
from training.stress.network import fit_net, training_set
from training.stress.people import Person, people_of, spread_of

Protocol = Literal["earlier", "two-tasks"]
DATASETS = {stress_predict.NAME: stress_predict, physionet.NAME: physionet}
# Changes of balanced accuracy smaller than this are a window or two: neither help nor harm.
NOISE = 0.01
HARM = 0.05
_N_TASKS = {"earlier": 1, "two-tasks": 2}
_LORA_RANK = 4

Model = tuple[SignatureModel, NDArray[np.float64]]


@dataclass(frozen=True)
class Division:
    """Indices of one person's windows: `calibration` spans and `test` (n,)."""

    calibration: list[LabelSpan]
    test: NDArray[np.int64]
    same_task: bool


def run_personal(
    data_dir: Path,
    dataset: str,
    bundle: str | Path | None = None,
    protocol: Protocol = "earlier",
    *,
    candidates: tuple[Candidate, ...] = CANDIDATES,
    seed: int = 1,
    cache_dir: Path | None = None,
) -> dict[str, Any]:
    """Figures of learning for every person of a dataset, as plain values.

    Parameters
    ----------
    dataset
        Name of the dataset whose people are tested.
    bundle
        The generic model: a bundle, or None to fit it anew for every person on everybody else in
        `data_dir`. People the bundle was trained on are counted in `n_seen_in_training`: their
        generic figures are too good, and so what is left to gain is too small.
    """
    windows = _windows(data_dir, cache_dir)
    people = people_of(windows)
    by_name = {one.session.person: one for one in windows}
    tested = [person for person in people if person.dataset == dataset]
    model_for, seen, source = _source(bundle, people, seed)
    rows = []
    for person in tested:
        division = divide(person, by_name[person.person], _N_TASKS[protocol])
        if division is None:
            continue
        model, spread = model_for(person)
        row = _learn_and_test(person, by_name[person.person], division, model, spread,
                              candidates, seed)  # fmt: skip
        rows.append({**row, "seen_in_training": person.person in seen})
    return {
        "dataset": dataset,
        "protocol": protocol,
        "generic": source,
        "seed": seed,
        **_summary(rows, seed),
        "n_without_test": len(tested) - len(rows),
        "people": rows,
    }


def divide(person: Person, windows: SessionWindows, n_tasks: int) -> Division | None:
    """Earlier stages to learn from and later ones to test on; None if a class is missing there."""
    order = [
        (idx, stage.label)
        for idx, stage in enumerate(windows.session.stages)
        if stage.label in set(Label) and (person.stage == idx).sum()
    ]
    tasks = [place for place, (_, label) in enumerate(order) if label == Label.STRESS]
    if len(tasks) < n_tasks:
        return None
    last = tasks[n_tasks - 1]
    same_task = n_tasks > 1 and len(tasks) == n_tasks
    # With one task only, its contrast is the rest that follows; with two, rest lies between them.
    n_calibration = last + (2 if n_tasks == 1 else 1)
    spans = [_span(person, *one) for one in order[:n_calibration]]
    test = np.isin(person.stage, [idx for idx, _ in order[n_calibration:]])
    if same_task:
        start, end = spans[-1].start_utc, (spans[-1].start_utc + spans[-1].end_utc) / 2
        spans[-1] = LabelSpan(Label.STRESS, start, end)
        test |= (person.stage == order[last][0]) & (person.t_end_s - WINDOW_S >= end)
    idx = np.flatnonzero(test)
    if len(np.unique(person.y[idx])) < len(Label):
        return None
    return Division(spans, idx, same_task)


def _span(person: Person, idx: int, label: str) -> LabelSpan:
    """Give a stage as the wearer would label it, on the session's own clock."""
    ends = person.t_end_s[person.stage == idx]
    return LabelSpan(Label(label), float(ends[0]) - WINDOW_S, float(ends[-1]))


def _windows(data_dir: Path, cache_dir: Path | None) -> list[SessionWindows]:
    found: list[SessionWindows] = []
    for name, module in DATASETS.items():
        if (Path(data_dir) / name).is_dir():
            sessions = [one for one in module.sessions(data_dir) if one.kind == "stress"]
            found += load_windows(sessions, cache_dir=cache_dir)
    return found


def _source(
    bundle: str | Path | None, people: Sequence[Person], seed: int
) -> tuple[Callable[[Person], Model], set[str], str]:
    if bundle is None:
        return lambda person: _leave_out(people, person.person, seed), set(), "left out one by one"
    loaded = load_bundle(bundle)
    model = open_model(loaded, loaded.stress)
    spread = np.asarray(loaded.stress.normalisation.spread, np.float64)
    label = f"{loaded.name}-{loaded.version} {loaded.sha256[:12]}"
    return lambda _person: (model, spread), set(loaded.recordings), label


def _leave_out(people: Sequence[Person], name: str, seed: int) -> Model:
    """Fit the generic model on everybody but one; spread included."""
    others = [person for person in people if person.person != name]
    spread = spread_of(others)
    parts = []
    for person in others:
        scored = np.isin(person.y, (0, 1))
        parts.append((person.z(spread)[scored], person.y[scored]))
    net = fit_net(training_set(parts), np.random.default_rng(seed))
    return table_model(net.arrays(), seed=seed), spread


def table_model(arrays: dict[str, NDArray[np.float32]], *, seed: int) -> TableModel:
    """Put the fitted net behind the host's model seam; its (in, out) matrices are turned around."""
    rng = np.random.default_rng(seed)
    named = {
        "dense1_w": arrays["w1"].T, "dense1_b": arrays["b1"],
        "dense2_w": arrays["w2"].T, "dense2_b": arrays["b2"],
        "head_w": arrays["head_w"].T, "head_b": arrays["head_b"],
    }  # fmt: skip
    for layer in (1, 2):
        n_out, n_in = named[f"dense{layer}_w"].shape
        down = rng.normal(0.0, 1.0 / np.sqrt(n_in), (_LORA_RANK, n_in))
        named[f"lora{layer}_a"] = down.astype(np.float32)
        named[f"lora{layer}_b"] = np.zeros((n_out, _LORA_RANK), np.float32)
    return TableModel(named)


def _learn_and_test(
    person: Person,
    windows: SessionWindows,
    division: Division,
    model: SignatureModel,
    spread: NDArray[np.float64],
    candidates: tuple[Candidate, ...],
    seed: int,
) -> dict[str, Any]:
    z = person.z(spread)
    table = WindowTable(
        person.t_end_s, person.raw, person.quality, person.motion, windows.missing, windows.worn
    )
    built = build_episodes(
        person.t_end_s,
        division.calibration,
        window_s=WINDOW_S,
        unusable=unusable_windows(table, max_motion_ms2=None),
    )
    split = split_for_gate(built)
    apply_adapter(model, None)
    p_generic = probabilities(model, z[division.test])[:, 1]
    facts: dict[str, Any] = {"kept": False, "group": "", "different_episode": False}
    if isinstance(split, Refusal):
        facts["reason"] = split.reason.value
    else:
        facts |= _update(model, z, split, candidates, seed)
    p_personal = probabilities(model, z[division.test])[:, 1]
    truth = person.y[division.test]
    return {
        "person": person.person,
        "same_task": division.same_task,
        **facts,
        "n_test": len(truth),
        "generic": _scores(truth, p_generic),
        "personal": _scores(truth, p_personal),
    }


def _update(
    model: SignatureModel,
    z: NDArray[np.float32],
    split: Split,
    candidates: tuple[Candidate, ...],
    seed: int,
) -> dict[str, Any]:
    choice = choose_update(
        model,
        labelled_windows(z, split.calibration),
        labelled_windows(z, split.held_back),
        n_other_stress=split.n_other_stress,
        current=None,
        candidates=candidates,
        seed=seed,
    )
    return {
        "kept": choice.changed,
        "group": choice.groups if choice.changed else "",
        "reason": choice.decision.reason.value,
        "different_episode": split.different_episode,
    }


def _scores(truth: NDArray[np.int64], p: NDArray[np.float32]) -> dict[str, float]:
    return {
        "balanced_accuracy": balanced_accuracy(truth, (p > 0.5).astype(np.int64)),
        "log_loss": log_loss(truth, p, balanced=True),
        "auc": auc(truth, p),
    }


def _summary(rows: list[dict[str, Any]], seed: int) -> dict[str, Any]:
    """Means over people, who was helped and who was hurt, and an interval over people."""
    if not rows:
        return {"n_people": 0}
    values = {
        (side, name): np.array([row[side][name] for row in rows])
        for side in ("generic", "personal")
        for name in ("balanced_accuracy", "log_loss")
    }
    gain = values["personal", "balanced_accuracy"] - values["generic", "balanced_accuracy"]
    loss_rise = values["personal", "log_loss"] - values["generic", "log_loss"]
    low, high = bootstrap_interval(
        lambda chosen: float(gain[chosen].mean()),
        np.arange(len(gain)),
        rng=np.random.default_rng(seed),
    )
    worst = int(np.argmin(gain))
    return {
        "n_people": len(rows),
        "n_seen_in_training": sum(row["seen_in_training"] for row in rows),
        "n_same_task": sum(row["same_task"] for row in rows),
        "balanced_accuracy_generic": float(values["generic", "balanced_accuracy"].mean()),
        "balanced_accuracy_personal": float(values["personal", "balanced_accuracy"].mean()),
        "gain": float(gain.mean()),
        "gain_interval_95": [low, high],
        "log_loss_generic": float(values["generic", "log_loss"].mean()),
        "log_loss_personal": float(values["personal", "log_loss"].mean()),
        "n_helped": int((gain > NOISE).sum()),
        "n_hurt": int((gain < -NOISE).sum()),
        "n_hurt_over_5_points": int((gain < -HARM).sum()),
        "n_log_loss_worse": int((loss_rise > NOISE).sum()),
        "worst_change": float(gain[worst]),
        "worst_person": rows[worst]["person"],
        "updates": dict(sorted(Counter(row["group"] or row["reason"] for row in rows).items())),
    }
