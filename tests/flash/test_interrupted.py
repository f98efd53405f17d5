"""``signet flash`` killed or interrupted at the worst moments: the same command puts it right."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from sim.flash.esp_rom import EspRom
from sim.flash.repl_board import ReplBoard
from sim.flash.whole_board import WholeBoard
from tests.flash.conftest import MAIN, new_app, on_flash, program

pytestmark = pytest.mark.needs_flash_tools
_GONE_S = 60.0
# Whoever started the tests in the background had them, and all they start, not hear Ctrl-C.
_HEARS = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
_SYNC = 0x08


class Watched:
    """A board that does something to whoever flashes it, once, at a moment of its own."""

    def __init__(self, board: WholeBoard, is_time: Callable[[], bool]) -> None:
        self._board = board
        self._is_time = is_time
        self.act: Callable[[], None] | None = None

    def feed(self, data: bytes) -> bytes:
        out = self._board.feed(data)
        self._look()
        return out

    def tick(self) -> bytes:
        out = self._board.tick()
        self._look()
        return out

    def _look(self) -> None:
        if self.act is not None and self._is_time():
            act, self.act = self.act, None
            act()


class Bench:
    """A board with an older app on it, at a port, and the means to flash it."""

    def __init__(self, folder: Path, serve: Callable[..., str], code: Path, image: Path) -> None:
        for name in ("esptool", "mpremote"):
            program(name)
        self.folder = folder
        self.rom = EspRom()
        self.image = image
        self._code = code
        self._serve = serve

    def place(self, moment: str) -> None:
        """Have it wait for the moment: in its ROM, or with an app that runs."""
        self.with_image = moment in ("asked", "half", "copying-after-image")
        (self.folder / "main.py").write_text("import old\n")
        self._old = (self.folder / "main.py").stat().st_mtime_ns
        rom = self.rom if self.with_image else None
        self.board = WholeBoard(rom, ReplBoard(self.folder), new_app)
        self._watched = Watched(self.board, lambda: self._is_there(moment))
        self.port = self._serve(self._watched)

    def _is_there(self, moment: str) -> bool:
        main = self.folder / "main.py"
        is_new = main.is_file() and main.stat().st_mtime_ns != self._old and main.stat().st_size > 0
        return {
            "asked": _SYNC in self.rom.commands,
            "half": self.rom.flash[0] != 0xFF,
            "inspected": not self.board.runs_app,
            "copying": (self.folder / "frame.py").is_file(),
            "copying-after-image": (self.folder / "frame.py").is_file(),
            "main-there": is_new,
        }[moment]

    @property
    def words(self) -> list[str]:
        words = [sys.executable, "-c", _HEARS + MAIN, "flash", "--board", "esp32-s3"]
        what = ["--image", str(self.image), "--unchecked"] if self.with_image else ["--app-only"]
        return [*words, "--device", self.port, *what]

    def flash(self, act: Callable[[subprocess.Popen[str]], None] | None = None) -> tuple[int, str]:
        """Run it in a session of its own; gives its exit code and what it said."""
        if self.with_image:
            self.board.hold_boot()
        options = {"cwd": self._code, "stderr": subprocess.PIPE, "stdout": subprocess.DEVNULL}
        process = subprocess.Popen(self.words, text=True, start_new_session=True, **options)  # type: ignore[call-overload]
        if act is not None:
            self._watched.act = lambda: act(process)
        said = process.communicate(timeout=120)[1]
        assert not _members_after_a_while(process.pid)
        return process.returncode, said


def _members_after_a_while(group: int) -> list[str]:
    """Processes of a group that do not end."""
    deadline_s = time.monotonic() + _GONE_S
    while (members := _members(group)) and time.monotonic() < deadline_s:
        time.sleep(0.02)
    return members


def _members(group: int) -> list[str]:
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _parent, its_group = stat.read_text().rpartition(")")[2].split()[:3]
        except OSError:
            continue
        if int(its_group) == group and state not in "ZX":
            found.append(stat.parent.name)
    return found


@pytest.fixture
def bench(folder, serve, code, image) -> Bench:
    return Bench(folder, serve, code, image)


@pytest.mark.parametrize(
    "moment",
    [
        "asked",
        "half",
        "copying-after-image",
        "copying",
        "main-there",
    ],
)
def test_killed_and_run_again(bench, shipped, moment) -> None:
    bench.place(moment)
    code, _ = bench.flash(lambda process: process.kill())
    assert code == -signal.SIGKILL
    code, said = bench.flash()
    assert code == 0, said
    assert on_flash(bench.folder) == shipped("esp32-s3")
    if bench.with_image:
        written = bench.image.read_bytes()
        assert bench.rom.flash[: len(written)] == written


@pytest.mark.parametrize(
    ("moment", "during"),
    [
        ("inspected", "before anything was written"),
        ("half", "while the image was written"),
        ("copying", "while the app was put on"),
    ],
)
def test_ctrl_c_is_one_line_and_leaves_a_board_that_can_be_flashed(
    bench, shipped, moment, during
) -> None:
    bench.place(moment)
    # As a terminal does: everybody in front of it is told.
    code, said = bench.flash(lambda process: os.killpg(process.pid, signal.SIGINT))
    assert code == 130
    last = said.splitlines()[-1]
    assert last == f"signet: interrupted {during}; the same command puts it right"
    assert said.count("signet: ") == 1
    assert "Traceback" not in said
    code, said = bench.flash()
    assert code == 0, said
    assert on_flash(bench.folder) == shipped("esp32-s3")
