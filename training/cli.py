"""``python -m training train | check | loso | evaluate | ablate | age | body``: parse, call one function, print."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

from firmware_host.errors import SignetError, StorageError
from training import train
from training.body import command as body

Handler = Callable[..., int]
Verbs = "argparse._SubParsersAction[argparse.ArgumentParser]"

# Verb -> task -> module with `add_arguments(parser)` and `run(arguments) -> dict`.
TASKS = {
    "loso": {"stress": "training.stress.left_out", "gait": "training.gait.left_out"},
    "evaluate": {"stress": "training.stress.evaluate", "gait": "training.gait.evaluate"},
    "ablate": {
        "stress": "training.ablation.stress",
        "gait": "training.ablation.gait",
        "mezo": "training.ablation.mezo",
        "preferences": "training.ablation.preferences",
    },
    "age": {"stress": "training.ageing.stress", "gait": "training.ageing.gait"},
}
TASK_HELP = {
    "loso": "train without each person (or group) in turn and score them: figures for an unseen wearer",
    "ablate": "what each part of the recipe is worth: one change at a time, by person and in bytes",
    "age": "what days and months do to what was learned of a wearer, and what following them costs",
    "evaluate": "score a bundle through the host's own windows, features and learner",
}

EXIT_CODES = """\
exit codes: 0 done, 2 wrong option, 4 data missing or unusable, 5 a model or bundle is not right,
8 a place that cannot be written, 130 interrupted"""


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
    _add_body(verbs)
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
    arguments = parser.parse_args(rest)
    # Without a file the terminal is where somebody reads it.
    indent = None if arguments.json or arguments.html else 2
    _say(module.run(arguments), sort_keys=True, indent=indent)
    return 0


def _add_train(verbs: Verbs) -> None:
    verb = verbs.add_parser(
        "train", help="recordings -> models -> a checked bundle", description=train.DESCRIPTION
    )
    train.add_arguments(verb)
    verb.set_defaults(handler=_train)


def _add_check(verbs: Verbs) -> None:
    verb = verbs.add_parser(
        "check", help="hashes, ops, sizes, and golden numbers on every installed runtime"
    )
    verb.add_argument("--bundle", default="", help="default: the one that ships")
    verb.set_defaults(handler=_check)


def _add_body(verbs: Verbs) -> None:
    verb = verbs.add_parser(
        "body",
        help="the simulated wearer beside real people, measure by measure",
        description=body.DESCRIPTION,
    )
    body.add_arguments(verb)
    verb.set_defaults(handler=_body)


def _body(args: argparse.Namespace) -> int:
    indent = None if args.json or args.html else 2
    _say(body.run(args), indent=indent)
    return 0


def _train(args: argparse.Namespace) -> int:
    _say(train.run(args))
    return 0


def _check(args: argparse.Namespace) -> int:
    from firmware_host.inference.bundle import find_bundle
    from training.bundle.golden import check_bundle
    from training.bundle.sizes import file_facts

    folder = find_bundle(args.bundle)
    differences = check_bundle(folder)
    files = {path.name: file_facts(path.read_bytes()) for path in sorted(folder.glob("*.tflite"))}
    total = sum(facts["bytes"] for facts in files.values())
    result = {"bundle": folder.name, "largest_difference": differences, "files": files}
    _say({**result, "bytes_of_models": total})
    return 0


def _say(result: dict[str, Any], **layout: Any) -> None:
    """Print as JSON; a reader that went away (head, less) is no fault.

    Raises
    ------
    StorageError
        If standard output cannot be written, such as a file on a full disk.
    """
    try:
        print(json.dumps(result, **layout), flush=True)
    except OSError as err:
        # What is left in the buffer would be tried again at exit, and fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not isinstance(err, BrokenPipeError):
            msg = f"standard output: expected a place to write to, got {err.strerror}"
            raise StorageError(msg) from err
