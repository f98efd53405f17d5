"""A printing board as a link: its URL, what is said when nothing comes of it, orders, and the end."""

from __future__ import annotations

import os
import tty

import pytest

from firmware_host.devices import open_device, probe
from firmware_host.errors import ConfigError, LinkClosed, LinkError
from firmware_host.protocol.encode import encode_command, encode_ping
from firmware_host.protocol.messages import Ack, AckResult, Command, CommandKind, Hello, Ping
from firmware_host.protocol.parser import MessageParser
from firmware_host.runtime.link import connect
from firmware_host.transport import serial_port
from firmware_host.transport.base import Transport, parse_url
from firmware_host.transport.registry import open_transport
from firmware_host.transport.text import TextTransport
from firmware_host.transport.text_layout import Wishes
from firmware_host.transport.text_options import board_id, text_url, wishes_of


def over_loop(wishes: Wishes | None = None) -> TextTransport:
    """A text link over the in-process one, in virtual time; the board is at ``._inner.board``."""
    inner = open_transport("loop:")
    return TextTransport(inner, wishes or Wishes(), url="text:/dev/x", board_id="text-x")


def prints(transport: TextTransport, n_lines: int = 100, rate_hz: float = 20.0) -> None:
    for n in range(n_lines):
        transport._inner.board.send(f"{n}.5,{n}\n".encode(), after_s=n / rate_hz)


def messages(transport: Transport, for_s: float) -> list:
    parser, found = MessageParser(), []
    end_utc = transport.now_utc() + for_s
    while transport.now_utc() < end_utc:
        chunk = transport.read(0.25)
        found += parser.feed(chunk.data) if chunk else []
    return found


def test_columns_units_and_rate_of_a_url() -> None:
    url = "text:/dev/x?columns=t_ms,acc.x[m/s2],-,eda&units=eda:uS&rate=50&baud=9600"
    wishes = wishes_of(parse_url(url))
    assert [(c.name, c.unit) for c in wishes.columns] == [
        ("t_ms", "unknown"), ("acc.x", "m/s2"), ("-", "unknown"), ("eda", "unknown"),
    ]  # fmt: skip
    assert wishes.units == {"eda": "uS"}
    assert wishes.rate_hz == 50.0


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("columns=a,a", "each name once"),
        ("columns=a,,b", "names such as"),
        ("columns=1a", "names such as"),
        ("columns=t_ms", "a column with readings"),
        ("columns=t_ms,t_s,a", "one of t_us, t_ms, t_s"),
        ("units=acc", "name:unit pairs"),
        ("units=acc:", "name:unit pairs"),
        ("units=a:g,a:V", "one unit a name"),
        (f"units=a:{'g' * 40}", "at most 32 bytes"),
        ("columns=acc.x,eda&units=acc:g,v:V", "names among acc, acc.x, eda"),
        ("rate=0", "above zero"),
        ("rate=1e6", "0.01 to 10000 Hz"),
        ("pace=3", "one of baud, columns, rate, speed, units"),
    ],
)
def test_an_option_that_makes_no_sense_is_one_line_before_anything_opens(query, words) -> None:
    with pytest.raises(ConfigError, match=words) as caught:
        open_device(f"text:/dev/none?{query}")
    assert "\n" not in str(caught.value)


def test_options_of_the_link_behind_it_are_its_own() -> None:
    with pytest.raises(ConfigError, match="got 'baud'"):
        open_device("text+socket://127.0.0.1:1?baud=9600")
    with pytest.raises(LinkError, match="/dev/none"):
        open_device("text:/dev/none?baud=9600")


@pytest.mark.parametrize(
    ("url", "other"),
    [
        ("serial:/dev/ttyACM0?baud=9600", "text:/dev/ttyACM0?baud=9600"),
        ("socket://h:5", "text+socket://h:5"),
    ],
)
def test_the_url_that_reads_lines(url: str, other: str) -> None:
    assert text_url(url) == other


def test_a_board_is_called_after_where_it_is_plugged_in() -> None:
    assert board_id("/dev/ttyACM0") == "text-ttyACM0"
    long = "/dev/serial/by-id/usb-Arduino__www.arduino.cc__0043_75{}-if00"
    one, two = board_id(long.format(1)), board_id(long.format(2))
    assert one.startswith("text-Arduino__www.ard")
    assert len(one) == 32
    assert one != two


