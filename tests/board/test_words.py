"""What the board says of itself is fit for a terminal, whatever it was told."""

from __future__ import annotations

import struct

import pytest

from firmware_host.protocol import frame
from firmware_host.protocol.encode import encode_command
from firmware_host.protocol.messages import (
    Ack,
    AckResult,
    Command,
    CommandKind,
    Hello,
    Log,
    Reset,
    SettingOrder,
    Status,
)

needs_node = pytest.mark.needs_node


def _raw_setting(key: bytes, value: bytes, token: int) -> bytes:
    """As a host would say it that does not mind what it says."""
    said = bytes([len(key)]) + key + bytes([len(value)]) + value
    payload = struct.pack("<BiI", CommandKind.SETTING, SettingOrder.KEEP, token) + said
    return frame.encode(frame.CMD, 0, 0, token, 0, 0, payload)


@needs_node
def test_an_id_that_no_host_could_read_is_refused(live) -> None:
    strange = [b"\x1b[2J", b"two\nlines", "left\u202ewrist".encode(), "é".encode(), b"\x7f", b""]
    say = [(1.0 + i / 10, _raw_setting(b"id", each, i)) for i, each in enumerate(strange)]
    say += [(2.0, _raw_setting(b"i\x07", b"x", 90)), (2.1, _raw_setting(b"id", b"left wrist", 91))]
    reset = Command(CommandKind.RESET, Reset.ANEW, 92)
    heard = live(4.0, say=[*say, (2.5, encode_command(reset, seq=0))])
    results = {ack.token: (ack.result, ack.text) for ack in heard.of(Ack)}
    assert {results[i] for i in range(len(strange))} == {(AckResult.BAD_VALUE, "")}
    assert results[90] == (AckResult.BAD_VALUE, "")
    assert results[91] == (AckResult.DONE, "left wrist")
    assert heard.of(Hello)[-1].board_id == "left wrist"


@needs_node
def test_a_name_from_board_json_is_made_fit_to_be_said(live) -> None:
    heard = live(2.0, config={"sensors": ["tmp117", "w\u00e4rm\x1b|" + 30 * "x"]})
    (part,) = (each for each in heard.of(Status)[0].parts if each.name.startswith("w"))
    assert part.name == "w?rm |" + 26 * "x"
    assert all(log.text.isprintable() for log in heard.of(Log))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("as it is, 100 %~", "as it is, 100 %~"),
        ("a\nb\tc\x1b[2J\x7f", "a b c [2J?"),
        ("20 \u00b0C \u202e", "20 ?C ?"),
        (5, "5"),
    ],
)
def test_plain_text(on_board, text, said) -> None:
    assert on_board("settings").plain(text) == said
