from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from firmware_host.errors import FlashError
from firmware_host.flash.programs import ESPTOOL, MPREMOTE, Program, Wanted, find, last_word
from tests.flash.conftest import REPO

PYTHON = sys.executable


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}/usr/bin{os.pathsep}/bin")
    # No program of this environment is to be found instead.
    monkeypatch.setattr("firmware_host.flash.programs.sys.executable", str(tmp_path / "python"))
    return tmp_path


def script(folder: Path, name: str, text: str) -> None:
    file = folder / name
    file.write_text(f"#!{PYTHON}\n{text}\n")
    file.chmod(0o755)


def test_program_that_is_there_and_new_enough(folder) -> None:
    script(folder, "esptool", "print('esptool v5.6.0\\n5.6.0')")
    assert find(ESPTOOL).version == "5.6.0"


def test_no_program_is_one_line_with_what_to_install(folder) -> None:
    with pytest.raises(FlashError) as caught:
        find(MPREMOTE)
    assert str(caught.value) == "mpremote is not installed: pip install 'signet-wearable[flash]'"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("print('4.8.1')", "expected esptool 5.0 or newer, got 4.8.1: pip install"),
        ("print('hello')", "expected esptool to tell its version, got 'hello'"),
        ("", "expected esptool to tell its version, got ''"),
    ],
)
def test_old_or_odd_program_is_refused(folder, text, says) -> None:
    script(folder, "esptool", text)
    with pytest.raises(FlashError) as caught:
        find(ESPTOOL)
    assert says in str(caught.value)


def test_program_that_cannot_be_run_is_refused(folder) -> None:
    (folder / "esptool").write_text("#!/nowhere/python\n")
    (folder / "esptool").chmod(0o755)
    with pytest.raises(FlashError, match="cannot be run"):
        find(ESPTOOL)


def made(folder: Path, text: str) -> Program:
    script(folder, "tool", text)
    return Program(Wanted("tool", (1, 0), (), ""), str(folder / "tool"), "1.0")


def test_lines_are_told_as_they_come_bars_too(folder) -> None:
    tool = made(
        folder, "import sys\nsys.stdout.write('a\\r10 %\\r20 %\\nb')\nsys.stderr.write('c\\n')"
    )
    told: list[str] = []
    tool.run([], say=told.append, limit_s=30)
    assert set(told) >= {"a", "10 %", "20 %"}


def test_failure_is_the_programs_own_last_word(folder) -> None:
    tool = made(
        folder,
        "print('x')\nprint('ERROR: A fatal error occurred: no chip')\nprint('see docs')\nexit(3)",
    )
    with pytest.raises(FlashError, match=r"^tool: no chip$"):
        tool.run([], say=lambda _line: None, limit_s=30)


def test_program_that_hangs_is_ended(folder) -> None:
    tool = made(folder, "import time\nprint('start', flush=True)\ntime.sleep(60)")
    with pytest.raises(FlashError, match=r"tool: still not done after 0\.5 s"):
        tool.run([], say=lambda _line: None, limit_s=0.5)


def test_interrupted_run_leaves_no_process(folder) -> None:
    tool = made(folder, "import os, time\nprint(os.getpid(), flush=True)\ntime.sleep(60)")
    pids: list[int] = []

    def interrupt(line: str) -> None:
        pids.append(int(line))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tool.run([], say=interrupt, limit_s=30)
    with pytest.raises(ProcessLookupError):
        os.kill(pids[0], 0)


def test_last_word_without_an_error_is_the_last_line() -> None:
    assert (
        last_word(["mpremote: could not enter raw repl", ""])
        == "mpremote: could not enter raw repl"
    )
    assert last_word([]) == ""


_RUN = """
import subprocess
import sys
import time
from firmware_host.flash.programs import Program, Wanted
tool = Program(Wanted("tool", (1, 0), (), ""), sys.argv[1], "1.0")
tool.run([], say=lambda line: print(line, flush=True), limit_s=60)
"""


def test_program_ends_with_whoever_runs_it_and_is_killed(folder) -> None:
    script(folder, "tool", "import os, time\nprint(os.getpid(), flush=True)\ntime.sleep(60)")
    words = [PYTHON, "-c", _RUN, str(folder / "tool")]
    parent = subprocess.Popen(words, cwd=REPO, stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    with parent.stdout:
        pid = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    deadline_s = time.monotonic() + 10
    # Nobody may be there to bury it.
    while (state := _state(pid)) not in ("", "Z", "X"):
        assert time.monotonic() < deadline_s, state
        time.sleep(0.02)


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""
