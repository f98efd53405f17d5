"""Targets of the wire: the decoder, the messages behind a right CRC, and what is made of them."""

from __future__ import annotations

import struct
from dataclasses import replace

from firmware_host.protocol import frame, messages
from firmware_host.protocol.encode import (
    encode_ack,
    encode_block,
    encode_command,
    encode_event,
    encode_hello,
    encode_ping,
    encode_pong,
)
from firmware_host.protocol.messages import (
    Ack,
    AckResult,
    Command,
    CommandKind,
    Event,
    EventKind,
    Ping,
    Pong,
)
from firmware_host.protocol.parser import MessageParser
from firmware_host.transport.text_layout import Column, Wishes
from firmware_host.transport.text_receiver import TextReceiver
from tests.fuzz.accounts import Accounts
from tests.fuzz.targets import Target, nothing_but_ours
from tests.unit.stream.streams import ACC, BVP, EDA, HELLO, UTC0, block

_U16 = 1 << 16


def _session() -> bytes:
    """What a board and its host say to each other in the first moments."""
    return b"".join(
        [
            encode_hello(HELLO, seq=0, ticks_us=0),
            *(encode_block(block(c, k)) for k in range(2) for c in (BVP, EDA, ACC)),
            encode_event(Event(7, 1_000_000, EventKind.WEAR, 1)),
            encode_ping(Ping(5), seq=0),
            encode_pong(Pong(7, 1_100_000, 5), seq=0),
            encode_command(Command(CommandKind.CUE, 2, 9), seq=1),
            encode_ack(Ack(7, 1_200_000, 3, AckResult.DONE, 9), seq=0),
        ]
    )


def run_decoder(data: bytes) -> bool:
    """Raw bytes: frames are the same however they are cut, and every byte is accounted for."""
    whole = frame.FrameDecoder()
    expected = whole.feed(data)
    split = frame.FrameDecoder()
    step = 7 + (data[0] if data else 0)
    got = [f for at in range(0, len(data), step) for f in split.feed(data[at : at + step])]
    # An oversize run is given up at once in one feed and at its end in another; frames never differ.
    assert got == expected
    n_codes = sum(len(frame.encode(*f)) for f in expected)
    n_zeros = data.count(0) - len(expected)
    assert n_codes + n_zeros + whole.skipped_bytes + len(whole._tail) == len(data)
    assert len(whole._tail) <= frame.MAX_BODY_BYTES + 1
    return True


def run_messages(data: bytes) -> bool:
    """Payloads behind a right CRC, cut by length bytes: any of them is a message or is counted."""
    parser, n_frames, n_out, at = MessageParser(), 0, 0, 0
    while at + 2 <= len(data) and n_frames < 16:
        kind, size = data[at] % 16, 1 + data[at + 1] % frame.MAX_PAYLOAD_BYTES
        stream, payload = data[at + 1] % 40, data[at + 2 : at + 2 + size] or b"\0"
        at += 2 + size
        out = parser.feed(frame.encode(kind, stream, 7, n_frames, 0, 0, payload))
        for message in out:
            _encode_again(message)
        n_out += len(out)
        n_frames += 1
    assert parser.decoder.frames == n_frames
    assert n_out + parser.bad_payloads + parser.unknown_kinds <= n_frames
    return n_out > 0


def _encode_again(message: messages.Message) -> None:
    """What was heard can be said: a relay or a recording must be able to pass it on."""
    if isinstance(message, messages.Hello):
        code = encode_hello(message, seq=0, ticks_us=message.ticks_us)
        (heard,) = MessageParser().feed(code)
        assert all(text.isprintable() for text in (message.board_id, message.firmware))
        assert repr(heard) == repr(message)
        return
    again = {
        messages.Block: encode_block,
        Event: encode_event,
        Ping: lambda m: encode_ping(m, seq=0),
        Pong: lambda m: encode_pong(m, seq=0),
        Command: lambda m: encode_command(m, seq=0),
        Ack: lambda m: encode_ack(m, seq=0),
    }.get(type(message))
    if again is not None:
        assert MessageParser().feed(again(message)) == [message]


# Opcode, its argument, and a time step in milliseconds.
_OP = struct.Struct("<BHH")


