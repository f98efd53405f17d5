from __future__ import annotations

import contextlib
import errno
import fcntl
import grp
import logging
import os
import sys
import termios
import tty
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from firmware_host.errors import ConfigError, LinkClosed, LinkError, LinkTimeout
from firmware_host.transport import serial_port
from firmware_host.transport.port_files import join_group_advice
from firmware_host.transport.registry import open_transport
from firmware_host.transport.serial_port import explain_open_error


@pytest.fixture
def pty() -> Iterator[tuple[int, str]]:
    master, slave = os.openpty()
    tty.setraw(slave)
    yield master, os.ttyname(slave)
    os.close(slave)
    os.close(master)


def test_baud_is_115200_unless_the_url_says(pty) -> None:
    for query, speed in [("", termios.B115200), ("?baud=9600", termios.B9600)]:
        transport = open_transport(f"serial:{pty[1]}{query}")
        assert termios.tcgetattr(pty[0])[4] == speed
        assert transport.url == f"serial:{pty[1]}{query}"
        transport.close()


def test_what_nobody_read_before_is_not_given_as_new(pty) -> None:
    os.set_blocking(pty[0], False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(pty[0], bytes(1024))
    transport = open_transport(pty[1])
    os.write(pty[0], b"new")
    chunk = transport.read(5.0)
    assert chunk is not None
    assert chunk.data == b"new"
    transport.close()


def test_a_fraction_of_a_baud_is_refused(pty) -> None:
    with pytest.raises(ConfigError, match="whole bits per second"):
        open_transport(f"serial:{pty[1]}?baud=9600.5")


def test_a_second_opener_is_told_who_holds_the_port(pty) -> None:
    transport = open_transport(pty[1])
    with pytest.raises(LinkError, match=rf"in use .*held by .*\({os.getpid()}\)"):
        open_transport(pty[1])
    transport.close()
    open_transport(pty[1]).close()


def test_close_gives_the_port_back_to_programs_without_locks(pty) -> None:
    transport = open_transport(pty[1])
    transport.close()
    fd = os.open(pty[1], os.O_RDWR | os.O_NOCTTY)
    fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(fd)


def test_busy_without_a_visible_holder_says_how_to_look(tmp_path: Path) -> None:
    text = str(explain_open_error("/dev/ttyACM0", OSError(errno.EBUSY, "busy"), tmp_path))
    assert "fuser -v /dev/ttyACM0" in text


def test_no_such_port_lists_the_ports_there_are(tmp_path: Path) -> None:
    by_id = tmp_path / "dev/serial/by-id"
    by_id.mkdir(parents=True)
    for name in ("ttyACM0", "ttyACM10", "ttyACM9", "ttyS0", "ttyS1"):
        (tmp_path / "dev" / name).touch()
    for name, kind in (("ttyS0", "4"), ("ttyS1", "0")):
        (tmp_path / "sys/class/tty" / name).mkdir(parents=True)
        (tmp_path / "sys/class/tty" / name / "type").write_text(f"{kind}\n")
    (by_id / "usb-Seeed_XIAO-if00").symlink_to("../../ttyACM9")
    text = str(explain_open_error("/dev/ttyACM7", OSError(errno.ENOENT, "absent"), tmp_path))
    shown = text.partition("ports here: ")[2].replace(str(tmp_path), "")
    names = ["/dev/ttyACM0", "/dev/serial/by-id/usb-Seeed_XIAO-if00", "/dev/ttyACM10", "/dev/ttyS0"]
    assert shown == ", ".join(names)


def test_no_such_port_says_when_there_is_none(tmp_path: Path) -> None:
    text = str(explain_open_error("/dev/x", OSError(errno.ENOENT, "absent"), tmp_path))
    assert text == "/dev/x: no such port; no serial port is connected"


def test_no_permission_names_the_group_and_the_rule(tmp_path: Path, monkeypatch) -> None:
    device = tmp_path / "ttyACM0"
    device.touch()
    monkeypatch.setattr(grp, "getgrgid", lambda _gid: SimpleNamespace(gr_name="dialout"))
    text = str(explain_open_error(str(device), OSError(errno.EACCES, "denied")))
    assert "belongs to group dialout" in text
    assert "usermod -aG dialout" in text
    assert "70-signet.rules" in text
    assert "sudo" not in text
    assert "chmod" not in text


def test_nobody_is_told_to_join_the_group_of_root() -> None:
    assert "usermod" not in join_group_advice("root")
    assert "70-signet.rules" in join_group_advice("root")


def test_no_permission_below_a_closed_folder_is_still_one_line() -> None:
    text = str(explain_open_error("/nowhere/x", PermissionError(errno.EACCES, "denied")))
    assert "no permission; the folder it is in is closed to you" in text


@pytest.mark.parametrize(
    ("make", "kind"), [(Path.touch, "a file"), (Path.mkdir, "a folder"), (os.mkfifo, "something")]
)
def test_what_is_no_port_is_a_link_error(tmp_path: Path, make, kind: str) -> None:
    path = tmp_path / "thing"
    make(path)
    with pytest.raises(LinkError, match=f"thing: not a serial port but {kind}") as caught:
        open_transport(str(path))
    assert "\n" not in str(caught.value)


def test_a_device_that_is_no_port_is_a_link_error(monkeypatch, pty) -> None:
    import serial

    def refuse(*_args, **_options) -> None:
        # As pyserial does: its own exception, without a number, while handling termios' one.
        try:
            raise termios.error(errno.ENOTTY, "Inappropriate ioctl for device")  # noqa: TRY301
        except termios.error as err:
            raise serial.SerialException(f"Could not configure port: {err}")  # noqa: B904

    monkeypatch.setattr(serial, "Serial", refuse)
    with pytest.raises(LinkError, match="not a serial port but another device"):
        open_transport(pty[1])


def test_without_pyserial_the_error_says_what_to_install(monkeypatch, pty) -> None:
    # None in sys.modules is how Python itself marks a module as absent.
    monkeypatch.setitem(sys.modules, "serial", None)
    with pytest.raises(LinkError, match="pip install pyserial"):
        open_transport(pty[1])


def test_writing_to_a_vanished_board_is_link_closed() -> None:
    master, slave = os.openpty()
    transport = open_transport(os.ttyname(slave))
    os.close(slave)
    os.close(master)
    with pytest.raises(LinkClosed, match=r"board went away .*check its cable"):
        transport.write(b"x")
    with pytest.raises(LinkClosed, match="this link was closed"):
        transport.write(b"x")


def test_a_board_that_takes_no_bytes_is_a_timeout(monkeypatch, pty) -> None:
    monkeypatch.setattr(serial_port, "WRITE_TIMEOUT_S", 0.02)
    transport = open_transport(pty[1])
    with pytest.raises(LinkTimeout, match="takes no bytes"):
        transport.write(bytes(1 << 20))
    transport.close()


def test_chunks_carry_the_clock_of_the_boards_speed(monkeypatch, pty, clock) -> None:
    monkeypatch.setattr(serial_port, "host_clock", {20.0: clock}.get)
    transport = open_transport(f"pty:{pty[1]}?speed=20")
    assert transport.url == f"serial:{pty[1]}?speed=20"
    os.write(pty[0], b"x")
    chunk = transport.read(5.0)
    assert chunk == (clock(), b"x")
    assert transport.now_utc() == clock()
    transport.close()


def test_an_unstable_name_is_warned_about_once(tmp_path: Path, caplog) -> None:
    device = tmp_path / "dev/ttyACM0"
    by_id = tmp_path / "dev/serial/by-id"
    by_id.mkdir(parents=True)
    device.touch()
    (by_id / "usb-board").symlink_to(device)
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            serial_port._warn_unstable_name(str(device), tmp_path)
        serial_port._warn_unstable_name(str(by_id / "usb-board"), tmp_path)
    assert len(caplog.messages) == 1
    assert f"use {by_id / 'usb-board'}" in caplog.messages[0]
