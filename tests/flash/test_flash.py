"""``signet flash`` as a person runs it, with the real programs, on boards that are not there."""

from __future__ import annotations

import json
import os
import pty
import re
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from firmware_host.flash.boards import load_board
from sim.flash.cortex_program import program
from sim.flash.esp_rom import EspRom
from sim.flash.uf2_drive import Uf2Drive, as_bytes, encode
from tests.flash.conftest import looked_at, on_flash, one_line

pytestmark = pytest.mark.needs_flash_tools
S3 = ("--board", "esp32-s3", "--device")
# Says each file that is opened and each program that is started.
_SAY_OPENED = """
import sys
def note(event, args):
    if event in ("open", "os.open"):
        sys.stderr.write("OPENED %s\\n" % (args[0],))
    elif event == "subprocess.Popen":
        sys.stderr.write("STARTED %s\\n" % (args[1],))
sys.addaudithook(note)
"""


def test_bare_board_to_first_samples_in_one_command(
    signet, start, folder, image, shipped, whole_code
) -> None:
    rom = EspRom()
    _, port = start(rom)
    done = signet("flash", *S3, port, "--image", image, "--unchecked", cwd=whole_code)
    assert done.returncode == 0, done.stderr
    assert rom.flash[: image.stat().st_size] == image.read_bytes()
    assert on_flash(folder) == shipped("esp32-s3", whole_code)
    assert (folder / "app.py").is_file()
    assert done.stdout.startswith("sim-board says HELLO: signet-sim")
    assert re.search(r"^  acc: 50 Hz, 3 x m/s2, [1-9]\d* samples$", done.stdout, re.MULTILINE)
    assert "image written and compared" in done.stderr
    assert "files copied and compared by hash" in done.stderr


def test_app_only_twice_copies_nothing_the_second_time(signet, start, folder) -> None:
    _, port = start()
    first = signet("flash", *S3, port, "--app-only", "--json")
    assert first.returncode == 0, first.stderr
    told = json.loads(first.stdout)
    assert told["board"] == "sim-board"
    assert all(n > 0 for n in told["samples"].values())
    times = {file: file.stat().st_mtime_ns for file in folder.rglob("*.py")}
    again = signet("flash", *S3, port, "--app-only")
    assert again.returncode == 0, again.stderr
    assert "0 to copy" in again.stderr
    assert times == {file: file.stat().st_mtime_ns for file in folder.rglob("*.py")}


# What the table says of this port, whatever is behind it.
_LISTED = """
from firmware_host.host import ports
port = ports.PortInfo({port!r}, None, "303a:4001", None, None, "dialout", True, ())
ports.list_ports = lambda *_: [port]
"""


def test_board_that_can_be_of_two_kinds_stays_what_it_is(signet, start, folder) -> None:
    (folder / "board.json").write_text('{"board": "xiao-esp32-s3"}')
    _, port = start()
    done = signet("flash", "--app-only", before=_LISTED.format(port=port))
    assert done.returncode == 0, done.stderr
    assert f"board: esp32-s3 or xiao-esp32-s3, as it says itself, at {port}" in done.stderr
    assert json.loads((folder / "board.json").read_text())["led"] == {"pin": 21, "lit": 0}


def test_board_that_can_be_of_two_kinds_and_was_never_flashed(signet, start, folder) -> None:
    _, port = start()
    done = signet("flash", "--app-only", before=_LISTED.format(port=port))
    assert one_line(done, 3) == (
        f"{port}: expected a board that was flashed as esp32-s3 or xiao-esp32-s3, got one that never was: no file was "
        "copied; say which it is with --board"
    )
    assert not list(folder.iterdir())


def test_failures_of_the_app_before_are_forgotten(signet, start, folder) -> None:
    (folder / "state.json").write_text('{"boots": 9, "failures": 3, "why": "ValueError: x"}')
    # Where MicroPython's nRF port has its files.
    _, port = start(mount="/flash")
    done = signet("flash", *S3, port, "--app-only")
    assert done.returncode == 0, done.stderr
    assert not (folder / "state.json").exists()


def test_sensors_that_are_missing_are_said_and_no_error(signet, start) -> None:
    _, port = start(lacks=("bvp",))
    done = signet("flash", *S3, port, "--app-only")
    assert done.returncode == 0, done.stderr
    assert "no sensor answers for bvp: check the wires, if it is there" in done.stderr


