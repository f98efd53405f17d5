"""``python -m training train | check | loso | evaluate``: parse, call one function, print."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path

from firmware_host.errors import ConfigError, SignetError

Handler = Callable[..., int]
Verbs = "argparse._SubParsersAction[argparse.ArgumentParser]"

# Verb -> task -> module with `add_arguments(parser)` and `run(arguments) -> dict`.
TASKS = {
    "loso": {"stress": "training.stress.left_out", "gait": "training.gait.left_out"},
    "evaluate": {"stress": "training.stress.evaluate", "gait": "training.gait.evaluate"},
}
DEFAULT_SEED = 20261121
TASK_HELP = {
    "loso": "train without each person (or group) in turn and score them: figures for an unseen wearer",
    "evaluate": "score a bundle through the host's own windows, features and learner",
}

EXIT_CODES = """\
exit codes: 0 done, 2 wrong option, 4 data missing or unusable, 5 a model or bundle is not right,
130 interrupted"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb; an expected failure is one line and its exit code."""
    parser = _parser()
    args, rest = parser.parse_known_args(argv)
    # A task brings its own options; for every other verb, an option left over is a mistake.
    if rest and "task" not in args:
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    handler: Handler = args.handler
    try:
        return handler(args, rest) if "task" in args else handler(args)
    except SignetError as err:
        print(f"error: {err}", file=sys.stderr)
        return err.exit_code
    except KeyboardInterrupt:
        print("interrupted; nothing was written", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m training",
        description="Make the pocket models from recordings, and say how good they are.",
        epilog=EXIT_CODES,
    )
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    _add_train(verbs)
    _add_check(verbs)
    for name in TASKS:
        _add_task_verb(verbs, name)
    return parser


def _add_task_verb(verbs: Verbs, name: str) -> None:
    verb = verbs.add_parser(name, help=TASK_HELP[name], add_help=False)
    verb.add_argument("--task", choices=sorted(TASKS[name]))
    verb.set_defaults(verb=name, handler=_run_task)


def _run_task(args: argparse.Namespace, rest: list[str]) -> int:
    tasks = TASKS[args.verb]
    parser = argparse.ArgumentParser(
        prog=f"python -m training {args.verb} --task {args.task or '|'.join(sorted(tasks))}",
        description=f"{TASK_HELP[args.verb]}; options depend on the task",
        epilog=EXIT_CODES,
    )
    if args.task is None:
        parser.parse_args([option for option in rest if option in ("-h", "--help")])
        parser.error(f"expected --task {' or '.join(sorted(tasks))}")
    module = import_module(tasks[args.task])
    module.add_arguments(parser)
    print(json.dumps(module.run(parser.parse_args(rest)), sort_keys=True))
    return 0


def _add_train(verbs: Verbs) -> None:
    verb = verbs.add_parser("train", help="recordings -> models -> a checked bundle")
    verb.add_argument("--data", type=Path, required=True, help="folder with the datasets")
    verb.add_argument("--out", type=Path, help="folder for the bundle (default: models/bundles)")
    verb.add_argument("--seed", type=int, default=DEFAULT_SEED)
    verb.add_argument("--placement", choices=("wrist",), default="wrist")
    verb.add_argument(
        "--hold-out",
        action="append",
        default=[],
        metavar="DATASET/PARTICIPANT",
        help="leave a person out of training; may be repeated",
    )
    verb.set_defaults(handler=_train)


def _add_check(verbs: Verbs) -> None:
    verb = verbs.add_parser("check", help="hashes and golden numbers on every installed runtime")
    verb.add_argument("--bundle", type=Path, default=Path(), help="default: the one that ships")
    verb.set_defaults(handler=_check)


def _train(args: argparse.Namespace) -> int:
    if not args.data.is_dir():
        raise ConfigError("--data", "a folder with the datasets", str(args.data))
    hold_out = tuple(sorted(set(args.hold_out)))
    from training.bundle.export import BUNDLES, export_bundle
    from training.gait.train import train_gait_artifacts
    from training.stress.artifacts import train_stress_artifacts

    hold_out_stress, hold_out_gait = _held_out(args.data, hold_out)
    stress = train_stress_artifacts(args.data, args.seed, hold_out_stress)
    gait = train_gait_artifacts(args.data, args.seed, args.placement, hold_out_gait)
    folder = export_bundle(stress, gait, seed=args.seed, out=args.out or BUNDLES)
    print(json.dumps({"bundle": str(folder), **_sizes(folder)}))
    return 0


def _held_out(data_dir: Path, names: Sequence[str]) -> tuple[list[str], list[str]]:
    """Divide the held-out people by model; a name of nobody would leak whoever was meant."""
    from training.gait.train import DATASETS as GAIT
    from training.stress.loso import DATASETS as STRESS

    by_model: tuple[list[str], list[str]] = [], []
    for name in names:
        dataset, _, participant = name.partition("/")
        if not participant or dataset not in {**STRESS, **GAIT}:
            expected = f"DATASET/PARTICIPANT of {', '.join([*STRESS, *GAIT])}"
            raise ConfigError("--hold-out", expected, name)
        by_model[dataset in GAIT].append(name)
    for dataset in {name.partition("/")[0] for name in by_model[0]}:
        there = {session.person for session in STRESS[dataset](data_dir)}
        for name in sorted({n for n in by_model[0] if n.startswith(f"{dataset}/")} - there):
            raise ConfigError("--hold-out", f"somebody in {data_dir}", name)
    return by_model


def _sizes(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_size for path in sorted(folder.iterdir())}


def _check(args: argparse.Namespace) -> int:
    from firmware_host.inference.bundle import find_bundle
    from training.bundle.golden import check_bundle

    folder = find_bundle(args.bundle if args.bundle != Path() else "")
    print(json.dumps({"bundle": folder.name, "largest_difference": check_bundle(folder)}))
    return 0
