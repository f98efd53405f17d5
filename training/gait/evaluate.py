"""`evaluate --task gait`: score the bundle that ships on walks of people.

The shipped file through the host's inference: windows, gate, enrolment of everybody on half a
minute, verification of everybody's later walks against every reference.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from firmware_host.identity.background import Background
from firmware_host.inference.bundle import load_bundle, open_model
from firmware_host.inference.placed import PlacedModel, check_placement
from training.datasets.bad_people import attempt, skipping_bad
from training.datasets.registry import GAIT
from training.evaluation.command import add_common, check_output, finish
from training.evaluation.options import seed as seed_type
from training.evaluation.progress import progress, warn
from training.evaluation.words import TRAINED_ON_GAIT
from training.gait.assess import ENROL_S, LONG_ENROL_S, Assessment, assess
from training.gait.figures import LENGTHS, Limits, Shipped
from training.gait.people import Person, person_of

if TYPE_CHECKING:
    import argparse

    from firmware_host.inference.base import SignatureModel
    from firmware_host.inference.contract import Bundle

MOBGAP = "mobgap-lab"
_WHERE_FROM = "docs/studies/cadence.md says where to get the reference"
_NO_WALKS = "this data set has a few short walks a person, on another place of the body"


def run_evaluate(
    data_dir: Path, dataset: str, bundle: str | Path = "", *, seed: int = 0
) -> Assessment:
    """Score one bundle on the people under `data_dir`, whoever they are.

    Cadence comes from no model: for `MOBGAP` a bundle is read only if one is named.

    Raises
    ------
    RecordingError
        If there is no such folder or nobody in it.
    BundleError, ContractError
        If there is no such bundle, or it is for another place on the body.
    """
    head = {"task": "gait", "command": "evaluate", "dataset": dataset}
    if dataset == MOBGAP:
        return _cadence(data_dir).headed(head | (_named(load_bundle(bundle)) if bundle else {}))
    loaded = load_bundle(bundle)
    head |= _named(loaded)
    placement = GAIT[dataset].PLACEMENT
    check_placement(loaded.gait.placements, placement)
    people = load_everyone(data_dir, dataset)
    model = open_model(loaded, loaded.gait)
    known = set(loaded.recordings.values())
    seen = [person.name in loaded.recordings or person.sha256 in known for person in people]
    if all(seen):
        warn(TRAINED_ON_GAIT)
    made = assess(people, seen, shipped_of(loaded, model, placement), infer_of(model), seed=seed)
    return made.headed(
        {
            **head,
            "placement": placement,
            "protocol": "shipped",
            "protocol_means": (
                f"everybody is enrolled on {ENROL_S:g} s (beside it {LONG_ENROL_S:g} s) and tested "
                "on later or other walks, against everybody else"
            ),
        }
    )


def _named(bundle: Bundle) -> dict[str, str]:
    return {"bundle": bundle.label, "bundle_sha256": bundle.sha256}


def load_everyone(data_dir: Path, dataset: str) -> list[Person]:
    """Windows of everybody in the data set, with a bar on a terminal.

    Raises
    ------
    RecordingError
        If a file is missing or cut, unless bad people are skipped.
    """
    index = GAIT[dataset].index(Path(data_dir))
    found = (
        attempt(f"{dataset}/{name}", lambda name=name: person_of(index, name))
        for name in progress(list(index.people), "windows")
    )
    return [person for person in found if person is not None]


def shipped_of(bundle: Bundle, model: SignatureModel, placement: str) -> Shipped:
    """What enrolment and scoring at one placement need of the bundle.

    Raises
    ------
    ContractError
        If the bundle cannot tell people there.
    """
    gait = bundle.gait
    placed = PlacedModel(model, gait.placements, placement)
    background = Background.of(bundle.cohort(), placement)
    return Shipped(
        placed,
        background.draw(seed=0),
        background.center,
        Limits(
            gait.thresholds["min_walk_probability"],
            gait.limit("min_periodicity", placement),
            gait.limit("verification", placement),
            gait.limit("verification_margin", placement),
        ),
    )


def infer_of(model: SignatureModel) -> Callable[[NDArray[np.float32]], NDArray[np.float32]]:
    """The gate of a shipped file: (n, 100, 6) windows one by one, as on the host."""

    def infer(windows: NDArray[np.float32]) -> NDArray[np.float32]:
        rows = [model.run("infer", imu=window[None])["activity_probs"][0] for window in windows]
        return np.stack(rows) if rows else np.zeros((0, 5), np.float32)

    return infer


def _cadence(data_dir: Path) -> Assessment:
    from training.gait.cadence_figures import cadence_figures

    figures = cadence_figures(data_dir)
    missing = figures["reasons"].get("cadence_mae_spm")
    if missing:
        warn(f"no cadence to compare with: {missing}; {_WHERE_FROM}")
    names = [f"{kind}_{length}" for length in LENGTHS for kind in ("eer", "rank1", "frr", "far")]
    nothing = dict.fromkeys([*names, "gate_macro_f1", "gate_recall", "coverage"])
    return Assessment(
        {
            "protocol": "cadence",
            "protocol_means": "the host's own estimator against the reference system",
            "scored_people": "unseen",
            "n_people": len(figures["participants"]),
            "n_seen_in_training": 0,
            **nothing,
            **figures,
            "reasons": {**dict.fromkeys(nothing, _NO_WALKS), **figures["reasons"]},
        }
    )


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `evaluate --task gait`."""
    add_options(parser, (*sorted(GAIT), MOBGAP))
    parser.add_argument("--bundle", default="", metavar="DIR", help="default: the one that ships")


def add_options(parser: argparse.ArgumentParser, datasets: tuple[str, ...]) -> None:
    """Options that `evaluate` and `loso` share."""
    parser.add_argument("--dataset", required=True, choices=datasets)
    parser.add_argument(
        "--data", required=True, type=Path, metavar="DIR",
        help="the data set's folder, or the folder that holds the data sets",
    )  # fmt: skip
    parser.add_argument("--seed", type=seed_type, default=0)
    add_common(parser)


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Run the command: figures, and with --json and --html files of them."""
    from training.gait.report import gait_page

    check_output(arguments)
    with skipping_bad(skip=arguments.skip_bad):
        made = run_evaluate(
            arguments.data, arguments.dataset, arguments.bundle, seed=arguments.seed
        )
    return finish(arguments, made.result, lambda result: gait_page(result, made.scores))
