from __future__ import annotations

import math
import struct
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_host.protocol import frame, messages
from firmware_host.protocol.encode import (
    encode_ack,
    encode_block,
    encode_command,
    encode_event,
    encode_hello,
    encode_ping,
    encode_pong,
    hello_payloads,
)
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

IMU = Channel(3, "acc", "m/s2", 50.0, 9.80665 / 4096, 0.0, "i16", 3)


def _hello(n: int) -> Hello:
    channels = tuple(Channel(i, f"channel-{i}", "uS", 4.0, 1e-6, -0.5, "i32", 1) for i in range(n))
    return Hello(7, "board-01", "signet 0.1.0", channels, ticks_us=99)


@pytest.mark.parametrize("n", [0, 1, 5, 6, 12, 32])
def test_hello_of_any_size_round_trips(n: int) -> None:
    hello = _hello(n)
    assert MessageParser().feed(encode_hello(hello, seq=65530, ticks_us=99)) == [hello]


def test_hello_with_a_lost_part_is_not_believed() -> None:
    frames = encode_hello(_hello(12), seq=0, ticks_us=99).split(b"\0")[:-1]
    assert len(frames) > 2
    parser = MessageParser()
    assert parser.feed(b"\0".join(frames[:1] + frames[2:]) + b"\0") == []
    assert parser.feed(b"\0".join(frames) + b"\0") == [_hello(12)]


def test_hello_of_another_version_is_a_mismatch() -> None:
    payload = bytes([9]) + b"whatever a future version says"
    code = frame.encode(frame.HELLO, 0, 1, 0, 0, 0, payload)
    assert MessageParser().feed(code) == [Mismatch(9)]


@given(st.binary(min_size=1, max_size=messages.BLOCK_DATA_BYTES), st.integers(0, 2**32 - 1))
def test_block_round_trips(data: bytes, idx: int) -> None:
    block = Block(7, 3, 65535, 2**32 - 1, 12, idx, data)
    assert MessageParser().feed(encode_block(block)) == [block]


def test_small_messages_round_trip() -> None:
    event = Event(7, 5, EventKind.BATTERY, -3, 8)
    pong, ack = Pong(7, 5, 2**32 - 1), Ack(7, 5, 3, AckResult.NOT_NOW, 17)
    command = Command(CommandKind.CUE, 2, 17)
    data = (
        encode_event(event)
        + encode_ping(Ping(5), seq=0)
        + encode_pong(pong, seq=1)
        + encode_command(command, seq=2)
        + encode_ack(ack, seq=3)
    )
    assert MessageParser().feed(data) == [event, Ping(5), pong, command, ack]


@given(st.sampled_from([1, 2, 3, 4, 5, 6, 7, 99]), st.binary(min_size=1, max_size=60))
def test_faulty_payload_with_right_crc_is_counted_not_raised(kind: int, payload: bytes) -> None:
    parser = MessageParser()
    got = parser.feed(frame.encode(kind, 0, 1, 0, 0, 0, payload))
    assert got or parser.bad_payloads + parser.unknown_kinds or kind == frame.HELLO


def test_unknown_kind_is_counted() -> None:
    parser = MessageParser()
    assert parser.feed(frame.encode(200, 0, 1, 0, 0, 0, b"x")) == []
    assert parser.unknown_kinds == 1


def test_what_only_a_host_sends_is_left_out_of_what_a_board_sends() -> None:
    parser = MessageParser(board_only=True)
    pong = Pong(7, 5, 1)
    command = encode_command(Command(CommandKind.STOP), seq=2)
    data = encode_ping(Ping(1), seq=0) + encode_pong(pong, seq=1) + command
    assert parser.feed(data) == [pong]
    assert (parser.host_frames, parser.unknown_kinds, parser.bad_payloads) == (2, 0, 0)


def test_too_long_name_is_refused() -> None:
    with pytest.raises(ValueError, match="at most 32 bytes"):
        hello_payloads(Hello(1, "x" * 33, "", ()))


