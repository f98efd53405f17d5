"""The real `mpremote` against a simulated prompt, for the mishaps; the real interpreter is in tests/board."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from firmware_host.errors import FlashError
from firmware_host.flash.app_files import AppFile
from firmware_host.flash.boards import load_board
from firmware_host.flash.mpremote import Mpremote
from firmware_host.flash.programs import MPREMOTE, Program
from sim.flash.repl_board import ReplBoard, ReplFaults
from tests.flash.conftest import program

pytestmark = pytest.mark.needs_flash_tools
S3 = load_board("esp32-s3")
FILES = [
    AppFile("app.py", b"print('hello')\n" * 40),
    AppFile("board.json", b"{}\n"),
    AppFile("sensors/eda.py", bytes(range(256)) * 4),
    AppFile("main.py", b"import app\n"),
]
Made = Callable[..., Mpremote]


@pytest.fixture
def flash_folder(tmp_path: Path) -> Path:
    folder = tmp_path / "flash"
    folder.mkdir()
    return folder


@pytest.fixture
def board(serve, flash_folder) -> Made:
    def start(**kwargs: object) -> Mpremote:
        port = serve(ReplBoard(flash_folder, **kwargs))  # type: ignore[arg-type]
        return Mpremote(Program(MPREMOTE, program("mpremote"), "1"), port, S3)

    return start


def copy(board: Mpremote) -> list[float]:
    shares: list[float] = []
    board.copy(FILES, board.inspect(FILES), progress=shares.append)
    return shares


def on_flash(folder: Path) -> dict[str, bytes]:
    files = (file for file in folder.rglob("*") if file.is_file())
    return {str(file.relative_to(folder)): file.read_bytes() for file in files}


def test_files_arrive_and_are_compared(board, flash_folder) -> None:
    made = board()
    shares = copy(made)
    assert on_flash(flash_folder) == {file.name: file.data for file in FILES}
    assert not made.inspect(FILES).lacks(FILES)
    assert shares == sorted(shares)
    assert shares[-1] == 1.0


def test_board_with_a_watchdog_is_not_soft_reset(board, flash_folder) -> None:
    copy(board(faults=ReplFaults(dies_of_soft_reset=True)))
    assert on_flash(flash_folder) == {file.name: file.data for file in FILES}


def test_only_what_differs_is_copied_and_strangers_stay(board, flash_folder) -> None:
    made = board()
    copy(made)
    (flash_folder / "diary.txt").write_text("mine")
    (flash_folder / "app.py").write_text("old")
    assert made.inspect(FILES).lacks(FILES) == FILES[:1]
    copy(made)
    kept = {file.name: file.data for file in FILES}
    assert on_flash(flash_folder) == {**kept, "diary.txt": b"mine"}


def test_cable_pulled_while_copying_leaves_no_main_and_can_go_on(board, flash_folder) -> None:
    (flash_folder / "main.py").write_text("an older app")
    with pytest.raises(FlashError, match=r"check its cable and run the same command again"):
        copy(board(faults=ReplFaults(unplugged_after_bytes=3500)))
    assert "main.py" not in on_flash(flash_folder)
    assert "app.py" in on_flash(flash_folder)
    copy(board())
    assert on_flash(flash_folder) == {file.name: file.data for file in FILES}


def test_damaged_file_is_not_believed(board, flash_folder) -> None:
    with pytest.raises(FlashError, match=r"app\.py did not arrive as sent"):
        copy(board(faults=ReplFaults(damages_write=1)))
    assert "main.py" not in on_flash(flash_folder)


def test_full_board_is_said_before_anything_is_removed(board, flash_folder) -> None:
    (flash_folder / "main.py").write_text("an older app")
    (flash_folder / "diary.txt").write_bytes(bytes(6 * 4096))
    with pytest.raises(
        FlashError,
        match=r"expected 32 KiB free on the board \(the app takes 32 KiB in all\), got 4 of 32 KiB: remove files",
    ):
        copy(board(room_bytes=8 * 4096))
    assert set(on_flash(flash_folder)) == {"main.py", "diary.txt"}


def test_file_system_that_the_app_never_fits_is_said_so(board, flash_folder) -> None:
    with pytest.raises(
        FlashError,
        match=r"expected 32 KiB for files.* got a MicroPython that has 12 KiB: .*FS_SIZE",
    ):
        copy(board(room_bytes=3 * 4096))
    assert not on_flash(flash_folder)


def test_update_of_every_file_needs_no_room_for_both_versions(board, flash_folder) -> None:
    files = [AppFile(f"part{i}.py", b"a" * 600) for i in range(5)]
    made = board(room_bytes=8 * 4096)
    made.copy(files, made.inspect(files), progress=lambda _share: None)
    newer = [AppFile(file.name, b"b" * 600) for file in files]
    made.copy(newer, made.inspect(newer), progress=lambda _share: None)
    assert on_flash(flash_folder) == {file.name: file.data for file in newer}


def test_board_with_its_files_below_a_folder(board, flash_folder) -> None:
    made = board(mount="/flash", room_bytes=64 * 4096)
    copy(made)
    contents = made.inspect(FILES)
    assert not contents.lacks(FILES)
    assert (contents.space.root, contents.space.n_blocks) == ("/flash", 64)
    assert on_flash(flash_folder) == {file.name: file.data for file in FILES}


def test_board_without_hashlib_tells_what_is_in_its_files(board, flash_folder) -> None:
    made = board(faults=ReplFaults(no_hashlib=True))
    copy(made)
    (flash_folder / "sensors/eda.py").write_text("old")
    assert made.inspect(FILES).lacks(FILES) == [FILES[2]]
    assert made.inspect(FILES).sizes["app.py"] == len(FILES[0].data)


def test_flash_that_fills_up_meanwhile(board, flash_folder) -> None:
    made = board(room_bytes=8 * 4096)
    contents = made.inspect(FILES)
    (flash_folder / "other").write_bytes(bytes(7 * 4096))
    with pytest.raises(FlashError, match="flash is full"):
        made.copy(FILES, contents, progress=lambda _share: None)
    assert "main.py" not in on_flash(flash_folder)


def test_board_of_another_chip_is_not_written_to(board, flash_folder) -> None:
    made = board(machine="Raspberry Pi Pico W with RP2040")
    with pytest.raises(FlashError, match=r"expected a board with esp32s3 .*got one with rp2040"):
        made.inspect(FILES)
    assert not on_flash(flash_folder)


@pytest.mark.parametrize(
    "machine", ["Seeed XIAO ESP32S3 with ESP32-S3-FN8", "JS with Emscripten", ""]
)
def test_chip_is_told_from_micropythons_words(board, machine) -> None:
    assert board(machine=machine).inspect(FILES).machine == machine


def test_port_that_is_not_there(flash_folder) -> None:
    made = Mpremote(Program(MPREMOTE, program("mpremote"), "1"), str(flash_folder / "tty"), S3)
    with pytest.raises(FlashError, match="cannot be opened"):
        made.inspect(FILES)
