"""Ctrl-C at any moment of a command is a quiet end with the code of an interruption."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from command import ENV, REPO, Wearer, command

PATIENCE_S = 30.0
INTERRUPTED = 130

# Strikes when the command asks for a module, so that the moment is the same on any machine; the import catches
# whatever is raised in it, as many do.
_STRUCK = """
import os, signal, sys
module, number, *arguments = sys.argv[1:]
class Strike:
    def find_spec(self, name, *_):
        if name == module:
            try:
                os.kill(os.getpid(), int(number))
            except BaseException:
                pass
sys.meta_path.insert(0, Strike())
from firmware_host.__main__ import main
sys.exit(main(arguments))
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize(
    "module",
    ["firmware_host.cli", "argparse", "firmware_host.cli.run", "firmware_host.runtime.build"],
)
def test_interruption_while_modules_are_imported_is_quiet_and_not_lost(
    wearer: Wearer, module: str, number: signal.Signals
) -> None:
    # Nothing else ends this one.
    run = ["run", "--wait", "--device", str(wearer.folder / "none"), *wearer.options]
    done = subprocess.run(
        [sys.executable, "-c", _STRUCK, module, str(int(number)), *run],
        cwd=REPO,
        env=ENV,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert (done.returncode, done.stderr) == (INTERRUPTED, "")


@pytest.mark.parametrize("delay_s", [0.0, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5])
def test_service_told_to_end_at_any_time_of_its_start_ends(wearer: Wearer, delay_s: float) -> None:
    child = subprocess.Popen(
        command("run", "--wait", "--device", wearer.folder / "none", *wearer.options),
        cwd=REPO,
        env=ENV,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    time.sleep(delay_s)
    child.send_signal(signal.SIGTERM)
    _, err = child.communicate(timeout=PATIENCE_S)
    # By the signal itself while Python was starting; 0 once it waited for its board.
    assert child.returncode in (-signal.SIGTERM, INTERRUPTED, 0)
    assert b"Traceback" not in err


@pytest.mark.parametrize("delay_s", [0.0, 0.03, 0.06, 0.09, 0.12, 0.16, 0.2, 0.3, 0.4])
def test_interruption_at_any_time_leaves_no_traceback_of_ours(delay_s: float) -> None:
    child = subprocess.Popen(
        command("--help"), cwd=REPO, env=ENV, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    time.sleep(delay_s)
    child.send_signal(signal.SIGINT)
    _, err = child.communicate(timeout=PATIENCE_S)
    # Until Python has found our first line, what it says and with which code it ends is not ours to choose.
    assert b"__main__.py" not in err
    assert b"firmware_host/cli" not in err
    if b"Traceback" not in err:
        assert err == b""
        assert child.returncode in (0, INTERRUPTED, -signal.SIGINT)
    elif child.returncode in (0, INTERRUPTED):
        # Dropped where Python cannot be interrupted, before we were there to see to it.
        assert err.startswith(b"Exception ignored in")


def test_whoever_starts_it_with_the_signal_ignored_is_heeded() -> None:
    program = f"trap '' INT; exec {sys.executable} -c '{_STRUCK}' argparse 2 ports"
    done = subprocess.run(
        ["/bin/sh", "-c", program],
        cwd=REPO,
        env=ENV,
        capture_output=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode == 0


@contextmanager
def _mute_board(link: Path) -> Iterator[None]:
    """A port on which nobody ever says anything."""
    ours, theirs = os.openpty()
    link.symlink_to(os.ttyname(theirs))
    try:
        yield
    finally:
        os.close(ours)
        os.close(theirs)


@pytest.mark.parametrize("verb", ["record", "run"])
@pytest.mark.parametrize("scheme", ["serial", "text"])
def test_interruption_before_a_board_says_what_it_is(
    wearer: Wearer, tmp_path: Path, verb: str, scheme: str
) -> None:
    link = tmp_path / "board"
    with _mute_board(link):
        child = subprocess.Popen(
            command(verb, "--device", f"{scheme}:{link}", *wearer.options),
            cwd=tmp_path,
            env=ENV,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        deadline_s = time.monotonic() + PATIENCE_S
        while not _is_open(child.pid, link):
            assert child.poll() is None, child.communicate()
            assert time.monotonic() < deadline_s, "nobody opened the port"
            time.sleep(0.02)
        child.send_signal(signal.SIGINT)
        out, err = child.communicate(timeout=PATIENCE_S)
    assert child.returncode == INTERRUPTED, err
    assert out == ""
    assert err.splitlines() == ["signet: interrupted before the board said what it is"]
    assert not list(tmp_path.glob("*.mcap"))


def _is_open(pid: int, link: Path) -> bool:
    target = os.path.realpath(link)
    try:
        files = list(Path(f"/proc/{pid}/fd").iterdir())
        return any(os.path.realpath(file) == target for file in files)
    except OSError:
        return False
