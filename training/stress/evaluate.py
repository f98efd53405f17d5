"""Score a bundle on recordings: the file that ships, the host's windows, its own thresholds."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from firmware_host.errors import RecordingError
from firmware_host.inference.bundle import load_bundle, open_model
from firmware_host.signals.smoothing import LogitEma
from training.metrics import PersonScore, score_person, summarise
from training.stress import time_control
from training.stress.loso import DATASETS, load_people
from training.stress.network import sigmoid

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from firmware_host.inference.base import SignatureModel
    from firmware_host.inference.contract import Bundle
    from training.stress.people import BaselineKind, Person

PERSONAL = ("earlier", "two-tasks")


def run_evaluate(
    data_dir: Path,
    dataset: str,
    bundle: str | Path = "",
    *,
    baseline: BaselineKind = "guided",
    cache_dir: Path | None = None,
) -> dict:
    """Figures of one bundle on one dataset.

    People the bundle was trained on, by name or by the content of the recording, are scored but
    kept apart: `unseen` is the figure to quote, `seen` is not.
    """
    loaded = load_bundle(bundle)
    data = load_people(data_dir, cache_dir=cache_dir, baseline=baseline, only=dataset)
    people = data.lab.get(dataset, [])
    if not people:
        raise RecordingError(data_dir, f"recordings of {dataset} with labels", "none")
    model = open_model(loaded, loaded.stress)
    known = [_was_seen(person, loaded) for person in people]
    scores = [_score(person, bundle_probability(person, loaded, model)) for person in people]
    clock = [_score(person, _clock_probability(person, loaded)) for person in people]
    return {
        "task": "stress",
        "dataset": dataset,
        "bundle": f"{loaded.name}-{loaded.version}",
        "bundle_sha256": loaded.sha256,
        "baseline": baseline,
        "unseen": _part(scores, clock, [not seen for seen in known]),
        "seen": _part(scores, clock, known),
        "participants": [
            {**asdict(score), "seen_in_training": seen}
            for score, seen in zip(scores, known, strict=True)
        ],
    }


def bundle_probability(
    person: Person, bundle: Bundle, model: SignatureModel
) -> NDArray[np.float64]:
    """(n,) smoothed P(stress) of a session's windows from the model file."""
    contract = bundle.stress
    spread = np.asarray(contract.normalisation.spread, np.float64)
    ema = LogitEma(time_constant_s=contract.smoothing_s)
    smooth = []
    for z, t_s in zip(person.z(spread, clip=contract.normalisation.clip), person.t_end_s,
                      strict=True):  # fmt: skip
        logits = model.run("infer", x=z[None, :])["logits"][0]
        smooth.append(ema.update(float(logits[1]) - float(logits[0]), float(t_s)))
    return sigmoid(np.array(smooth))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `evaluate --task stress`."""
    parser.add_argument("--dataset", required=True, choices=sorted(DATASETS))
    parser.add_argument("--data", required=True, type=Path, help="folder that holds the datasets")
    parser.add_argument("--bundle", default="", help="default: the one that ships")
    parser.add_argument("--baseline", choices=("guided", "unlabelled"), default="guided")
    parser.add_argument(
        "--personal", choices=PERSONAL, help="also let the host learn on earlier labels, and test"
    )
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    parser.add_argument("--cache", type=Path, help="folder for computed windows")


def run(arguments: argparse.Namespace) -> dict:
    """Run the command; the figures are returned and, with --json, written."""
    result = run_evaluate(
        arguments.data,
        arguments.dataset,
        arguments.bundle,
        baseline=arguments.baseline,
        cache_dir=arguments.cache,
    )
    if arguments.personal:
        from training.stress.personal import run_personal

        result["personal"] = run_personal(
            arguments.data,
            arguments.dataset,
            arguments.bundle,
            arguments.personal,
            cache_dir=arguments.cache,
        )
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=2) + "\n")
    return result


def _was_seen(person: Person, bundle: Bundle) -> bool:
    recordings = bundle.recordings
    return person.person in recordings or person.content_sha256 in set(recordings.values())


def _clock_probability(person: Person, bundle: Bundle) -> NDArray[np.float64]:
    # The table holds middles of minutes; the nearest one is the minute a window ends in.
    middle_s = (person.t_end_s // time_control.BIN_S + 0.5) * time_control.BIN_S
    return bundle.stress.time_control.probability(middle_s.astype(np.float32)).astype(np.float64)


def _score(person: Person, probability: NDArray[np.float64]) -> PersonScore:
    mask = np.isin(person.y, (0, 1))
    return score_person(person.person, person.y[mask], probability[mask], 0.5)


def _part(
    scores: Sequence[PersonScore], clock: Sequence[PersonScore], chosen: Sequence[bool]
) -> dict | None:
    """Summary of the chosen people with the clock beside it, None if there are none."""
    pick = [score for score, ok in zip(scores, chosen, strict=True) if ok]
    if not pick:
        return None
    control = summarise([score for score, ok in zip(clock, chosen, strict=True) if ok])
    return {
        **summarise(pick).as_dict(),
        "time_only_balanced_accuracy": control.balanced_accuracy,
    }
