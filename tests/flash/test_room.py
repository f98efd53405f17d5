"""Whether the app fits what a board has for files."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from firmware_host.flash.app_files import AppFile, app_files
from firmware_host.flash.boards import load_board, load_boards
from firmware_host.flash.room import blocks_needed, too_small

BOARDS_PAGE = Path(__file__).resolve().parents[2] / "docs/boards.md"
KNOWN = sorted(key for key, board in load_boards().items() if board.fs_kib is not None)


def test_room_of_every_real_board_is_known_that_the_app_goes_to() -> None:
    assert set(load_boards()) - set(KNOWN) == {"microbit-v2", "virtual"}


@pytest.mark.parametrize("key", KNOWN)
def test_app_fits_the_board_or_the_plan_says_so(key) -> None:
    board = load_board(key)
    assert bool(too_small(board, app_files(board))) is (key == "nano-33-ble-sense")


def test_page_says_what_the_app_needs() -> None:
    board = load_board("nano-33-ble-sense")
    files = app_files(board)
    told = re.search(r"a file system of (\d+) KiB \((\d+) files", BOARDS_PAGE.read_text("utf-8"))
    assert told is not None
    assert f"the app needs {told[1]} KiB: " in too_small(board, files)
    assert int(told[2]) == len(files)


def test_full_update_of_the_smallest_board_that_fits() -> None:
    files = app_files(load_board("xiao-nrf52840-sense"))
    there = {file.name: len(file.data) for file in files}
    # As new it had 59 blocks of 4096 bytes (micropython issue 17867).
    in_all = blocks_needed(files, {})
    assert in_all <= 59
    assert blocks_needed(files, there) <= 59 - in_all


@pytest.mark.parametrize(
    ("size", "n_blocks"), [(1, 1), (4088, 1), (4089, 2), (2 * 4088, 2), (2 * 4088 + 1, 3)]
)
def test_files_are_whole_blocks_and_two_stay_free(size, n_blocks) -> None:
    assert blocks_needed([AppFile("app.py", bytes(size))], {}) == n_blocks + 2


def test_folder_takes_a_pair_of_blocks_once() -> None:
    files = [AppFile("sensors/a.py", b"a"), AppFile("sensors/b.py", b"b")]
    assert blocks_needed(files, {}) == 6
    assert blocks_needed(files, {"sensors/c.py": 1}) == 4


def test_old_version_is_freed_after_the_new_one_is_there() -> None:
    files = [AppFile("a.py", bytes(8000)), AppFile("b.py", bytes(8000))]
    assert blocks_needed(files, {"a.py": 8000, "b.py": 8000}) == 4
    assert blocks_needed(files, {"a.py": 4000, "b.py": 8000}) == 5
    # It may have had no block of its own.
    assert blocks_needed(files, {"a.py": 500, "b.py": 8000}) == 6


def test_main_is_freed_first() -> None:
    files = [AppFile("a.py", bytes(4000)), AppFile("main.py", bytes(4000))]
    assert blocks_needed(files, {"main.py": 4000}) == 3


@pytest.mark.needs_flash_tools
@pytest.mark.parametrize("with_image", [False, True])
def test_board_that_is_too_small_is_said_before_anything_is_written(
    signet, start, image, with_image
) -> None:
    _, port = start()
    words = ("flash", "--board", "nano-33-ble-sense", "--device", port, "--dry-run")
    done = signet(*words, *(("--image", image) if with_image else ()))
    assert done.returncode == (3 if with_image else 0), done.stderr
    says = "MicroPython's own image for this board has 64 KiB for files, the app needs "
    assert says in done.stdout + done.stderr
    assert "make FS_SIZE=256k" in done.stdout + done.stderr
