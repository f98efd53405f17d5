"""What was added to the wire after version 1 was out: older ends read on as they did."""

from __future__ import annotations

import struct
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_host.protocol import frame
from firmware_host.protocol.encode import (
    encode_ack,
    encode_command,
    encode_hello,
    encode_log,
    encode_status,
    hello_payloads,
)
from firmware_host.protocol.messages import (
    Ack,
    AckResult,
    BootCause,
    Channel,
    Command,
    CommandKind,
    Hello,
    Log,
    Part,
    PartState,
    Status,
)
from firmware_host.protocol.parser import MessageParser

_U32 = st.integers(0, 2**32 - 1)


def _hello(n: int, ring_bytes: int) -> Hello:
    channels = tuple(Channel(i, f"channel-{i}", "uS", 4.0, 1e-6, -0.5, "i32", 1) for i in range(n))
    return Hello(7, "board-01", "signet 0.1.0", channels, ring_bytes=ring_bytes)


def _read_as_version_1_was(payload: bytes) -> list[tuple[object, ...]]:
    """Channels of a HELLO part, read by the table that had no ring yet."""

    def text() -> str:
        nonlocal at
        n = payload[at]
        at += 1 + n
        return payload[at - n : at].decode()

    at = 3
    text()
    text()
    n_channels = payload[at]
    at += 1
    out: list[tuple[object, ...]] = []
    for _ in range(n_channels):
        stream = payload[at]
        at += 1
        head = (stream, text(), text())
        out.append(head + struct.unpack_from("<fddBB", payload, at))
        at += struct.calcsize("<fddBB")
    return out


@pytest.mark.parametrize("n", [0, 1, 5, 6, 32])
@pytest.mark.parametrize("ring_bytes", [1, 65_536, 2**32 - 1])
def test_ring_is_told_in_every_part_and_older_hosts_read_the_channels(
    n: int, ring_bytes: int
) -> None:
    hello = _hello(n, ring_bytes)
    assert MessageParser().feed(encode_hello(hello, seq=0, ticks_us=0)) == [hello]
    seen = [row for part in hello_payloads(hello) for row in _read_as_version_1_was(part)]
    assert [row[:3] for row in seen] == [(c.stream, c.name, c.unit) for c in hello.channels]


def test_board_without_a_ring_says_what_it_said_before() -> None:
    (payload,) = hello_payloads(_hello(2, 0))
    (with_ring,) = hello_payloads(_hello(2, 9))
    assert with_ring == payload + struct.pack("<I", 9)


def test_commands_of_old_are_the_same_bytes() -> None:
    for kind in (CommandKind.START, CommandKind.STOP, CommandKind.CUE):
        code = encode_command(Command(kind, -2, 77, stream=9, sample_idx=5), seq=3)
        assert code == frame.encode(frame.CMD, 0, 0, 3, 0, 0, struct.pack("<BiI", kind, -2, 77))


@given(st.integers(-(2**31), 2**31 - 1), _U32, st.integers(0, 255), _U32)
def test_rate_and_backfill_round_trip(value: int, token: int, stream: int, idx: int) -> None:
    rate = Command(CommandKind.RATE, value, token, stream)
    backfill = Command(CommandKind.BACKFILL, value, token, stream, idx)
    for command in (rate, backfill):
        assert MessageParser().feed(encode_command(command, seq=0)) == [command]


@given(st.binary(max_size=100))
def test_what_follows_a_command_or_its_answer_is_passed_over(rest: bytes) -> None:
    """The other side may be newer."""
    command = struct.pack("<BiI", CommandKind.CUE, 2, 5) + rest
    answer = struct.pack("<BBI", CommandKind.CUE, 3, 5) + rest
    parser = MessageParser()
    got = parser.feed(frame.encode(frame.CMD, 0, 0, 0, 0, 0, command))
    got += parser.feed(frame.encode(frame.ACK, 0, 7, 0, 99, 0, answer))
    assert got == [Command(CommandKind.CUE, 2, 5), Ack(7, 99, 3, AckResult.NOT_NOW, 5)]


def test_command_nobody_knows_still_has_a_token_to_answer_to() -> None:
    payload = struct.pack("<BiI", 200, 1, 42) + b"whatever it needs"
    (command,) = MessageParser().feed(frame.encode(frame.CMD, 0, 0, 0, 0, 0, payload))
    assert command == Command(200, 1, 42)


