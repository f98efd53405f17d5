from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_host.errors import BoardFileError, ConfigError
from firmware_host.flash.app_files import config_bytes
from firmware_host.flash.boards import FOLDER, load_board, load_boards, read_board
from firmware_host.host.ports import BOARDS, BRIDGES
from tests.flash.conftest import one_line

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


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("boards")


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
        (
            "[pins]",
            "[eda]\nchannel = 99\n[pins]",
            "eda.channel as a whole number from 0 to 31, got 99",
        ),
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
        ("button = 28", "button = 48", "pins.button as a pin of the nrf52840, 0 to 47, got 48"),
        ("button = 28", "button = true", "pins.button as a pin's number"),
        ("button = 28", "button = 'a b'", "pins.button as a pin's number"),
        ("id = 1", "id = 0", "i2c as 1 to 4 buses of different id"),
        ("scl = 27", "", r"i2c\[0\].scl as a pin's number"),
        ("hz = 400_000", "hz = 4e9", r"i2c\[0\].hz as an integer, got 4000000000.0"),
        (
            "hz = 400_000",
            "hz = 4_000_000",
            r"i2c\[0\].hz as a whole number from 10000 to 1000000, got 4000000$",
        ),
        ("ring_kib = 32", "ring_kib = 1.5", "ring_kib as an integer, got 1.5"),
        ("ring_kib = 32", "ring_kib = 9999", "ring_kib as a whole number from 0 to 8192, got 9999"),
        (
            'name = "Seeed',
            'name = "\\u001b[31m',
            "name as 1 to 80 characters that can be printed, got",
        ),
        ('board_id = "nRF52840-SeeedXiaoSense-"', 'board_id = ""', "flash.board_id as 1 to 64 "),
        ('enter = "press RESET twice, quickly"', "enter = 3", "flash.enter as a string, got 3"),
        (
            'wired = ["bvp", "temp"]',
            'wired = ["bvp", "bvp"]',
            "senses.wired as a list of .* each once",
        ),
        (
            'wired = ["bvp", "temp"]',
            'wired = ["eda"]',
            "eda as a table, as senses say that there is",
        ),
        (
            "[pins]",
            "[eda]\npin = 2\nfull_scale_usiemens = 60\n[pins]",
            "eda as a table, only if senses say that there is one, got 'one'",
        ),
        (
            "button = 28",
            "button = 5",
            r"pins.button as a pin of its own, not that of i2c\[1\].scl, got 5",
        ),
        (
            "sda = 4",
            "sda = 5",
            r"i2c\[1\].sda as a pin of its own, not that of i2c\[1\].scl, got 5",
        ),
        (
            'chip = "nrf52840"',
            'chip = "virtual"',
            "flash.way as a way to flash a virtual, got 'uf2'",
        ),
        ('boot = ["2886:0045"]', 'boot = ["2886-0045"]', "usb.boot as a list such as"),
        ('"acc", "gyro"', '"acc", "smell"', "senses.onboard as a list of acc, gyro"),
        ("led_lit = 0", "led_lit = 2", "led_lit as a whole number from 0 to 1, got 2"),
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


LINES = [line for line in XIAO.splitlines() if line and not line.startswith("#")]
VALUES = [
    "0",
    "-1",
    "1.5",
    "nan",
    "true",
    "[]",
    '""',
    '"x"',
    '"\\u0000"',
    "{}",
    "[[]]",
    "9" * 5000,
    "=",
]


@given(line=st.sampled_from(LINES), value=st.sampled_from([*VALUES, None]))
def test_one_wrong_line_is_one_line_of_error_or_a_board_all_the_same(folder, line, value) -> None:
    changed = "" if value is None else f"{line.partition('=')[0]}= {value}"
    file = folder / "mine.toml"
    file.write_text(XIAO.replace(line, changed, 1))
    try:
        board = read_board(file)
    except BoardFileError as err:
        assert str(err).isprintable()
        assert str(err).startswith(f"board {file}: expected ")
        assert len(str(err)) < 1000
    else:
        assert json.loads(config_bytes(board))["board"] == "mine"


def test_wrong_file_through_the_command(signet, tmp_path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(XIAO.replace("button = 28", "buton = 28"))
    assert one_line(signet("flash", "--board", file, "--dry-run"), 2) == (
        f"board {file}: expected in [pins] only button, haptic, inside, led, got unknown buton"
    )


def test_led_of_a_table_is_the_apps(tmp_path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(XIAO.replace("led = 26", 'led = "LED"').replace("led_lit = 0", "led_lit = 1"))
    assert json.loads(config_bytes(read_board(file)))["led"] == {"pin": "LED", "lit": 1}


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
