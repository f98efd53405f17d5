"""``python -m training train | check``: parse, call one function, print."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from firmware_host.errors import ConfigError, SignetError

Handler = Callable[[argparse.Namespace], int]

EXIT_CODES = """\
exit codes: 0 done, 2 wrong option, 4 data missing or unusable, 5 a model or bundle is not right,
130 interrupted"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb; an expected failure is one line and its exit code."""
    args = _parser().parse_args(argv)
    handler: Handler = args.handler
    try:
        return handler(args)
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
    return parser


def _add_train(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    verb = verbs.add_parser("train", help="recordings -> models -> a checked bundle")
    verb.add_argument("--data", type=Path, required=True, help="folder with the datasets")
    verb.add_argument("--out", type=Path, help="folder for the bundle (default: models/bundles)")
    verb.add_argument("--seed", type=int, default=1)
    verb.add_argument("--placement", choices=("wrist",), default="wrist")
    verb.add_argument(
        "--hold-out",
        action="append",
        default=[],
        metavar="DATASET/PARTICIPANT",
        help="leave a person out of training; may be repeated",
    )
    verb.set_defaults(handler=_train)


def _add_check(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    verb = verbs.add_parser("check", help="hashes and golden numbers on every installed runtime")
    verb.add_argument("--bundle", type=Path, default=Path(), help="default: the one that ships")
    verb.set_defaults(handler=_check)


def _train(args: argparse.Namespace) -> int:
    if not args.data.is_dir():
        raise ConfigError("--data", "a folder with the datasets", str(args.data))
    hold_out = tuple(sorted(set(args.hold_out)))
    for name in hold_out:
        if name.count("/") != 1:
            raise ConfigError("--hold-out", "DATASET/PARTICIPANT", name)
    from training.export import BUNDLES, export_bundle
    from training.gait import train_gait_artifacts
    from training.stress import train_stress_artifacts

    stress = train_stress_artifacts(args.data, args.seed, hold_out)
    gait = train_gait_artifacts(args.data, args.seed, args.placement, hold_out)
    folder = export_bundle(stress, gait, seed=args.seed, out=args.out or BUNDLES)
    print(json.dumps({"bundle": str(folder), **_sizes(folder)}))
    return 0


def _sizes(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_size for path in sorted(folder.iterdir())}


def _check(args: argparse.Namespace) -> int:
    from firmware_host.inference.bundle import find_bundle
    from training.export import check_bundle

    folder = find_bundle(args.bundle if args.bundle != Path() else "")
    print(json.dumps({"bundle": folder.name, "largest_difference": check_bundle(folder)}))
    return 0
