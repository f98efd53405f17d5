"""What cannot be had is absent: the board says so, and everything else works."""

from __future__ import annotations

import json

import pytest

from firmware_host.protocol.messages import Block, Hello, Log, PartState, Status
from sim.micropython.process import board_json, put_app

needs_node = pytest.mark.needs_node
ALL = {"acc", "gyro", "bvp", "temp", "eda"}


@pytest.fixture
def finder(on_board):
    """Makes a Finder; its ``logged`` are the lines."""

    def make(**config):
        logged: list[str] = []
        found = on_board("found").Finder(config, lambda _, text: logged.append(text))
        found.logged = logged
        return found

    return make


EDA = {"pin": 4, "full_scale_usiemens": 60.0}
BATTERY = {"channel": 5, "ratio": 2, "empty_v": 3.3, "full_v": 4.1, "reference_v": 3.3}


@pytest.mark.parametrize(
    ("count", "why"),
    [
        (OSError(5, "EIO"), "eda: OSError: [Errno 5] EIO"),
        (ValueError("bad atten"), "eda: ValueError: bad atten"),
        (RuntimeError("two\nlines"), "eda: RuntimeError: two lines"),
    ],
)
def test_a_converter_that_raises_is_absent(finder, machine, count, why) -> None:
    machine.counts = {4: count, 5: 40_000}
    found = finder(eda=EDA, battery=BATTERY)
    assert found.sources() == []
    assert found.battery() is not None
    assert (found.absent, found.logged) == (["eda"], [why])


def test_a_converter_without_the_call_is_absent(finder, machine) -> None:
    machine.ADC = machine.OldADC
    found = finder(eda=EDA, battery=BATTERY)
    assert (found.sources(), found.battery()) == ([], None)
    assert found.absent == ["eda", "battery"]
    assert all("no attribute" in line and "read_u16" in line for line in found.logged)


@pytest.mark.parametrize(
    ("config", "why"),
    [
        ({"button": {"pin": 99}}, "button: ValueError: invalid pin"),
        ({"button": {}}, "button: KeyError: 'pin'"),
        ({"haptic": 7}, "haptic: TypeError: "),
        ({"led": {"pin": 99, "lit": 0}}, "led: ValueError: invalid pin"),
        ({"led": {"pin": 9, "lit": "high"}}, "led: TypeError: "),
        ({"battery": {"pin": 5}}, "battery: KeyError: 'empty_v'"),
        (
            {"battery": dict(BATTERY, full_v=3.3)},
            "battery: ValueError: empty_v is not below full_v",
        ),
        ({"eda": dict(EDA, full_scale_usiemens=0)}, "eda: ValueError: full scale of 0 uS"),
        ({"eda": dict(EDA, full_scale_usiemens="60")}, "eda: TypeError: "),
        ({"eda": "pin 4"}, "eda: "),
    ],
)
def test_a_part_that_cannot_be_had_is_absent(finder, machine, config, why) -> None:
    machine.counts = {4: 1, 5: 1}
    found = finder(**config)
    parts = found.button(), found.haptic(), found.light(), found.battery(), *found.sources()
    assert not any(parts)
    assert found.absent == list(config)
    (line,) = found.logged
    assert line.startswith(why)


def test_what_board_json_does_not_name_is_not_absent(finder) -> None:
    found = finder(eda=None)
    assert not any((found.button(), found.haptic(), found.light(), found.battery()))
    assert (found.sources(), found.absent, found.logged) == ([], [], [])


def test_battery_that_fails_later_is_told(on_board, machine) -> None:
    machine.counts = {5: 40_000}
    battery = on_board("parts").Battery(machine.ADC(5), 2, 3.3, 4.1, 3.3)
    assert battery.look(0) == 91
    machine.counts[5] = OSError(5)
    assert battery.look(60_000) is None
    assert (battery.is_failing, battery.n_errors) == (True, 1)
    machine.counts[5] = 38_000
    assert battery.look(120_000) == 66
    assert not battery.is_failing


@needs_node
def test_app_streams_what_there_is(live) -> None:
    config = {
        "button": {"pin": 777},
        "haptic": {"pin": "LED"},
        "eda": {"pin": 3},
        "i2c": [{"bus": 1, "scl": 99, "sda": 98}, {"bus": 0}],
        "sensors": ["warp-drive", "lsm6ds3", "mpu6050|lsm6ds3", 5, "tmp117"],
        "rates": {"acc": "fast", "temp": 100, "gyro": 50},
    }
    heard = live(6.0, config=config, dead_adcs=(5,))
    hello = heard.of(Hello)[-1]
    assert {c.name: c.rate_hz for c in hello.channels} == {"acc": 100, "gyro": 50, "temp": 4}
    parts = {part.name: part.state for part in heard.of(Status)[0].parts}
    absent = {name for name, state in parts.items() if state is PartState.ABSENT}
    assert absent == {"warp-drive", "mpu6050|lsm6ds3", "5", "button", "eda", "battery"}
    said = {log.text for log in heard.of(Log)}
    assert "i2c: ValueError: invalid pin" in said
    assert "warp-drive: there is no driver" in said
    assert "lsm6ds3: left out, there is another acc" in said
    assert "temp cannot be read at 100 Hz" in said
    assert "board.json: acc: expected 0.1 to 200, got fast" in said
    assert "button: ValueError: invalid pin" in said
    assert {block.stream for block in heard.of(Block)} == {0, 1, 2}


@needs_node
@pytest.mark.parametrize(
    ("text", "channels", "why"),
    [
        ('{"sensors": "max30102"}', set(), "board.json: sensors: expected a list, got str"),
        (json.dumps(board_json({}, rates=[], ring="big")), ALL, "expected an object, got list"),
        (json.dumps(board_json({}, ring=-3, i2c=[])), {"eda"}, "ring: expected 0 to 8192, got -3"),
        (json.dumps(board_json({}, i2c="0", ring=0)), {"eda"}, "i2c: AttributeError"),
    ],
)
def test_board_json_of_wrong_types_is_used_as_far_as_it_goes(
    live, tmp_path, text, channels, why
) -> None:
    put_app(tmp_path, {})
    (tmp_path / "board.json").write_text(text)
    heard = live(3.0, flash=tmp_path)
    assert heard[0].firmware.startswith("signet 0")
    assert {channel.name for channel in heard[0].channels} == channels
    assert heard[0].ring_bytes == 0
    assert any(why in log.text for log in heard.of(Log))
