"""docs/features.md does what it says: each command on it parses, and what needs nothing else runs."""

from __future__ import annotations

import importlib
import re
import shlex
from importlib.util import find_spec
from pathlib import Path

import pytest
from command import REPO

from firmware_host.cli.main import build_parser, main

PAGE = (REPO / "docs/features.md").read_text(encoding="utf-8")
# A board, a second terminal, data of others, root's own ports, or minutes of time.
NEEDS = (
    "/tmp/board",
    "/dev/",
    "socket://",
    "S05.zip",
    "MICROPYTHON.bin",
    "mine.toml",
    "--speed 1",
    "ls --ask",
)
# Quicker than real time, each of them in a second or two.
PARSERS = {
    "sim": ("sim.options", "build_parser"),
    "sim.micropython": ("sim.micropython.__main__", "build_parser"),
    "training": ("training.cli", "_parser"),
}


def _rows() -> list[tuple[str, str]]:
    """(what is said, what shows it) of each row."""
    rows = re.findall(r"^\| [ABR]\d+ \| .*? \| (.*) \| (.*) \|$", PAGE, flags=re.MULTILINE)
    assert len(rows) == PAGE.count("\n| A") + PAGE.count("\n| B") + PAGE.count("\n| R")
    return rows


def _commands(start: str) -> list[tuple[str, int]]:
    """(command, exit code that is said) of all that begin so, in the order of the page."""
    typed = re.findall(rf"^({start} .*)$", PAGE, flags=re.MULTILINE)
    found = [(line, 0) for line in typed]
    for said, shown in _rows():
        code = re.search(r"exit (\d+)", said)
        for span in re.findall(r"`([^`]+)`", shown):
            # A verb alone names it, as in "type a line under `signet record`".
            if span.startswith(f"{start} ") and span.count(" ") > 1:
                found.append((span, int(code[1]) if code else 0))
    return found


def _words(line: str) -> list[str]:
    return shlex.split(line)[1:]


@pytest.mark.parametrize("line", sorted({line for line, _ in _commands("signet")}))
def test_command_of_signet_parses(line: str) -> None:
    build_parser().parse_args(_words(line))


@pytest.mark.parametrize("line", sorted({line for line, _ in _commands("python -m")}))
def test_command_of_a_module_parses(line: str) -> None:
    _, module, *arguments = _words(line)
    if module in PARSERS:
        home, name = PARSERS[module]
        getattr(importlib.import_module(home), name)().parse_args(arguments)
    else:
        assert find_spec(module) is not None
        assert arguments == []


def test_targets_tests_and_pages_are_there() -> None:
    makefile = (REPO / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"`make ([a-z-]+)`", PAGE):
        assert re.search(rf"^{target}:", makefile, flags=re.MULTILINE), target
    for path in re.findall(r"`pytest (\S+)", PAGE):
        assert (REPO / path).exists(), path
    for link in re.findall(r"\]\(([^)#]+)\)", PAGE):
        assert (REPO / "docs" / link).exists(), link


def test_what_needs_nothing_else_runs(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SIGNET_CONFIG", raising=False)
    monkeypatch.setenv("SIGNET_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("SIGNET_KEY_FILE", str(tmp_path / "key"))
    ran = [(line, code) for line, code in _commands("signet") if not any(n in line for n in NEEDS)]
    assert len(ran) >= 20
    # The stand-ins first; the stream's state is asked when there is one.
    said: dict[str, str] = {}
    for line, expected in [*ran, ("signet status", 0)]:
        code = main(_words(line))
        out = capsys.readouterr()
        assert code == expected, f"{line}: {out.err}"
        said[line] = out.out + out.err
        # Named after the second that it is, which two of these may share.
        for unnamed in tmp_path.glob("2*Z-*.mcap"):
            unnamed.unlink()
    status = said["signet status"]
    assert all(f"\n{word} " in status for word in ("clock", "rates", "losses", "quality"))
    for line, text in said.items():
        if line.endswith("--json") and line.startswith("signet record"):
            assert '"hello": {"board": ' in text
        if "rate=60" in line:
            assert re.search(r'"measured_hz": {"acc": (49\.9|50\.0)', text)
            assert '"rate_hz": 60.0' in text
    assert "rate acc declared_hz 60.0 measured_hz 50.0" in caplog.text