def test_dry_run_says_everything_and_touches_nothing(signet, start, folder, image, shipped) -> None:
    rom = EspRom()
    _, port = start(rom)
    words = ("flash", *S3, port, "--image", image, "--dry-run")
    done = signet(*words, before=_SAY_OPENED)
    assert done.returncode == 0, done.stderr
    assert f"write-flash 0x0 {image}" in done.stdout
    for name, sha256 in shipped("esp32-s3").items():
        assert re.search(rf"^  {sha256[:12]}  +\d+  {re.escape(name)}$", done.stdout, re.MULTILINE)
    assert "which nobody vouched for" in done.stdout
    assert rom.commands == []
    assert not list(folder.iterdir())
    opened = [line.split()[1] for line in done.stderr.splitlines() if line.startswith("OPENED")]
    assert str(image) in opened
    assert not {port, str(Path(port).resolve())} & set(opened)
    started = [line for line in done.stderr.splitlines() if line.startswith("STARTED")]
    assert len(started) == 2
    assert all(re.search(r"(esptool|mpremote)', 'version'\]$", line) for line in started)


class Terminal:
    """A terminal at which somebody sits: what was shown, and a line that is typed."""

    def __init__(self) -> None:
        self._master, self.end = pty.openpty()
        self.shown = b""
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def type(self, line: str) -> None:
        os.write(self._master, line.encode() + b"\n")

    def close(self) -> None:
        if self._thread.is_alive():
            os.close(self.end)
            self._thread.join()
            os.close(self._master)

    def _read(self) -> None:
        try:
            while data := os.read(self._master, 4096):
                self.shown += data
        except OSError:
            # Nobody has the other end open any more.
            return


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    made = Terminal()
    yield made
    made.close()


def test_progress_is_drawn_on_a_terminal_and_only_there(signet, start, image, terminal) -> None:
    _, port = start(EspRom())
    words = ("flash", *S3, port, "--image", image, "--unchecked", "--json")
    options = {"capture_output": False, "stdout": -1, "stderr": terminal.end}
    done = signet(*words, **options)
    terminal.close()
    assert done.returncode == 0, terminal.shown
    bars = re.findall(rb"  (write|copy) +(\d+) %(\r\n|\r)", terminal.shown)
    shares = {step: [int(n) for name, n, _ in bars if name == step] for step in (b"write", b"copy")}
    for each in shares.values():
        assert len(each) >= 3
        assert each == sorted(each)
        assert each.count(100) == 1
    assert [name for name, _, end in bars if end == b"\r\n"] == [b"write", b"copy"]
    assert json.loads(done.stdout)["board"] == "sim-board"


def test_without_a_terminal_each_step_is_one_line(signet, start, folder) -> None:
    _, port = start()
    done = signet("flash", *S3, port, "--app-only", "--json")
    assert done.stderr.count("copy ...\n") == 1
    assert "%" not in done.stderr
    assert "\r" not in done.stderr


@pytest.mark.parametrize(("answer", "ends"), [("y", 0), ("", 2), ("n", 2)])
def test_image_without_a_hash_is_asked_about(signet, start, image, terminal, answer, ends) -> None:
    rom = EspRom()
    _, port = start(rom)
    terminal.type(answer)
    options = {"capture_output": False, "stdin": terminal.end, "stderr": terminal.end}
    done = signet("flash", *S3, port, "--image", image, stdout=-1, **options)
    terminal.close()
    assert done.returncode == ends, terminal.shown
    assert b"nobody vouched for this image; write it? [y/N]" in terminal.shown
    assert bool(rom.commands) == (ends == 0)


# A machine at which one folder is all that may be mounted.
_MOUNTED = """
from pathlib import Path
from firmware_host.flash import drives, plan
plan.find_drives = lambda _root: [drive for drive in [drives.read_drive(Path({media!r}))] if drive]
"""


def test_running_board_is_sent_to_its_bootloader_and_gets_image_and_app(
    signet, start, folder, tmp_path
) -> None:
    family = load_board("pico").chip.uf2_family
    assert family is not None
    data = program("rp2040", 50_000)
    image = tmp_path / "micropython.uf2"
    image.write_bytes(encode(data, address=0x1000_0000, family=family))
    media = tmp_path / "media"
    board, port = start(machine="Raspberry Pi Pico W with RP2040")
    is_over = threading.Event()
    drives: list[Uf2Drive] = []

    def bootloader() -> None:
        while not board.is_bootloader_asked and not is_over.wait(0.02):
            pass
        drives.append(Uf2Drive(media, family=family, board_id="RPI-RP2"))
        with looked_at(drives[0]):
            is_over.wait()

    thread = threading.Thread(target=bootloader)
    thread.start()
    words = ("--board", "pico", "--device", port, "--image", image, "--unchecked")
    done = signet("flash", *words, before=_MOUNTED.format(media=str(media)))
    is_over.set()
    thread.join()
    assert done.returncode == 0, done.stderr
    assert "asking MicroPython for the bootloader\n" in done.stderr
    assert as_bytes(drives[0].memory) == (0x1000_0000, data)
    assert json.loads((folder / "board.json").read_text())["board"] == "pico"
