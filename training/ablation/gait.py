"""`ablate --task gait`: features, whitening, what is personal, placements and int8, by person."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from firmware_host.errors import DataError
from training.ablation import gait_people as see
from training.ablation.table import Table, add_common, check_output, finish
from training.bundle.artifacts import BACKBONE_WORDS, Backbone
from training.datasets import motionsense, wisdm_watch
from training.datasets.registry import require_all
from training.evaluation.options import at_least
from training.gait.gate import LABELS, N_STEPS, GateWeights, train_gate
from training.gait.identity import N_DIRECTIONS
from training.gait.people import Person, load_people
from training.gait.windows import Walks
from training.splits import leave_groups_out

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

SHORT = {wisdm_watch.NAME: "wrist", motionsense.NAME: "pocket"}
# A person's error rate at 5 s moves by this much with one probe.
NOISE = 0.02
_N_CLASSES = len(LABELS)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `ablate --task gait`."""
    add_common(parser)
    parser.add_argument("--folds", type=at_least(2), default=3, help="groups of people (default 3)")
    parser.add_argument("--partitions", type=at_least(1), default=2, help="divisions into groups")
    parser.add_argument(
        "--gate-steps", type=at_least(0), default=N_STEPS, help="0 leaves the activity gate out"
    )


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Run the command; the tables are returned and written where asked."""
    check_output(arguments)
    # One thread: more of them only wait for each other at these sizes.
    os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
    people = _load(arguments.data)
    require_enough(people, n_folds=arguments.folds)
    tables = [
        identity_table(
            people, n_folds=arguments.folds, n_partitions=arguments.partitions, seed=arguments.seed
        )
    ]
    if arguments.gate_steps:
        tables.append(gate_table(people, arguments.gate_steps, arguments.seed))
    n = {SHORT[name]: f"{name}, {len(own)} people" for name, own in people.items()}
    facts = {**n, "folds": arguments.folds, "partitions": arguments.partitions}
    return finish(arguments, "gait", tables, {**facts, "seed": arguments.seed})


def identity_table(
    people: Mapping[str, Sequence[Person]], *, n_folds: int, n_partitions: int, seed: int
) -> Table:
    """One row a setting, both placements."""
    walks = {name: _walks(own) for name, own in people.items()}
    rows: list[dict[str, Any]] = []
    for setting in see.SETTINGS:
        row: dict[str, Any] = {"name": setting.name, **_bytes(setting)}
        for name, own in walks.items():
            others = [w for other, part in walks.items() if other != name for w in part]
            made = see.verify(
                own, others, setting, n_folds=n_folds, n_partitions=n_partitions, seed=seed
            )
            short = SHORT[name]
            row |= {f"eer_{length}_{short}": value for length, value in made.eer.items()}
            row[f"rank1_{short}"] = made.rank1["5s"]
            row[f"each_{short}"] = dict(made.each)
            row[f"worse_{short}"] = _n_worse(made.each, (rows or [row])[0][f"each_{short}"])
        rows.append(row)
    columns = {"name": ""}
    for short in SHORT.values():
        columns |= {
            f"eer_5s_{short}": f"{short}, EER 5 s",
            f"eer_10s_{short}": "10 s",
            f"eer_30s_{short}": "30 s",
            f"rank1_{short}": "rank-1, 5 s",
            f"worse_{short}": "people worse",
        }
    columns |= {"bytes": "gait file, bytes", "adapter_bytes": "a wearer, bytes"}
    words = (
        "Verification of people that whitening, the imagined others and the periodicity limit "
        "never saw, enrolled on 30 s: mean over folds and partitions. Worse: equal error rate at "
        "5 s more than 2 points above the same person's in the first row."
    )
    return Table("identity", "Telling a walker", words, columns, rows)


def gate_table(people: Mapping[str, Sequence[Person]], n_steps: int, seed: int) -> Table:
    """The activity gate on a third of all people, trained on the rest, in each storage."""
    from training.bundle.rounding import rounded_weights

    everyone = {person.name: person for own in people.values() for person in own}
    train, test = next(leave_groups_out({n: n for n in everyone}, n_folds=3, seed=seed))
    gate = train_gate(
        [s for name in train for s in everyone[name].streams], seed=seed, n_steps=n_steps
    )
    rows: list[dict[str, Any]] = []
    for storage, name in BACKBONE_WORDS.items():
        weights = rounded_weights(gate, storage)
        f1 = {person: _macro_f1(everyone[person], weights) for person in test}
        row: dict[str, Any] = {"name": name, "each": f1}
        for dataset, short in SHORT.items():
            own = [value for name, value in f1.items() if name.startswith(f"{dataset}/")]
            row |= {f"f1_{short}": float(np.mean(own)), f"f1_worst_{short}": float(min(own))}
        base = (rows or [row])[0]["each"]
        changes = np.array([f1[name] - base[name] for name in test])
        row |= {"worst_change": float(changes.min()), "worse": int((changes < -0.01).sum())}
        rows.append(row)
    columns = {
        "name": "weights",
        "f1_wrist": "wrist, macro-F1",
        "f1_worst_wrist": "worst",
        "f1_pocket": "pocket, macro-F1",
        "f1_worst_pocket": "worst",
        "worst_change": "worst change",
        "worse": "people worse",
    }
    words = (
        f"Window by window, mean over {len(test)} people that the gate never saw, over the "
        "classes each of them has. Worse: by more than 0.01."
    )
    return Table("gate", "Activity gate", words, columns, rows)


@cache
def file_bytes(n_features: int, storage: Backbone, *, whitening: bool) -> int:
    """Size of the gait file with that many features; weights do not matter to it."""
    from models import gait_gate
    from models.gait import LORA_RANK, GaitWeights
    from models.gait_stored import NETWORKS
    from training.bundle.rounding import rounded_weights
    from training.bundle.tflite_file import STORAGE, convert

    rng = np.random.default_rng(0)
    n_directions = N_DIRECTIONS if whitening else 1
    shapes = {
        "gate_center": (6,),
        "gate_scale": (6,),
        "center": (2, n_features),
        "scale": (2, n_features),
        "directions": (2, n_directions, n_features),
        "shrink": (2, n_directions),
        "lora_a": (LORA_RANK, n_features),
    }
    arrays = {name: rng.uniform(0.5, 1.0, s).astype(np.float32) for name, s in shapes.items()}
    zeros = {"lora_b": (n_features, LORA_RANK), "head_w": (1, n_features), "head_b": (1,)}
    arrays |= {name: np.zeros(shape, np.float32) for name, shape in zeros.items()}
    gate = gait_gate.folded_weights(gait_gate.build(0.0))
    weights = rounded_weights(GaitWeights(gate=gate, **arrays), storage)
    return len(convert(NETWORKS[storage](weights), storage=STORAGE[storage]))


def require_enough(people: Mapping[str, Sequence[Person]], *, n_folds: int) -> None:
    """Refuse too few people before anything is trained.

    Raises
    ------
    DataError
        If a group would have nobody to be taken for another.
    """
    for name, own in people.items():
        if len(_walks(own)) < 2 * n_folds:
            raise DataError(
                f"expected {2 * n_folds} or more people who walk in {name}, 2 to test in each of "
                f"{n_folds} groups, got {len(_walks(own))}"
            )


def _load(data_dir: Path) -> dict[str, list[Person]]:
    require_all(data_dir, SHORT)
    return {name: load_people(data_dir, [name]) for name in SHORT}


def _walks(people: Sequence[Person]) -> list[Walks]:
    return [person.walks for person in people if person.walks is not None]


def _bytes(setting: see.Setting) -> dict[str, int | None]:
    if setting.shuffled:
        return {"bytes": None, "adapter_bytes": None}
    n_features = int(setting.features.sum())
    n_head = {"head": n_features + 1, "template": n_features, "lora": 9 * n_features + 1}
    return {
        "bytes": file_bytes(n_features, setting.storage, whitening=setting.whitening),
        "adapter_bytes": 4 * n_head[setting.personal],
    }


def _n_worse(changed: Mapping[str, float], base: Mapping[str, float]) -> int:
    return sum(changed[p] > base[p] + NOISE for p in base if p in changed)


def _macro_f1(person: Person, gate: GateWeights) -> float:
    """Over the classes that the person has."""
    streams = [stream for stream in person.streams if stream.n_windows]
    truth = np.concatenate([np.full(s.n_windows, s.activity) for s in streams])
    found = gate.probabilities(np.concatenate([s.windows() for s in streams])).argmax(axis=1)
    confusion = np.zeros((_N_CLASSES, _N_CLASSES))
    np.add.at(confusion, (truth, found), 1)
    total = confusion.sum(axis=0) + confusion.sum(axis=1)
    occurs = confusion.sum(axis=1) > 0
    return float(np.mean(2.0 * np.diag(confusion)[occurs] / total[occurs]))
