"""Options of `loso --task gait`: groups of people left out in turn, everything trained anew."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `loso --task gait`."""
    parser.add_argument("--dataset", required=True, choices=("motionsense", "wisdm-watch"))
    parser.add_argument("--data", required=True, type=Path, help="folder that holds the datasets")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folds", type=int, default=3, help="groups of people")
    parser.add_argument("--partitions", type=int, default=2, help="random divisions into groups")


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Run the command; the figures are returned and, with --json, written."""
    from training.gait import folds as gait_evaluate

    result = gait_evaluate.run(
        arguments.data,
        arguments.dataset,
        seed=arguments.seed,
        n_folds=arguments.folds,
        n_partitions=arguments.partitions,
    )
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    return result