def test_a_printing_board_says_hello_and_is_never_written_to() -> None:
    transport = over_loop()
    prints(transport)
    transport.write(encode_command(Command(CommandKind.START), seq=0))
    hello = probe(transport, 10.0)
    assert (hello.board_id, hello.firmware) == ("text-x", "text, host clock")
    assert hello.channels[0].rate_hz == 20.0
    transport.write(encode_ping(Ping(3), seq=0))
    transport.write(encode_command(Command(CommandKind.CUE, 1, 77), seq=1))
    found = messages(transport, 4.0)
    (ack,) = [message for message in found if isinstance(message, Ack)]
    assert (ack.session, ack.result, ack.token) == (hello.session, AckResult.UNKNOWN, 77)
    assert transport._inner.board.received() == b""
    assert transport.counters["readings"] == 99


@pytest.mark.parametrize(
    ("sent", "words"),
    [
        (b"", "the board prints nothing in 30 s"),
        (b"\xf3\x91\x0c" * 50, "150 bytes in 30 s and no line of text; check the baud rate"),
        (b"hello\nworld of boards\n", "2 lines in 30 s, none of numbers"),
        (b"1,2\n3,4\n5,6\n", "only 2 lines of numbers in 60 s"),
    ],
)
def test_it_says_why_it_gave_up(sent: bytes, words: str) -> None:
    transport = over_loop()
    start_utc = transport.now_utc()
    transport._inner.board.send(sent, after_s=1.0)
    with pytest.raises(LinkError, match=words):
        messages(transport, 90.0)
    listened_s = 60.0 if b"3,4" in sent else 30.0
    assert transport.now_utc() - start_utc == pytest.approx(listened_s, abs=1.0)


def test_it_waits_longer_for_a_board_that_is_declared_slow() -> None:
    assert over_loop(Wishes(rate_hz=0.1)).hello_s == 100.0


def test_lines_before_the_end_of_the_link_are_not_lost() -> None:
    transport = over_loop()
    prints(transport)
    assert any(isinstance(message, Hello) for message in messages(transport, 4.9))
    transport._inner.board.send(b"5,777\n")
    transport._inner.board.unplug()
    with pytest.raises(LinkClosed):
        messages(transport, 10.0)
    assert transport.counters["readings"] == 100
    transport.close()


@pytest.fixture
def terminal():
    master, slave = os.openpty()
    tty.setraw(slave)
    yield master, os.ttyname(slave)
    for fd in (master, slave):
        os.close(fd)


def test_a_lost_link_goes_on_with_what_was_found_out(terminal) -> None:
    master, path = terminal
    old = over_loop()
    prints(old)
    known = probe(old, 10.0)

    def open_again() -> Transport:
        transport = open_transport(f"text+pty:{path}")
        os.write(master, b"\n1.5,1\n2.5,2\n")
        return transport

    transport, hello = connect(open_again, old)
    assert hello is not None
    # No new detection: one delivery was enough.
    assert hello.channels == known.channels
    transport.close()


def test_a_board_that_prints_is_told_from_one_that_is_silent() -> None:
    link = open_transport("loop:")
    link.board.send(b"\n" + b"0.12,9.81,36.5\r\n" * 20, after_s=0.5)
    with pytest.raises(LinkError, match="it prints lines of numbers; read it with --device 'text"):
        probe(link, 2.0)


def test_who_stops_waits_for_no_slow_board(terminal) -> None:
    _, path = terminal
    with pytest.raises(LinkError, match="stopped before the board said what it is"):
        connect(lambda: open_transport(f"text+pty:{path}"), stop=lambda: True)


def test_lines_of_a_board_that_lives_faster_are_stamped_by_its_speed(monkeypatch) -> None:
    monkeypatch.setattr(serial_port, "host_clock", {20.0: lambda: 5.0}.get)
    master, slave = os.openpty()
    transport = open_transport(f"text:{os.ttyname(slave)}?speed=20&rate=50")
    assert transport.now_utc() == 5.0
    transport.close()
    os.close(slave)
    os.close(master)
