from __future__ import annotations

import json
from pathlib import Path

import pytest

from firmware_host.errors import FlashError
from firmware_host.flash.app_files import CODEC, app_files, config_bytes
from firmware_host.flash.boards import FOLDER, load_board, load_boards


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "sensors").mkdir()
    for name in ("main.py", "zebra.py", "sensors/eda.py"):
        (tmp_path / name).write_text(f"# {name}\n")
    (tmp_path / "notes.txt").write_text("no code")
    return tmp_path


def test_files_are_the_apps_the_codec_and_the_boards_description(folder) -> None:
    files = app_files(load_board("pico"), folder)
    assert [file.name for file in files] == [
        "board.json",
        "frame.py",
        "sensors/eda.py",
        "zebra.py",
        "main.py",
    ]
    assert files[1].data == CODEC.read_bytes()


def test_no_app_is_one_line(tmp_path) -> None:
    with pytest.raises(FlashError, match=r"got no main\.py"):
        app_files(load_board("pico"), tmp_path)


def test_description_says_what_the_table_does() -> None:
    told = json.loads(config_bytes(load_board("xiao-nrf52840-sense")))
    assert told == {
        "board": "xiao-nrf52840-sense",
        "i2c": [
            {"bus": 0, "hz": 400000, "scl": 27, "sda": 7},
            {"bus": 1, "hz": 400000, "scl": 5, "sda": 4},
        ],
        "sensors": ["lsm6ds3|mpu6050", "max30102", "tmp117"],
        "button": {"pin": 28},
        "haptic": {"pin": 29},
        "led": {"pin": 26, "lit": 0},
        "ring": 32,
        "watchdog": False,
    }


def test_one_bus_is_no_list_and_a_battery_is_told(tmp_path) -> None:
    mine = tmp_path / "mine.toml"
    battery = "[battery]\npin = 29\nratio = 3\nempty_v = 3.3\nfull_v = 4.2\nreference_v = 3.3\n"
    mine.write_text((FOLDER / "pico.toml").read_text() + battery)
    told = json.loads(config_bytes(load_board(str(mine))))
    assert told["i2c"] == {"bus": 0, "hz": 400000, "scl": 5, "sda": 4}
    assert told["eda"]["pin"] == 26
    assert told["battery"] == {
        "pin": 29,
        "ratio": 3.0,
        "empty_v": 3.3,
        "full_v": 4.2,
        "reference_v": 3.3,
    }


def test_what_a_board_lacks_is_left_out() -> None:
    told = json.loads(config_bytes(load_board("pico")))
    # The app takes a watchdog for granted.
    assert not {"battery", "watchdog"} & set(told)


@pytest.mark.parametrize("key", sorted(load_boards()))
def test_description_fits_a_small_board(key) -> None:
    assert len(config_bytes(load_board(key))) < 512