def test_channel_knows_its_sizes() -> None:
    assert IMU.sample_bytes == 6
    assert IMU.max_block_samples == 38


@pytest.mark.parametrize("change", [{"stream": 0}, {"name": "channel-0"}])
def test_hello_of_two_channels_that_cannot_be_told_apart_is_faulty(change: dict) -> None:
    hello = _hello(2)
    twins = replace(hello, channels=(hello.channels[0], replace(hello.channels[1], **change)))
    with pytest.raises(ValueError, match="must differ"):
        encode_hello(twins, seq=0, ticks_us=0)
    # A board of another maker may send what ours refuses to write.
    whole = bytearray(hello_payloads(hello)[0])
    at = whole.index(b"\x09channel-1") - 1
    first = whole.index(b"\x09channel-0") - 1
    n = 1 if "stream" in change else 10
    skip = 0 if "stream" in change else 1
    whole[at + skip : at + skip + n] = whole[first + skip : first + skip + n]
    parser = MessageParser()
    assert parser.feed(frame.encode(frame.HELLO, 0, 7, 0, 0, 0, bytes(whole))) == []
    assert parser.bad_payloads == 1


_SOUND = Channel(0, "eda", "uS", 4.0, 1e-6, 0.0, "i32", 1)


def _said(board_id: bytes = b"b", **numbers: float) -> bytes:
    """A HELLO of one channel as any sender may write it."""
    said = {"rate_hz": 4.0, "scale": 1e-6, "offset": 0.0, **numbers}
    layout = struct.pack("<fddBB", said["rate_hz"], said["scale"], said["offset"], 5, 1)
    payload = b"\1\0\1" + bytes([len(board_id)]) + board_id + b"\1f\1" + b"\0\3eda\2uS" + layout
    return frame.encode(frame.HELLO, 0, 7, 0, 0, 0, payload)


@pytest.mark.parametrize(
    "numbers",
    [
        {"scale": math.nan},
        {"scale": math.inf},
        {"scale": 0.0},
        {"scale": -1e300},
        {"offset": math.nan},
        {"offset": -math.inf},
        {"rate_hz": math.nan},
        {"rate_hz": 0.0},
        {"rate_hz": 1e-40},
        {"rate_hz": 0.0009},
        {"rate_hz": 1.1e6},
    ],
)
def test_channel_with_a_number_out_of_bounds_is_neither_believed_nor_said(numbers) -> None:
    parser = MessageParser()
    assert parser.feed(_said(**numbers)) == []
    assert parser.bad_payloads == 1
    assert parser.feed(_said())[0].channels == (_SOUND,)
    with pytest.raises(ValueError, match="eda"):
        encode_hello(Hello(7, "b", "f", (replace(_SOUND, **numbers),)), seq=0, ticks_us=0)


@pytest.mark.parametrize("rate_hz", [0.001, 1e6])
def test_bounds_of_a_rate_can_be_said(rate_hz: float) -> None:
    hello = Hello(7, "b", "f", (replace(_SOUND, rate_hz=rate_hz),))
    (heard,) = MessageParser().feed(encode_hello(hello, seq=0, ticks_us=0))
    assert heard.channels[0].rate_hz == pytest.approx(rate_hz)


@pytest.mark.parametrize(
    "text", ["a\x1b[31m", "a\nb", "a\0", "a\x7f", "a\x9b", "\u202eab", "\u2028"]
)
def test_text_that_a_terminal_obeys_is_neither_believed_nor_said(text: str) -> None:
    parser = MessageParser()
    assert parser.feed(_said(board_id=text.encode())) == []
    assert parser.bad_payloads == 1
    with pytest.raises(ValueError, match="printable"):
        encode_hello(Hello(7, text, "f", ()), seq=0, ticks_us=0)
    (heard,) = parser.feed(_said(board_id="é µ/² 度".encode()))
    assert heard.board_id == "é µ/² 度"