@pytest.mark.parametrize("kind", [CommandKind.RATE, CommandKind.BACKFILL])
def test_command_without_its_arguments_is_a_bad_payload(kind: CommandKind) -> None:
    parser = MessageParser()
    payload = struct.pack("<BiI", kind, 1, 42)
    assert parser.feed(frame.encode(frame.CMD, 0, 0, 0, 0, 0, payload)) == []
    assert parser.bad_payloads == 1


@given(st.integers(0, 255), _U32, _U32, st.integers(0, 65_535))
def test_answer_to_backfill_round_trips(stream: int, idx: int, gone: int, frames: int) -> None:
    ack = Ack(7, 5, CommandKind.BACKFILL, AckResult.DONE, 17, stream, idx, gone, frames)
    assert MessageParser().feed(encode_ack(ack, seq=0)) == [ack]


def test_answer_of_a_board_that_knows_no_backfill() -> None:
    payload = struct.pack("<BBI", CommandKind.BACKFILL, AckResult.UNKNOWN, 17)
    (ack,) = MessageParser().feed(frame.encode(frame.ACK, 0, 7, 0, 5, 0, payload))
    assert ack == Ack(7, 5, CommandKind.BACKFILL, AckResult.UNKNOWN, 17)


_STATUS = Status(
    session=7,
    ticks_us=5,
    uptime_s=61,
    cause=BootCause.WATCHDOG,
    free_bytes=90_000,
    n_late=0,
    parts=(Part("lsm6ds3"), Part("tmp117", PartState.ABSENT), Part("max30102", PartState.FAILS, 9)),
)


def test_status_and_log_round_trip() -> None:
    log = Log(7, 5, 30, "tmp117: nobody at 0x48 – ok")
    data = encode_status(_STATUS, seq=3) + encode_log(log, seq=4)
    assert MessageParser().feed(data) == [_STATUS, log]


def test_status_with_more_parts_than_fit_tells_the_first() -> None:
    parts = tuple(Part(f"a-rather-long-name-{i:02}") for i in range(30))
    (got,) = MessageParser().feed(encode_status(replace(_STATUS, parts=parts), seq=0))
    assert isinstance(got, Status)
    assert 5 < len(got.parts) < 30
    assert got.parts == parts[: len(got.parts)]


def test_counter_and_cause_of_a_newer_board_are_passed_over() -> None:
    payload = struct.pack("<IB", 9, 77) + bytes([2]) + struct.pack("<BIBI", 200, 1, 1, 5) + b"\0"
    (got,) = MessageParser().feed(frame.encode(frame.STATUS, 0, 7, 0, 0, 0, payload + b"more"))
    assert got == Status(7, 0, 9, free_bytes=5)


def test_status_cut_short_is_a_bad_payload() -> None:
    whole = encode_status(_STATUS, seq=0)
    payload = frame.decode(whole[:-1])[6]
    for n in range(1, len(payload)):
        parser = MessageParser()
        assert parser.feed(frame.encode(frame.STATUS, 0, 7, 0, 0, 0, payload[:n])) == []
        assert parser.bad_payloads == 1


def test_log_that_is_too_long_is_cut_between_characters() -> None:
    (got,) = MessageParser().feed(encode_log(Log(7, 5, 40, "ä" * 200), seq=0))
    assert got == Log(7, 5, 40, "ä" * 116)


def test_setting_round_trips_both_ways_in_a_short_frame() -> None:
    order = Command(CommandKind.SETTING, 1, 5, key="rate.acc", text="12.5")
    ack = Ack(7, 5, CommandKind.SETTING, AckResult.DONE, 5, key="rate.acc", text="12.5")
    data = encode_command(order, seq=0) + encode_ack(ack, seq=0)
    assert MessageParser().feed(data) == [order, ack]
    longest = Command(CommandKind.SETTING, 1, 5, key="k" * 32, text="v" * 32)
    assert len(encode_command(longest, seq=0)) <= 96


@given(st.binary(max_size=236))
def test_stuffing_in_place_is_the_same_code(body: bytes) -> None:
    buffer = bytearray(b"\xaa" + body + b"\xbb")
    frame.stuff(buffer)
    assert bytes(buffer) == frame.cobs_encode(body) + b"\0"
