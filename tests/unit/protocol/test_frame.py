from __future__ import annotations

import json
from binascii import crc32
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_host.protocol import frame

GOLDEN = json.loads((Path(__file__).parents[2] / "golden" / "frames.json").read_text())
PAYLOADS = st.binary(min_size=1, max_size=frame.MAX_PAYLOAD_BYTES)


def _frame(payload: bytes, seq: int = 3) -> bytes:
    return frame.encode(frame.BLOCK, 1, 0xBEEF, seq, 123456, 0, payload)


@pytest.mark.parametrize("case", GOLDEN)
def test_encode_matches_golden_bytes(case: list) -> None:
    *fields, payload, code = case
    assert frame.encode(*fields, bytes.fromhex(payload)).hex() == code


@pytest.mark.parametrize("case", GOLDEN)
def test_decode_matches_golden_fields(case: list) -> None:
    *fields, payload, code = case
    assert frame.FrameDecoder().feed(bytes.fromhex(code)) == [(*fields, bytes.fromhex(payload))]


def test_golden_crc_is_the_standard_one() -> None:
    assert crc32(b"123456789") == 0xCBF43926  # check value of CRC-32/ISO-HDLC


@given(st.lists(PAYLOADS, max_size=6), st.data())
def test_any_split_gives_the_same_frames(payloads: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(_frame(p, i) for i, p in enumerate(payloads))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    decoder, got = frame.FrameDecoder(), []
    for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        got += decoder.feed(stream[a:b])
    assert [f[6] for f in got] == payloads
    assert decoder.bad_frames == decoder.oversize == decoder.skipped_bytes == 0


@given(PAYLOADS, st.data())
def test_any_single_corrupt_byte_never_gives_another_frame(
    payload: bytes, data: st.DataObject
) -> None:
    good = _frame(payload)
    at = data.draw(st.integers(0, len(good) - 1))
    flip = data.draw(st.integers(1, 255))
    bad = good[:at] + bytes([good[at] ^ flip]) + good[at + 1 :]
    decoder = frame.FrameDecoder()
    got = decoder.feed(bad + b"\0" + good)
    assert got == frame.FrameDecoder().feed(good)
    assert decoder.bad_frames + decoder.oversize >= 1


@given(st.binary(max_size=2000))
def test_garbage_never_raises_and_is_counted(noise: bytes) -> None:
    decoder = frame.FrameDecoder()
    good = _frame(b"after the noise")
    got = decoder.feed(noise + b"\0" + good)
    assert [f[6] for f in got][-1:] == [b"after the noise"]


def test_endless_run_without_zero_costs_no_memory() -> None:
    decoder = frame.FrameDecoder()
    for _ in range(1000):
        assert decoder.feed(b"\x55" * 1000) == []
    assert decoder.oversize == 1
    assert decoder.skipped_bytes >= 999_000
    assert len(decoder._tail) <= 1000
    assert len(decoder.feed(b"\x55\0" + _frame(b"x"))) == 1


@pytest.mark.parametrize("n", [0, frame.MAX_PAYLOAD_BYTES + 1])
def test_payload_of_wrong_size_is_refused(n: int) -> None:
    with pytest.raises(ValueError, match="payload must have 1 to 234 bytes"):
        _frame(bytes(n))


def test_cobs_costs_exactly_one_byte() -> None:
    for payload in (bytes(234), b"\xff" * 234):
        assert len(_frame(payload)) == frame.MAX_BODY_BYTES + 2  # code byte and closing zero
