"""The app and the simulated board answer the same to the same orders."""

from __future__ import annotations

import pytest

from firmware_host.protocol.encode import encode_command
from firmware_host.protocol.messages import Ack, Command, CommandKind, Hello, Reset, SettingOrder
from firmware_host.protocol.parser import MessageParser
from sim.board import VirtualBoard
from sim.sensors import CHANNELS

pytestmark = pytest.mark.needs_node

KEEP, TELL, FORGET = SettingOrder.KEEP, SettingOrder.TELL, SettingOrder.FORGET
NATIVE_HZ = {channel.name: channel.rate_hz for channel in CHANNELS}


def _setting(order: int, key: str, text: str = "") -> Command:
    return Command(CommandKind.SETTING, order, key=key, text=text)


ORDERS = [
    *(_setting(KEEP, "id", text) for text in ("left wrist", "\u00e9", "", "x" * 32)),
    *(
        _setting(KEEP, "ring", text)
        for text in ("8", "8.0", "1.5", "-1", "8193", "nan", "inf", "1e3")
    ),
    *(_setting(KEEP, "wear", text) for text in ("30000", "262144", "-1", "0.5", "some")),
    *(_setting(KEEP, "rate.acc", text) for text in ("25", "0.05", "200.5", "fast", "")),
    *(_setting(KEEP, key, "5") for key in ("rate.", "rate.warp", "rat", "colour", "")),
    *(_setting(TELL, key) for key in ("id", "ring", "rate.acc", "rate.eda", "colour")),
    *(_setting(FORGET, key) for key in ("ring", "rate.eda", "colour")),
    *(_setting(order, "id") for order in (3, 255, -1)),
    _setting(KEEP, "rate.bvp", "64"),
    Command(CommandKind.CUE, 9),
    Command(CommandKind.RATE, 900_000, stream=0),
    Command(CommandKind.RATE, 25_000, stream=9),
    Command(CommandKind.BACKFILL, 0, stream=0),
    Command(200, 1),
    Command(CommandKind.RESET, 0),
    Command(CommandKind.RESET, 9),
    Command(CommandKind.RESET, Reset.SAFE),
    *(Command(kind, 1, stream=0) for kind in (1, 2, 3, 4, 5)),
    _setting(TELL, "id"),
    Command(CommandKind.RESET, Reset.ANEW),
]


def test_answers_are_the_same(live, wearer) -> None:
    said = [
        encode_command(Command(c.kind, c.value, i, c.stream, c.sample_idx, c.key, c.text), seq=i)
        for i, c in enumerate(ORDERS)
    ]
    # Each order has time enough for a boot.
    told = live(
        3.0 + len(said),
        say=[(2.0 + i, data) for i, data in enumerate(said)],
        config={"rates": NATIVE_HZ},
    )
    board, parser = VirtualBoard(wearer(), seed=7), MessageParser()
    other = parser.feed(board.advance(2.0))
    for i, data in enumerate(said):
        board.receive(data)
        other += parser.feed(board.advance(3.0 + i))
    acks = [[m for m in messages if isinstance(m, Ack)] for messages in (told, other)]
    assert [a.token for a in acks[0]] == list(range(len(ORDERS)))
    for order, one, two in zip(ORDERS, *acks, strict=True):
        assert (one.token, one.result, one.key, one.text) == (
            two.token,
            two.result,
            two.key,
            two.text,
        ), order
    last = [[m for m in messages if isinstance(m, Hello)][-1] for messages in (told, other)]
    for hello in last:
        assert (hello.board_id, hello.ring_bytes) == ("x" * 32, 65_536)
        assert {c.name: c.rate_hz for c in hello.channels} == {**NATIVE_HZ, "acc": 25}
