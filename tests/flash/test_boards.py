from __future__ import annotations

import re
from pathlib import Path

import pytest

from firmware_host.errors import BoardFileError, ConfigError
from firmware_host.flash.boards import FOLDER, load_board, load_boards, read_board
from firmware_host.host.ports import BOARDS, BRIDGES

XIAO = (FOLDER / "xiao-nrf52840-sense.toml").read_text()
KEYS = {
    "esp32-s3",
    "microbit-v2",
    "nano-33-ble-sense",
    "pico",
    "virtual",
    "xiao-esp32-s3",
    "xiao-nrf52840-sense",
}


def test_table_holds_the_boards_we_promise() -> None:
    assert set(load_boards()) == KEYS


@pytest.mark.parametrize("key", sorted(KEYS))
def test_usb_ids_of_the_table_are_known_to_ports_and_so_to_the_udev_rule(key) -> None:
    board = load_board(key)
    known = {":".join(ids) for ids in set(BOARDS) | set(BRIDGES)}
    assert set(board.usb_app) | set(board.usb_boot) <= known


@pytest.mark.parametrize("key", sorted(KEYS))
def test_file_says_where_its_facts_come_from(key) -> None:
    assert "Sources:" in (FOLDER / f"{key}.toml").read_text()


@pytest.mark.parametrize("key", sorted(KEYS))
def test_no_pin_has_two_jobs(key) -> None:
    board = load_board(key)
    used = [*board.pins.values(), *(pin for bus in board.buses for pin in (bus.scl, bus.sda))]
    used += [board.eda.pin] if board.eda else []
    used += [board.battery.pin] if board.battery else []
    assert len(set(used)) == len(used)


def test_own_board_is_one_file(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(XIAO.replace("Seeed Studio XIAO nRF52840 Sense", "Mine"))
    board = load_board(str(file))
    assert (board.key, board.name, board.chip.uf2_family) == ("mine", "Mine", 0xADA52840)
    assert board.buses[1].sda == 4


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('chip = "nrf52840"', 'chip = "z80"', "chip as one of esp32s3, nrf52840"),
        ('chip = "nrf52840"', "", "chip as a string, got nothing"),
        ('chip = "nrf52840"', "chip = 3", "chip as a string, got 3"),
        ('way = "uf2"', 'way = "tape"', "flash.way as one of esptool, uf2"),
        ('way = "uf2"', 'way = "esptool"\noffset = 0', "only advice|only .*got unknown board_id"),
        ("[pins]", "[eda]\nchannel = 99\n[pins]", "eda.channel as a number from 0 to 31, got 99"),
        ("[pins]", "[eda]\n[pins]", "eda.pin as a pin's number"),
        (
            "[pins]",
            "[eda]\nchannel = 0\npin = 2\nfull_scale_usiemens = 1\n[pins]",
            "only .*got unknown pin",
        ),
        (
            "[pins]",
            "[eda]\npin = 2\nfull_scale_usiemens = nan\n[pins]",
            "eda.full_scale_usiemens as a number from 0.1 to 1000, got nan",
        ),
        (
            "[pins]",
            "[battery]\npin = 1\nratio = 0.5\nempty_v = 3\n[pins]",
            "battery.ratio as a number from 1",
        ),
        ("button = 28", "buton = 28", "only .*got unknown buton"),
        ("button = 28", "button = -1", "pins.button as a pin's number from 0 or its name, got -1"),
        ("button = 28", "button = true", "pins.button as a pin's number"),
        ("button = 28", "button = 'a b'", "pins.button as a pin's number"),
        ("id = 1", "id = 0", "i2c as 1 to 4 buses of different id"),
        ("scl = 27", "", r"i2c\[0\].scl as a pin's number"),
        ("hz = 400_000", "hz = 4e9", r"i2c\[0\].hz as a number from 10000 to 1e\+06"),
        (
            'chip = "nrf52840"',
            'chip = "virtual"',
            "flash.way as a way to flash a virtual, got 'uf2'",
        ),
        ('boot = ["2886:0045"]', 'boot = ["2886-0045"]', "usb.boot as a list such as"),
        ('"acc", "gyro"', '"acc", "smell"', "senses.onboard as a list of acc, gyro"),
        ("led_lit = 0", "led_lit = 2", "led_lit as a number from 0 to 1, got 2"),
        ("led_lit = 0", "led_lit = = 0", "expected TOML"),
        ("[[i2c]]", "[i2c]", "expected TOML|list of tables"),
    ],
)
def test_wrong_entry_is_one_line_that_names_it(tmp_path: Path, old, new, says) -> None:
    file = tmp_path / "mine.toml"
    assert old in XIAO
    file.write_text(XIAO.replace(old, new))
    with pytest.raises(BoardFileError) as caught:
        read_board(file)
    text = str(caught.value)
    assert "\n" not in text
    assert text.startswith(f"board {file}: expected ")
    assert re.search(says, text), text
    assert caught.value.exit_code == 2


def test_esptool_is_for_espressifs_chips_only(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    text = XIAO.replace('way = "uf2"', 'way = "esptool"\noffset = 0')
    file.write_text(re.sub("board_id = .*", "", text))
    with pytest.raises(
        BoardFileError, match=r"flash\.way as a way to flash a nrf52840, got 'esptool'"
    ):
        read_board(file)


@pytest.mark.parametrize("name", ["pcio", "", "nowhere/mine.toml", "."])
def test_unknown_board_is_refused(name) -> None:
    with pytest.raises(ConfigError) as caught:
        load_board(name)
    assert "pico" in str(caught.value) or "No such file" in str(caught.value)
