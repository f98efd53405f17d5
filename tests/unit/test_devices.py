"""The first question to a board, and what is said of those that cannot answer it."""

from __future__ import annotations

import pytest

from firmware_host.devices import probe
from firmware_host.errors import LinkClosed, LinkError, ProtocolMismatch
from firmware_host.protocol import frame
from firmware_host.protocol.encode import encode_block, encode_hello
from firmware_host.protocol.messages import (
    Ack,
    AckResult,
    Block,
    Channel,
    Command,
    CommandKind,
    Event,
    EventKind,
    Hello,
    Mismatch,
    Ping,
    Pong,
)
from firmware_host.protocol.parser import MessageParser
from firmware_host.recording.frames import MessageEncoder, pieces
from firmware_host.transport.registry import open_transport

CHANNELS = tuple(
    Channel(i, name, "au", 64.0, 0.5, 0.0, "i16", 3) for i, name in enumerate("abcdefghij")
)
HELLO = Hello(7, "board-1", "signet 0.1", CHANNELS)
BLOCK = Block(7, 0, 3, 1000, 0, 12, b"\x00\x01" * 9)


@pytest.fixture
def link():
    return open_transport("loop:")


def test_probe_asks_and_returns_the_hello(link) -> None:
    link.board.send(encode_block(BLOCK), after_s=0.1)
    link.board.send(encode_hello(HELLO, seq=0, ticks_us=5), after_s=0.3)
    hello = probe(link)
    assert hello.channels == CHANNELS
    assert hello.ticks_us == 5
    assert MessageParser().feed(link.board.received()) == [Command(CommandKind.START)]


def test_probe_says_start_again_while_the_board_boots(link) -> None:
    link.board.send(b"ESP-ROM:esp32s3\r\nboot:0x8\r\n", after_s=0.2)
    # The zero in front is the app's: without it the boot text would eat the first frame.
    link.board.send(b"\0" + encode_hello(HELLO, seq=0, ticks_us=0), after_s=2.5)
    assert probe(link).board_id == "board-1"
    assert MessageParser().feed(link.board.received()) == [Command(CommandKind.START)] * 3


def test_probe_finds_a_hello_in_short_reads(link) -> None:
    link.board.misbehaviour.short_read_bytes = 5
    link.board.send(encode_hello(HELLO, seq=0, ticks_us=0))
    assert probe(link).channels == CHANNELS


def test_probe_of_another_version_is_a_mismatch(link) -> None:
    payload = bytes([frame.VERSION + 1]) + b"whatever comes then"
    link.board.send(frame.encode(frame.HELLO, 0, 1, 0, 0, 0, payload))
    with pytest.raises(ProtocolMismatch, match="update the host") as caught:
        probe(link)
    assert (caught.value.ours, caught.value.theirs) == (frame.VERSION, frame.VERSION + 1)


@pytest.mark.parametrize(
    ("sent", "words"),
    [
        (b"", "not a Signet board: it says nothing for 2 s"),
        (b"it is 36.5 now\r\n" * 20, r"not a Signet board: it prints text \(20 lines\)"),
        (b"0.12,9.81,36.5\r\n" * 20, r"it prints lines of numbers; read it with --device 'text"),
        (b"\r\nMicroPython v1.27\r\n>>> ", "not a Signet board: a MicroPython prompt answers"),
        (bytes(range(1, 200)) * 3, "not a Signet board: 597 bytes and no valid frame.*baud"),
        (encode_block(BLOCK) * 4, r"sends frames \(4\) but no HELLO"),
    ],
)
def test_probe_says_what_came_instead(link, sent: bytes, words: str) -> None:
    start_utc = link.now_utc()
    link.board.send(sent, after_s=0.5)
    with pytest.raises(LinkError, match=words) as caught:
        probe(link, 2.0)
    assert link.now_utc() - start_utc == pytest.approx(2.0)
    assert "36.5" not in str(caught.value)


def test_probe_of_a_board_that_goes_away_is_link_closed(link) -> None:
    link.board.send(b"bye", after_s=0.5)
    link.board.unplug()
    with pytest.raises(LinkClosed):
        probe(link)


def test_every_message_of_a_board_survives_encoding() -> None:
    messages = [
        HELLO,
        BLOCK,
        Event(7, 9, EventKind.BUTTON, -3, 4),
        Pong(7, 11, 99),
        Ack(7, 12, CommandKind.CUE, AckResult.BAD_VALUE, 5),
    ]
    encode = MessageEncoder()
    assert MessageParser().feed(b"".join(map(encode, messages))) == messages


def test_repeated_hellos_get_running_sequence_numbers() -> None:
    encode = MessageEncoder()
    frames = frame.FrameDecoder().feed(encode(HELLO) + encode(HELLO))
    assert len(frames) > 2
    assert [f[3] for f in frames] == list(range(len(frames)))


def test_what_the_host_said_is_no_part_of_the_boards_stream() -> None:
    said = [(0.0, Ping(1)), (0.1, Command(CommandKind.CUE)), (0.2, Mismatch(9))]
    assert list(pieces(said)) == []
    assert [MessageParser().feed(data) for _, data in pieces(said, questions=True)] == [[Ping(1)]]


def test_what_arrived_together_is_one_piece() -> None:
    assert [utc for utc, _ in pieces([(t, BLOCK) for t in (0.0, 0.7, 0.75, 0.75, 9.0)])] == [
        0.0, 0.7, 0.75, 9.0,
    ]  # fmt: skip
