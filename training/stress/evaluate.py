"""`evaluate --task stress`: score the bundle that ships on recordings of people.

The file that ships, the host's windows, its learner, its gate and its own thresholds. People the
bundle was trained on, by name or by the content of the recording, are scored but kept apart.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from firmware_host.errors import ConfigError, RecordingError
from firmware_host.inference.bundle import load_bundle
from firmware_host.signals.stress import WINDOW_RANGE_S
from training.datasets.bad_people import skipping_bad
from training.datasets.registry import STRESS
from training.datasets.stress_windows import SessionWindows, load_windows, prepare_cache
from training.evaluation.command import add_common, check_output, finish
from training.evaluation.progress import warn
from training.evaluation.words import TRAINED_ON_STRESS
from training.stress import time_control
from training.stress.assess import Assessment, Question, assess
from training.stress.generic_models import generic_of_bundle

if TYPE_CHECKING:
    import argparse

    from numpy.typing import NDArray

    from firmware_host.inference.contract import Bundle
    from training.stress.people import BaselineKind

PROTOCOLS = {
    "generic": "no label is used; every rest and stress window tests",
    "personal": "the first half of every stage is labelled, the second half tests",
    "earlier": "baseline, first task and the rest after it are labelled, all later stages test",
}


def run_evaluate(
    data_dir: Path,
    dataset: str,
    bundle: str | Path = "",
    *,
    protocol: str = "generic",
    window_s: float | None = None,
    baseline: BaselineKind = "guided",
    cache_dir: Path | None = None,
) -> Assessment:
    """Score one bundle on the people under `data_dir`, whoever they are.

    Raises
    ------
    RecordingError
        If there is no such folder or nobody in it.
    BundleError
        If there is no such bundle, or it was altered.
    """
    loaded = load_bundle(bundle)
    asked_s = loaded.stress.window_s if window_s is None else window_s
    lab, exercise = stress_windows(data_dir, dataset, window_s=asked_s, cache_dir=cache_dir)
    generic = generic_of_bundle(loaded.path)
    known = set(loaded.recordings.values())
    made = assess(
        lab,
        exercise,
        lambda _name: generic,
        Question(protocol, asked_s, baseline),
        seen=lambda one: one.session.person in loaded.recordings or one.content_sha256 in known,
        clock=lambda t_end_s: _clock_probability(t_end_s, loaded),
    )
    if made.result["n_seen_in_training"] and made.result["scored_people"] != "unseen":
        warn(TRAINED_ON_STRESS)
    head = {
        "task": "stress",
        "command": "evaluate",
        "dataset": dataset,
        "bundle": loaded.label,
        "bundle_sha256": loaded.sha256,
        "bundle_window_s": loaded.stress.window_s,
        **asked(protocol, asked_s, baseline),
    }
    return made.headed(head)


def asked(protocol: str, window_s: float, baseline: str) -> dict[str, Any]:
    """What was asked for, as the result repeats it."""
    return {
        "protocol": protocol,
        "protocol_means": PROTOCOLS[protocol],
        "window_s": window_s,
        "baseline": baseline,
    }


def stress_windows(
    data_dir: Path, dataset: str, *, window_s: float, cache_dir: Path | None
) -> tuple[list[SessionWindows], list[SessionWindows]]:
    """Windows of the laboratory sessions, and of the exercise sessions.

    Raises
    ------
    RecordingError
        If nobody has a laboratory session.
    """
    found = STRESS[dataset](Path(data_dir))
    lab = [session for session in found if session.kind == "stress"]
    if not lab:
        raise RecordingError(data_dir, f"recordings of {dataset} with labels", "none")
    moving = [session for session in found if session.kind != "stress"]
    return (
        load_windows(lab, cache_dir=cache_dir, window_s=window_s),
        load_windows(moving, cache_dir=cache_dir, window_s=window_s),
    )


def add_options(parser: argparse.ArgumentParser) -> None:
    """Options that `evaluate` and `loso` share."""
    parser.add_argument("--dataset", required=True, choices=sorted(STRESS))
    parser.add_argument(
        "--data", required=True, type=Path, metavar="DIR",
        help="the data set's folder, or the folder that holds the data sets",
    )  # fmt: skip
    parser.add_argument(
        "--protocol",
        choices=sorted(PROTOCOLS),
        default="generic",
        help="; ".join(f"{name}: {words}" for name, words in PROTOCOLS.items()),
    )
    parser.add_argument(
        "--window-s", type=float, metavar="S", help="seconds a window lasts (default: the model's)"
    )
    parser.add_argument(
        "--baseline",
        choices=("guided", "unlabelled"),
        default="guided",
        help="where the wearer's rest comes from: a still time at the start, or found unasked",
    )
    parser.add_argument("--cache", type=Path, metavar="DIR", help="folder for computed windows")
    add_common(parser)


def check_options(arguments: argparse.Namespace) -> None:
    """Refuse what cannot work before the long work.

    Raises
    ------
    ConfigError
        If the windows are too short or too long for the features, or a place cannot be written.
    StorageError
        If the folder for computed windows cannot be made.
    """
    check_output(arguments)
    if arguments.cache is not None:
        prepare_cache(arguments.cache)
    shortest, longest = WINDOW_RANGE_S
    asked_s = arguments.window_s
    if asked_s is not None and not (shortest <= asked_s <= longest and asked_s == int(asked_s)):
        raise ConfigError("--window-s", f"whole seconds from {shortest:g} to {longest:g}", asked_s)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `evaluate --task stress`."""
    add_options(parser)
    parser.add_argument("--bundle", default="", metavar="DIR", help="default: the one that ships")


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Run the command: figures, and with --json and --html files of them."""
    from training.stress.report import stress_page

    check_options(arguments)
    with skipping_bad(skip=arguments.skip_bad):
        made = run_evaluate(
            arguments.data,
            arguments.dataset,
            arguments.bundle,
            protocol=arguments.protocol,
            window_s=arguments.window_s,
            baseline=arguments.baseline,
            cache_dir=arguments.cache,
        )
    return finish(arguments, made.result, lambda result: stress_page(result, made))


def _clock_probability(t_end_s: NDArray[np.float64], bundle: Bundle) -> NDArray[np.float64]:
    # The table holds middles of minutes; the nearest one is the minute a window ends in.
    middle_s = (t_end_s // time_control.BIN_S + 0.5) * time_control.BIN_S
    return bundle.stress.time_control.probability(middle_s.astype(np.float32)).astype(np.float64)