def run_assembler(data: bytes) -> bool:
    """Messages in an order that no board would choose; the accounts always balance."""
    accounts = Accounts()
    accounts.feed(HELLO, UTC0)
    utc = UTC0
    whole = len(data) - len(data) % _OP.size
    for k, (code, value, step_ms) in enumerate(_OP.iter_unpack(data[:whole])):
        utc += step_ms / 1e3
        accounts.feed(_message(code, value, k), utc)
    accounts.end()
    return True


def _message(code: int, value: int, k: int) -> messages.Message:
    op, rest = code % 16, code // 16
    if op < 8:
        made = block(
            (BVP, EDA, ACC)[op % 3], value % 997 if op > 5 else k, n_samples=1 + (rest & 7)
        )
        changes = {
            3: {"seq": value},
            4: {"sample_idx": value << (rest & 16)},
            5: {"ticks_us": (value << 16) | k},
            6: {"data": made.data[:-1] or b"x"},
            7: {"dropped": value, "session": 7 + (rest & 1)},
        }
        return made._replace(**changes.get(op, {}))
    others = {
        8: replace(HELLO, ticks_us=value << 10),
        9: replace(HELLO, session=value % 3, ticks_us=value),
        10: Event(7, value << 12, EventKind(1 + value % 3), value - _U16 // 2),
        11: Ping(value % 20),
        12: Pong(7, value << 10, value % 20),
        13: Ack(7, value << 10, 1, AckResult.DONE, value),
        14: replace(HELLO, channels=HELLO.channels[: value % 4]),
    }
    return others.get(op, messages.Mismatch(value % 256))


def _ops() -> dict[str, bytes]:
    plain = b"".join(_OP.pack(i % 3, i, 250) for i in range(60))
    wild = b"".join(_OP.pack(i * 37 % 256, i * 7919 % 65536, i * 31 % 5000) for i in range(60))
    return {"plain": plain, "wild": wild}


def _payloads() -> dict[str, bytes]:
    whole = MessageParser()
    raw = whole.decoder.feed(_session())
    return {f"kind-{f[0]}": bytes([f[0], (len(f[6]) - 1) % 256]) + f[6] for f in reversed(raw)}


# Two lines come together, ten times a second.
_LINES_S, _LINES = 0.1, 2
_COLUMNS = ((), (Column("t_ms"), Column("acc.x", "m/s2"), Column("eda", "uS")))


def run_text(data: bytes) -> bool:
    """Printed lines: the same frames however they are cut, and accounts that balance."""
    columns, text = _COLUMNS[data[0] % 2] if data else (), data[1:]
    whole, cut = (TextReceiver("text-board", Wishes(columns)) for _ in range(2))
    parser, accounts = MessageParser(), Accounts()
    lines = text.splitlines(keepends=True)
    with nothing_but_ours():
        for k in range(0, len(lines), _LINES):
            piece, utc = b"".join(lines[k : k + _LINES]), UTC0 + k / _LINES * _LINES_S
            chunks = whole.feed(piece, utc)
            parts = cut.feed(piece[:7], utc) + cut.feed(piece[7:], utc)
            assert chunks == parts
            for chunk in chunks:
                for message in parser.feed(chunk.data):
                    accounts.feed(message, chunk.arrival_utc)
        accounts.end()
        assert not parser.decoder.skipped_bytes
        return bool(parser.decoder.frames)
    return False


def _printed() -> dict[str, bytes]:
    plain = "".join(f"{k / 7:.3f}, {-k}\r\n" for k in range(90))
    timed = "".join(f"{k * 50},{k % 5}.25,0.{k % 9}\n" for k in range(90))
    pairs = "eda:0.5\tacc:1\n" * 90
    return {
        "plain": b"\0" + plain.encode(),
        "timed": b"\1t_ms,acc.x,eda\n" + timed.encode(),
        "pairs": b"\0boot\n" + pairs.encode(),
    }


_TEXT_WORDS = (
    b"\r\n", b"t_ms", b"t_us,", b"acc_x[m/s2]", b"1e15", b"-1e-9", b"4294967295", b"nan", b"ovf", b"\xff",
    b"a:1 b:2", b";", b"\t", b"99999999999999",
)  # fmt: skip

TARGETS = (
    Target("decoder", run_decoder, lambda: {"session": _session()}, (b"\0",), 1500, runs=5000),
    Target("messages", run_messages, _payloads, (b"\1\3bvp", b"\2uS"), runs=4000),
    Target("text", run_text, _printed, _TEXT_WORDS, 2500, runs=80),
    Target("assembler", run_assembler, _ops, max_bytes=1000, runs=400),
)
