from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from firmware_host.errors import ConfigError, LinkError, SignetError
from firmware_host.flash.boards import load_board, load_boards
from firmware_host.flash.finding import Target, find_target, kinds_of
from firmware_host.host.ports import PortInfo

BOARDS = load_boards()


def port(name: str, usb_id: str | None, **more: object) -> PortInfo:
    facts = {
        "device": f"/dev/{name}",
        "by_id": f"/dev/serial/by-id/usb-{name}",
        "usb_id": usb_id,
        "product": None,
        "board_hint": None,
        "group": "dialout",
        "may_open": True,
        "holders": (),
        **more,
    }
    return PortInfo(**facts)  # type: ignore[arg-type]


PICO, S3 = port("ttyACM0", "2e8a:0005"), port("ttyACM1", "303a:1001")
PRINTER = port("ttyUSB9", "1234:5678", board_hint="a printer")


def find(*ports: PortInfo, **wish: object) -> Target:
    given = {"board": None, "device": None, **wish}
    if isinstance(given["board"], str):
        given["board"] = load_board(given["board"])
    return find_target(BOARDS, ports, **given)  # type: ignore[arg-type]


def test_the_only_board_is_found_and_called_by_its_lasting_name() -> None:
    found = find(PRINTER, PICO)
    assert (found.board.key, found.port) == ("pico", "/dev/serial/by-id/usb-ttyACM0")
    assert (
        found.summary
        == "Raspberry Pi Pico, Pico W (pico) at /dev/serial/by-id/usb-ttyACM0, USB 2e8a:0005"
    )


def test_port_without_a_lasting_name_is_called_as_it_is() -> None:
    assert find(port("ttyACM0", "2e8a:0005", by_id=None)).port == "/dev/ttyACM0"


def test_kind_that_is_wanted_is_found_among_others() -> None:
    assert find(PICO, S3, board="xiao-esp32-s3").port.endswith("ttyACM1")


def test_port_that_is_named_is_taken_by_either_name() -> None:
    assert find(PICO, S3, device="serial:/dev/ttyACM0").board.key == "pico"


def test_bootloaders_drive_needs_no_port() -> None:
    assert find(board="pico", has_drive=True).port == ""


def test_pseudo_terminal_is_the_virtual_board() -> None:
    pty = next(Path("/dev/pts").iterdir())
    assert find(device=str(pty)).board.key == "virtual"


@pytest.mark.parametrize(
    ("ports", "wish", "kind", "says"),
    [
        ([], {}, LinkError, "no board we know is connected; no serial port is here; plug it in"),
        ([PRINTER], {}, LinkError, "no board we know is connected; ports here: .*a printer"),
        (
            [S3],
            {"board": "pico"},
            LinkError,
            "no Raspberry Pi Pico, Pico W is connected; ports here",
        ),
        ([PICO, port("ttyACM5", "2e8a:0005")], {}, LinkError, "2 boards are connected: .*--device"),
        ([PICO, S3], {}, LinkError, "2 boards are connected"),
        (
            [S3],
            {},
            ConfigError,
            "--board: expected one of esp32-s3, xiao-esp32-s3, for .* any of them",
        ),
        ([PRINTER], {"device": "/dev/ttyUSB9"}, ConfigError, "--board: expected one of esp32-s3, "),
        (
            [PICO],
            {"device": "/dev/ttyACM0", "board": "xiao-esp32-s3"},
            LinkError,
            "expected a xiao-esp32-s3, got what looks like pico",
        ),
        (
            [port("ttyACM0", "2e8a:0005", holders=("mpremote (42)",))],
            {},
            LinkError,
            r"/dev/ttyACM0: in use by mpremote \(42\); close that one first",
        ),
        (
            [port("ttyACM0", "2e8a:0005", may_open=False)],
            {},
            LinkError,
            "no permission; it belongs to group dialout: ask an administrator .*70-signet.rules",
        ),
        ([PICO], {"device": "/dev/ttyACM7"}, LinkError, "/dev/ttyACM7: no such port; ports here"),
        ([], {"device": "socket://x:1"}, ConfigError, "--device: expected a serial port or pty"),
    ],
)
def test_what_does_not_fit_is_one_line(ports, wish, kind, says) -> None:
    with pytest.raises(SignetError, match=says) as caught:
        find(*ports, **wish)
    assert type(caught.value) is kind
    assert "\n" not in str(caught.value)


def test_own_board_with_ids_nobody_knows_is_believed(tmp_path) -> None:
    found = find(PRINTER, device="/dev/ttyUSB9", board="pico")
    assert found.board.key == "pico"


def test_kinds_with_one_chip_are_asked_later_where_that_may_be() -> None:
    found = find(S3, may_ask=True)
    assert [kind.key for kind in found.kinds] == ["esp32-s3", "xiao-esp32-s3"]
    assert found.summary == (
        "esp32-s3 or xiao-esp32-s3, as it says itself, at /dev/serial/by-id/usb-ttyACM1, USB 303a:1001"
    )
    other = replace(BOARDS["pico"], usb_app=("303a:4001",))
    both = {**BOARDS, "pico": other}
    with pytest.raises(ConfigError, match="esp32-s3, pico, xiao-esp32-s3, for"):
        find_target(both, [port("ttyACM1", "303a:4001")], board=None, device=None, may_ask=True)


def test_kinds_of_a_port() -> None:
    assert [board.key for board in kinds_of(BOARDS, S3)] == ["esp32-s3", "xiao-esp32-s3"]
    assert kinds_of(BOARDS, port("ttyS0", None)) == []
