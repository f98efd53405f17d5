from __future__ import annotations

import re

import pytest

from firmware_host.devices import open_only_board
from firmware_host.errors import ConfigError, LinkError
from firmware_host.host.ports import BOARDS, BRIDGES, known_boards, list_ports
from firmware_host.transport.base import parse_url
from firmware_host.transport.port_files import shipped_udev_rule


def group_of(_gid: int) -> str:
    return "dialout"


def ports(fake, *, may_open: bool = True):
    return list_ports(fake.root, may_open=lambda _device: may_open, group_name=group_of)


def test_no_ports_on_a_bare_machine(fake) -> None:
    assert ports(fake) == []


def test_a_board_is_described_in_full(fake) -> None:
    fake.add_usb_port(
        "ttyACM0", "2886:8056", product="XIAO ESP32S3 Sense", by_id="usb-Seeed_XIAO-if00"
    )
    (port,) = ports(fake)
    assert port.device == "/dev/ttyACM0"
    assert port.by_id == "/dev/serial/by-id/usb-Seeed_XIAO-if00"
    assert port.url == "serial:/dev/serial/by-id/usb-Seeed_XIAO-if00"
    assert port.usb_id == "2886:8056"
    assert port.product == "XIAO ESP32S3 Sense"
    assert port.board_hint == "Seeed XIAO ESP32-S3 Sense"
    assert port.group == "dialout"
    assert port.may_open
    assert not port.busy


def test_a_bridge_is_found_one_level_deeper(fake) -> None:
    fake.add_usb_port("ttyUSB0", "10c4:ea60", bridge=True)
    (port,) = ports(fake)
    assert port.board_hint == "CP210x bridge"
    assert port.product is None


def test_an_unknown_board_has_ids_but_no_hint(fake) -> None:
    fake.add_usb_port("ttyACM0", "1234:5678")
    (port,) = ports(fake)
    assert (port.usb_id, port.board_hint) == ("1234:5678", None)
    assert port.url == "serial:/dev/ttyACM0"


def test_a_built_in_port_counts_only_with_a_uart(fake) -> None:
    for name, kind in (("ttyS0", "4"), ("ttyS1", "0")):
        fake.write(f"sys/class/tty/{name}/type", kind)
        fake.write(f"dev/{name}", "")
    fake.write("dev/ttyAMA0", "")
    found = ports(fake)
    assert [port.device for port in found] == ["/dev/ttyAMA0", "/dev/ttyS0"]
    assert found[0].usb_id is None


def test_permission_is_what_the_check_says(fake) -> None:
    fake.add_usb_port("ttyACM0", "2e8a:0005")
    assert not ports(fake, may_open=False)[0].may_open


def test_a_group_without_a_name_is_its_number(fake) -> None:
    fake.add_usb_port("ttyACM0", "2e8a:0005")

    def nameless(gid: int) -> str:
        raise KeyError(gid)

    (port,) = list_ports(fake.root, group_name=nameless)
    assert port.group.isdigit()


def test_holders_are_named_and_others_are_not(fake) -> None:
    fake.add_usb_port("ttyACM0", "2e8a:0005")
    fake.add_usb_port("ttyACM1", "2e8a:0005")
    fake.add_process(42, "mpremote", "dev/ttyACM0")
    fake.add_process(7, "bash", "dev/null")
    held, free = ports(fake)
    assert held.holders == ("mpremote (42)",)
    assert held.busy
    assert free.holders == ()


def test_ten_boards_are_listed_in_the_order_of_their_numbers(fake) -> None:
    for i in (10, 2, 0):
        fake.add_usb_port(f"ttyACM{i}", "2e8a:0005")
    assert [p.device for p in ports(fake)] == ["/dev/ttyACM0", "/dev/ttyACM2", "/dev/ttyACM10"]


def test_only_board_is_told_from_bridges_and_strangers(fake) -> None:
    fake.add_usb_port("ttyUSB0", "1a86:7523", bridge=True)
    fake.add_usb_port("ttyACM0", "1234:5678")
    with pytest.raises(LinkError, match="no board that we know is plugged in"):
        open_only_board(parse_url("auto:"), fake.root)
    fake.add_usb_port("ttyACM1", "2e8a:0005", by_id="usb-MicroPython_Board-if00")
    assert known_boards(fake.root) == ["serial:/dev/serial/by-id/usb-MicroPython_Board-if00"]
    # Found, and then opened by its lasting name, which is none of this machine's.
    with pytest.raises(LinkError, match="usb-MicroPython_Board-if00"):
        open_only_board(parse_url("auto:"), fake.root)
    fake.add_usb_port("ttyACM2", "303a:4001")
    with pytest.raises(
        LinkError, match=r"2 boards are plugged in: serial:.*if00, serial:/dev/ttyACM2; name one"
    ):
        open_only_board(parse_url("auto:"), fake.root)


@pytest.mark.parametrize("url", ["auto:/dev/ttyACM0", "auto:?baud=9600"])
def test_more_than_auto_is_refused(url: str) -> None:
    with pytest.raises(ConfigError):
        open_only_board(parse_url(url))


def test_udev_rule_and_table_know_the_same_boards() -> None:
    text = shipped_udev_rule().read_text()
    rule = re.compile(r'ATTRS\{idVendor\}=="(\w{4})", ATTRS\{idProduct\}=="(\w{4})", (.*)')
    found = {(m[1], m[2]): m[3] for m in rule.finditer(text)}
    assert set(found) == set(BOARDS) | set(BRIDGES)
    assert all('TAG+="uaccess"' in actions for actions in found.values())
    # A bridge may sit in a real modem: only boards are kept from ModemManager.
    assert {ids for ids, actions in found.items() if "ID_MM_DEVICE_IGNORE" in actions} == set(
        BOARDS
    )


def test_udev_rule_sorts_before_the_file_that_reads_its_tag() -> None:
    assert shipped_udev_rule().name < "73-seat-late.rules"
    assert "MODE" not in shipped_udev_rule().read_text().replace("ModemManager", "")
