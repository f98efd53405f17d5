"""README tells the truth about the command line."""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from pathlib import Path

import pytest

from firmware_host import errors
from firmware_host.cli.main import EXIT_CODES, VERBS, build_parser

REPO = Path(__file__).resolve().parents[2]
README = (REPO / "README.md").read_text()


def _verbs() -> dict[str, argparse.ArgumentParser]:
    for action in build_parser()._actions:
        if isinstance(action, argparse._SubParsersAction):
            return dict(action.choices)
    raise AssertionError("no verbs")


def test_every_verb_is_listed_once() -> None:
    assert len(_verbs()) == len(VERBS)


@pytest.mark.parametrize("verb", sorted(_verbs()))
def test_verb_is_in_readme_and_has_help(verb: str) -> None:
    assert f"signet {verb}" in README
    parser = _verbs()[verb]
    assert len(parser.description or "") > 30
    done = subprocess.run(
        [sys.executable, "-m", "firmware_host", verb, "--help"],
        cwd=REPO,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith(f"usage: signet {verb}")


def _commands_in_readme() -> list[str]:
    lines = re.findall(r"^signet (.+?)(?:\s{2,}#.*)?$", README, flags=re.MULTILINE)
    return [line.strip() for line in lines]


@pytest.mark.parametrize("line", _commands_in_readme())
def test_command_in_readme_parses(line: str) -> None:
    build_parser().parse_args(line.split())


def test_every_exit_code_is_documented() -> None:
    classes = [c for c in vars(errors).values() if isinstance(c, type)]
    codes = {c.exit_code for c in classes if issubclass(c, errors.SignetError)}
    documented = {int(n) for n in re.findall(r"^\| (\d+) \|", README, flags=re.MULTILINE)}
    assert codes <= documented
    helped = {int(n) for n in re.findall(r"(?:^|\s)(\d+) [a-z]", EXIT_CODES)}
    assert documented == helped


def test_make_targets_in_readme_exist() -> None:
    makefile = (REPO / "Makefile").read_text()
    for target in set(re.findall(r"`?make (?:[A-Z_]+=\S+ )*([a-z][a-z-]+)", README)):
        assert re.search(rf"^{target}:", makefile, flags=re.MULTILINE), target
