"""`ablate --task stress`: normalisation, sensors, what an update moves, and int8, by person."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from firmware_host.errors import RecordingError
from firmware_host.signals.stress import FEATURE_CHANNELS, FEATURE_NAMES
from training.ablation import stress_people as see
from training.ablation import stress_updates as learn
from training.ablation.table import Table, add_common, check_output, finish
from training.bundle.artifacts import BACKBONE_WORDS, Backbone
from training.bundle.rounding import rounded_arrays
from training.datasets import physionet, stress_predict
from training.datasets.registry import STRESS, require_all
from training.datasets.stress_windows import SessionWindows, load_windows
from training.evaluation.options import at_least
from training.evaluation.progress import progress
from training.metrics import PersonScore
from training.stress.detector import Detector
from training.stress.people import Person, people_of
from training.stress.time_control import time_only_scores

if TYPE_CHECKING:
    import argparse

SHORT = {stress_predict.NAME: "A", physionet.NAME: "B"}
CHANNELS = tuple(dict.fromkeys(FEATURE_CHANNELS))
# What is learned in int8 too: nothing more than the shipped choice and its boldest part.
IN_INT8 = ("LoRA, head, bias", "as shipped: whatever passes")
Folds = Sequence[tuple[Detector, list[Person]]]
# (set, protocol, storage, update, pull, bytes) -> people.
Outcomes = dict[tuple[str, str, str, str, str, int], list[learn.Outcome]]
PROTOCOLS: tuple[Literal["personal", "earlier"], ...] = ("personal", "earlier")


@dataclass(frozen=True)
class Material:
    """Windows and people of each data set with both classes, and how people are left out."""

    windows: dict[str, SessionWindows]
    people: dict[str, list[Person]]
    n_folds: int
    seed: int

    def everyone(self) -> list[Person]:
        """People of all data sets."""
        return [person for people in self.people.values() for person in people]


def load(data_dir: Path, cache_dir: Path | None, *, n_folds: int, seed: int) -> Material:
    """Laboratory sessions of both data sets.

    Raises
    ------
    RecordingError
        If not both are, what helps on one set alone is not to be believed; or if there are fewer
        people than groups.
    """
    windows, people = {}, {}
    require_all(data_dir, SHORT)
    for name in SHORT:
        lab = [one for one in STRESS[name](data_dir) if one.kind == "stress"]
        found = load_windows(lab, cache_dir=cache_dir)
        windows |= {one.session.person: one for one in found}
        people[name] = [p for p in people_of(found) if p.has_both_classes()]
    n_people = sum(len(part) for part in people.values())
    if n_people < n_folds:
        expected = f"{n_folds} or more people with rest and stress, one in each group"
        raise RecordingError(data_dir, expected, str(n_people))
    return Material(windows, people, n_folds, seed)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `ablate --task stress`."""
    add_common(parser)
    parser.add_argument("--cache", type=Path, help="folder for computed windows")
    parser.add_argument(
        "--folds",
        type=at_least(2),
        default=11,
        help="groups of people left out in turn (default 11 of 44)",
    )


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Run the command; the tables are returned and written where asked."""
    check_output(arguments)
    # One thread: more of them only wait for each other at these sizes.
    os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
    material = load(arguments.data, arguments.cache, n_folds=arguments.folds, seed=arguments.seed)
    shipped = _folds(material.everyone(), see.as_shipped, material, "as shipped")
    tables = [
        normalisation_table(material, shipped),
        sensor_table(material, shipped),
        *learning_tables(material, shipped),
    ]
    n = {SHORT[name]: f"{name}, {len(people)} people" for name, people in material.people.items()}
    facts = {**n, "people_left_out": f"in {material.n_folds} groups", "seed": material.seed}
    return finish(arguments, "stress", tables, facts)


def normalisation_table(material: Material, shipped: Folds) -> Table:
    """None, the wearer's rest, the wearer's past; each with the clock beside it."""
    drift = {n: see.drifting(people, seed=material.seed) for n, people in material.people.items()}
    changes = {
        "none: one centre for everybody": see.not_normalised,
        "baseline: the wearer's own rest (ships)": see.as_shipped,
        "running: the wearer's own past, half-life 15 min": see.running,
    }
    rows = []
    for name, change in changes.items():
        row = _accuracy_row(name, material, change, shipped)
        everyone = [person for people in drift.values() for person in people]
        scores = see.scores_of(_folds(everyone, change, material, f"{name}, drift"))
        for dataset in drift:
            row[f"drift_{SHORT[dataset]}"] = see.figures(_of(scores, dataset)).mean
        rows.append(row)
    rows.append(_clock_row(material))
    words = (
        "Balanced accuracy of people left out of training, mean ± SD over people. Drift: the same "
        "with features that hold nothing but time and noise; what a way of normalising gets from "
        "those it may have got from the clock in the other columns too. Last row: a table of "
        "P(stress) by minute, no sensor at all."
    )
    columns = {**_ACCURACY_COLUMNS, "drift_A": "drift, A", "drift_B": "drift, B"}
    return Table("normalisation", "Normalisation", words, columns, rows)


def sensor_table(material: Material, shipped: Folds) -> Table:
    """Each sensor alone, and each left out."""
    n_all = len(FEATURE_NAMES)
    changes = {"all (ships)": (see.as_shipped, n_all)}
    for channel in CHANNELS:
        changes[f"{channel} only"] = (see.only(channel), see.n_features(channel))
    for channel in CHANNELS:
        changes[f"without {channel}"] = (see.without(channel), n_all - see.n_features(channel))
    rows: list[dict[str, Any]] = []
    for name, (change, n_features) in changes.items():
        row = _accuracy_row(name, material, change, shipped)
        row |= {"n_features": n_features, "bytes": file_bytes(n_features, "int8")}
        base = rows[0] if rows else row
        for short in SHORT.values():
            row[f"change_{short}"] = row[f"mean_{short}"] - base[f"mean_{short}"]
            row[f"hurt_{short}"] = _n_worse(row[f"each_{short}"], base[f"each_{short}"])
        rows.append(row)
    columns = {
        **_ACCURACY_COLUMNS,
        "change_A": "change, A",
        "hurt_A": "people worse, A",
        "change_B": "change, B",
        "hurt_B": "people worse, B",
        "n_features": "features",
        "bytes": "file, bytes",
    }
    words = (
        "One sensor alone or one left out, in training and in test. Worse: more than 0.01 below "
        "the same person with all sensors. Bytes: the .tflite file with that many features, int8."
    )
    return Table("sensors", "Sensor by sensor", words, columns, rows)


def learning_tables(material: Material, shipped: Folds) -> list[Table]:
    """What an update may move, and float32 against rounded weights, from one generic model a person."""
    made: Outcomes = {}
    people = [(detector, person) for detector, part in shipped for person in part]
    for detector, person in progress(people, "updates"):
        for storage, arrays in _stored(detector.net.arrays()).items():
            models = learn.models_of(arrays, detector.spread, seed=material.seed)
            for protocol in PROTOCOLS:
                windows = material.windows[person.person]
                job = learn.prepare(person, windows, detector.spread, protocol)
                for update in learn.UPDATES if job is not None else ():
                    if storage != "float" and update.name not in IN_INT8:
                        continue
                    one = learn.outcome(job, models, update, seed=material.seed)
                    size = learn.n_bytes(models, update)
                    key = (SHORT[person.dataset], protocol, storage, update.name, update.pull, size)
                    made.setdefault(key, []).append(one)
    return [_update_table(made), _storage_table(made)]


def _stored(arrays: Mapping[str, Any]) -> dict[Backbone, Mapping[str, Any]]:
    return {storage: rounded_arrays(arrays, storage) for storage in BACKBONE_WORDS}


def _update_table(made: Outcomes) -> Table:
    rows = [
        {
            "name": name,
            "pull": pull,
            "bytes": size,
            "set": f"{short}, {protocol}",
            **learn.summary(outcomes),
            "each": {one.person: one.ungated - one.generic for one in outcomes},
        }
        for (short, protocol, storage, name, pull, size), outcomes in made.items()
        if storage == "float"
    ]
    rows.sort(key=lambda row: row["set"])
    columns = {
        "name": "what moves",
        "pull": "pull to generic",
        "bytes": "adapter, bytes",
        "set": "set, protocol",
        "n": "people",
        "generic": "generic",
        "gain": "gain",
        "helped": "helped",
        "hurt": "hurt",
        "worst_change": "worst change",
        "kept": "kept by the gate",
        "gain_gated": "gain with gate",
        "hurt_gated": "hurt with gate",
        "worst_change_gated": "worst with gate",
    }
    words = (
        "Balanced accuracy of the generic network, which never saw the person, and what learning "
        "from the person's own labels changes. Helped and hurt: by more than 0.01. Gate: learned "
        "from the earlier labels, kept only if the later ones do not object, then learned again "
        "from all of them. Labels, 'personal': first half of every stage; 'earlier': first rest, "
        "first task and the rest after it. 'All strong': 200 steps, everything held at lambda 10; "
        "'bias free': 800 steps, weights at lambda 10, bias at 0.1. 'Full' trains every weight, "
        "as a server could; it is no option of the file that ships."
    )
    return Table("updates", "What an update moves", words, columns, rows)


def _storage_table(made: Outcomes) -> Table:
    rows = []
    pairs = {key: v for key, v in made.items() if key[2] != "float" and key[4] != "all strong"}
    for (short, protocol, storage, name, pull, size), small in pairs.items():
        plain = made[short, protocol, "float", name, pull, size]
        change = np.array([a.generic - b.generic for a, b in zip(small, plain, strict=True)])
        gained = np.array([a.ungated - b.ungated for a, b in zip(small, plain, strict=True)])
        rows.append(
            {
                "name": name,
                "set": f"{short}, {protocol}",
                "storage": BACKBONE_WORDS[storage],
                "bytes_float32": file_bytes(len(FEATURE_NAMES), "float"),
                "bytes": file_bytes(len(FEATURE_NAMES), storage),
                "change": float(change.mean()),
                "worst_change": float(change.min()),
                "gain_change": float(gained.mean()),
                "worst_gain_change": float(gained.min()),
                "worse": int((gained < -learn.NOISE).sum()),
                "n": len(small),
            }
        )
    columns = {
        "name": "what moves",
        "set": "set, protocol",
        "storage": "frozen weights",
        "bytes_float32": "float32, bytes",
        "bytes": "stored so, bytes",
        "change": "change, generic",
        "worst_change": "worst person, generic",
        "gain_change": "change, learned",
        "worst_gain_change": "worst person, learned",
        "worse": "people worse",
        "n": "people",
    }
    words = (
        "Balanced accuracy with rounded weights less that with float32 weights, same person, same "
        "generic network: without labels, and learned without the gate (as shipped: with it)."
    )
    return Table("storage", "Float32 against int8 and 4 bits", words, columns, rows)


@cache
def file_bytes(n_features: int, storage: Backbone) -> int:
    """Size of the stress file with that many features; weights do not matter to it."""
    from models.stress import StressNet, random_weights
    from training.bundle.rounding import rounded_weights
    from training.bundle.tflite_file import STORAGE, convert

    weights = rounded_weights(random_weights(np.random.default_rng(0), n_features), storage)
    return len(convert(StressNet(weights), storage=STORAGE[storage]))


_ACCURACY_COLUMNS = {
    "name": "",
    "mean_A": "A",
    "sd_A": "± SD",
    "worst_A": "worst",
    "mean_B": "B",
    "sd_B": "± SD",
    "worst_B": "worst",
    "transfer_A": "trained on B only, A",
    "transfer_B": "trained on A only, B",
}


def _folds(people: Sequence[Person], change: see.Change, material: Material, what: str) -> Folds:
    return see.left_out(people, change, n_folds=material.n_folds, seed=material.seed, what=what)


def _accuracy_row(
    name: str, material: Material, change: see.Change, shipped: Folds
) -> dict[str, Any]:
    """Everybody left out in turn, and each data set by a detector of the other."""
    everyone = material.everyone()
    folds = shipped if change is see.as_shipped else _folds(everyone, change, material, name)
    scores = see.scores_of(folds)
    row: dict[str, Any] = {"name": name}
    for dataset, part in material.people.items():
        own, short = see.figures(_of(scores, dataset)), SHORT[dataset]
        row |= {f"mean_{short}": own.mean, f"sd_{short}": own.sd, f"worst_{short}": own.worst}
        row[f"each_{short}"] = dict(own.each)
        others = [person for person in everyone if person.dataset != dataset]
        moved = see.figures(see.transfer(others, part, change, seed=material.seed))
        row[f"transfer_{short}"] = moved.mean
    return row


def _of(scores: Sequence[PersonScore], dataset: str) -> list[PersonScore]:
    return [score for score in scores if score.person.startswith(f"{dataset}/")]


def _clock_row(material: Material) -> dict[str, Any]:
    row: dict[str, Any] = {"name": "time since the start alone"}
    for dataset, people in material.people.items():
        own, short = see.figures(time_only_scores(people)), SHORT[dataset]
        row |= {f"mean_{short}": own.mean, f"sd_{short}": own.sd, f"worst_{short}": own.worst}
    return row


def _n_worse(changed: Mapping[str, float], base: Mapping[str, float]) -> int:
    return sum(changed[person] < base[person] - learn.NOISE for person in base)
