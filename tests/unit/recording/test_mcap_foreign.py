"""MCAP files that somebody else made under our names: what no board could have said is refused or left out."""

from __future__ import annotations

import json
import struct
import tracemalloc
import zlib
from pathlib import Path
from typing import Any

import lz4.frame
import pytest
import zstandard

from firmware_host.errors import RecordingError
from firmware_host.protocol.messages import BLOCK_DATA_BYTES, Block, Channel, Hello
from firmware_host.recording import mcap_writer
from firmware_host.recording.mcap_file import McapReader, McapWriter

HEADER = {"session": 7, "stream": 0, "seq": 1, "ticks_us": 5, "dropped": 0, "sample_idx": 0}
CHANNEL = {
    "stream": 0,
    "name": "acc",
    "unit": "m/s2",
    "rate_hz": 25.0,
    "scale": 1.0,
    "offset": 0.0,
    "dtype": "i16",
    "axes": 1,
}
HELLO = {"session": 7, "board_id": "b", "firmware": "f", "channels": [CHANNEL]}
LABEL = {"t_start_utc": 1.0, "t_end_utc": 2.0, "label": "stress", "source": "button"}
_RECORD = struct.Struct("<BQ")


def _make(path: Path, name: str, fields: object, metadata: dict[str, str] | None = None) -> None:
    from mcap.writer import Writer

    with path.open("wb") as file:
        writer = Writer(file)
        writer.start()
        for k, (schema, said) in enumerate((("signet.Hello", HELLO), (name, fields))):
            number = writer.register_schema(schema, "jsonschema", b"{}")
            topic = writer.register_channel(f"/{k}", "json", number, metadata or {})
            writer.add_message(topic, 10**18 + k, json.dumps(said).encode(), 10**18)
        writer.finish()


def _hello(**changes: object) -> dict[str, Any]:
    return {**HELLO, "channels": [{**CHANNEL, **changes}]}


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("signet.RawBlock", {**HEADER, "data": "AAAA" * 100}),
        ("signet.RawBlock", {**HEADER, "data": ""}),
        ("signet.Ping", {"token": -5}),
        ("signet.Pong", {"session": -1, "ticks_us": 5, "token": 1}),
        ("signet.Pong", {"session": 1, "ticks_us": 1 << 32, "token": 1}),
        ("signet.Event", {"session": 7, "ticks_us": 5, "kind": 1, "value": 4_000_000_000}),
        ("signet.Event", {"session": 7, "ticks_us": 5, "kind": 1, "value": 0, "seq": 1 << 16}),
        ("signet.Ack", {"session": 7, "ticks_us": 5, "command": -1, "result": 0, "token": 4}),
        (
            "signet.Ack",
            {"session": 7, "ticks_us": 5, "command": 5, "result": 0, "token": 4, "stream": 300},
        ),
        ("signet.Command", {"kind": 4, "value": 0, "token": 4, "stream": -1}),
        ("signet.Mismatch", {"theirs": 256}),
        ("signet.Hello", {**HELLO, "session": 1 << 16}),
        ("signet.Hello", {**HELLO, "board_id": "b\x1b[31mred\nnext"}),
        ("signet.Hello", {**HELLO, "ring_bytes": -1}),
        ("signet.Hello", _hello(name="acc\x07")),
        ("signet.Hello", _hello(unit="\u202eSu")),
        ("signet.Hello", _hello(scale=float("nan"))),
        ("signet.Hello", _hello(scale=float("inf"))),
        ("signet.Hello", _hello(scale=0.0)),
        ("signet.Hello", _hello(scale=1e300)),
        ("signet.Hello", _hello(offset=float("-inf"))),
        ("signet.Hello", _hello(rate_hz=1e-40)),
        ("signet.Hello", _hello(rate_hz=2e6)),
    ],
)
def test_message_that_the_wire_cannot_carry_is_refused(
    tmp_path: Path, name: str, fields: dict[str, object]
) -> None:
    _make(tmp_path / "a.mcap", name, fields)
    with pytest.raises(RecordingError, match="another layout") as caught:
        list(McapReader(tmp_path / "a.mcap").messages())
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("n", [BLOCK_DATA_BYTES // 2 + 1, 5000])
def test_samples_that_no_block_holds_are_refused(tmp_path: Path, n: int) -> None:
    metadata = {"dtype": "i16", "axes": "1"}
    _make(tmp_path / "a.mcap", "signet.Samples.acc", {**HEADER, "raw": [1] * n}, metadata)
    with pytest.raises(RecordingError, match="another layout"):
        list(McapReader(tmp_path / "a.mcap").messages())


@pytest.mark.parametrize("axes", ["0", "-1", "17", "300000000"])
def test_channel_with_axes_beyond_all_measure_is_refused(tmp_path: Path, axes: str) -> None:
    metadata = {"dtype": "i16", "axes": axes}
    _make(tmp_path / "a.mcap", "signet.Samples.acc", {**HEADER, "raw": [1]}, metadata)
    with pytest.raises(RecordingError, match="another layout"):
        list(McapReader(tmp_path / "a.mcap").messages())


@pytest.mark.parametrize(
    "changes",
    [
        {"t_start_utc": "x"},
        {"t_start_utc": float("nan")},
        {"t_end_utc": float("inf")},
        {"t_end_utc": 1e300},
        {"t_end_utc": None},
        {"label": ["stress"]},
        {"label": "stress\x1b[2J"},
        {"source": {}},
        {"participant": 5},
    ],
)
def test_label_that_says_no_time_or_no_word_is_refused(
    tmp_path: Path, changes: dict[str, object]
) -> None:
    _make(tmp_path / "a.mcap", "signet.Label", {**LABEL, **changes})
    with pytest.raises(RecordingError, match="another layout"):
        McapReader(tmp_path / "a.mcap").labels()
    _make(tmp_path / "b.mcap", "signet.Label", LABEL)
    assert len(McapReader(tmp_path / "b.mcap").labels()) == 1


def _add_chunk(path: Path, compression: str, packed: bytes, n_bytes: int, crc: int = 0) -> None:
    """A file of ours, cut before its end, and one more chunk."""
    with McapWriter(path) as writer:
        writer.write(Hello(7, "b", "f", (Channel(**CHANNEL),)), 1e9)
        writer.write(Block(7, 0, 0, 0, 0, 0, b"\1\0"), 1e9)
    whole = path.read_bytes()
    # MCAP specification, section Records: times, size, CRC, compression, records.
    head = struct.pack("<QQQI", 10**18, 2 * 10**18, n_bytes, crc)
    name = struct.pack("<I", len(compression)) + compression.encode()
    body = head + name + struct.pack("<Q", len(packed)) + packed
    at = whole.index(b"\x89MCAP0\r\n", 8)
    # The data end record comes before the summary; what lies behind it is not looked at.
    end = whole.rindex(_RECORD.pack(0x0F, 4), 0, at)
    path.write_bytes(whole[:end] + _RECORD.pack(6, len(body)) + body)


_MB = 1_000_000


def _pack_zeros(compression: str, n_mb: int) -> bytes:
    """That many MB, packed without ever being in memory."""
    if compression == "zstd":
        made = zstandard.ZstdCompressor().compressobj(size=n_mb * _MB)
        return b"".join(made.compress(bytes(_MB)) for _ in range(n_mb)) + made.flush()
    with lz4.frame.LZ4FrameCompressor() as packer:
        pieces = [packer.begin(), *(packer.compress(bytes(_MB)) for _ in range(n_mb))]
        return b"".join(pieces) + bytes(packer.flush())


@pytest.mark.parametrize("said_bytes", [100, 15 * _MB, 200 * _MB, 1 << 60])
@pytest.mark.parametrize("compression", ["lz4", "zstd"])
def test_chunk_that_unpacks_without_end_is_left_out_and_takes_no_memory(
    tmp_path: Path, compression: str, said_bytes: int
) -> None:
    path = tmp_path / "a.mcap"
    _add_chunk(path, compression, _pack_zeros(compression, 200), said_bytes)
    tracemalloc.start()
    try:
        reader = McapReader(path)
        assert len(list(reader.messages())) == 2
        assert reader.chunks.n_damaged == 1
        assert tracemalloc.get_traced_memory()[1] < 80 * _MB
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("compression", ["zstd", "lz4", ""])
@pytest.mark.parametrize("more", [-1, 0, 1])
def test_chunk_is_as_long_as_it_says_or_damaged(
    tmp_path: Path, compression: str, more: int
) -> None:
    pack = {"zstd": zstandard.compress, "lz4": lz4.frame.compress, "": bytes}[compression]
    records = _RECORD.pack(0x7F, 100) + bytes(range(100))
    path = tmp_path / "a.mcap"
    _add_chunk(path, compression, pack(records), len(records) + more, zlib.crc32(records))
    reader = McapReader(path)
    assert len(list(reader.messages())) == 2
    assert reader.chunks.n_damaged == (more != 0)


def test_a_few_bytes_of_empty_records_are_no_hour_of_work(tmp_path: Path) -> None:
    """Two million records of nothing, in 500 bytes: what a chunk unpacks to is bounded by what it takes in the file."""
    path = tmp_path / "a.mcap"
    empty = bytes(15 * _MB)
    _add_chunk(path, "zstd", zstandard.compress(empty), len(empty), zlib.crc32(empty))
    reader = McapReader(path)
    assert len(list(reader.messages())) == 2
    assert reader.chunks.n_damaged == 1


def test_board_that_renames_its_channels_without_end_gets_further_parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mcap_writer, "_MOST_CHANNELS", 8)
    n = 50
    with McapWriter(tmp_path / "a.mcap") as writer:
        for k in range(n):
            channel = Channel(**{**CHANNEL, "name": f"c{k}"})
            writer.write(Hello(7, "b", "f", (channel,)), 1e9 + k)
            writer.write(Block(7, 0, k, k, 0, k, b"\1\0"), 1e9 + k)
    assert writer.n_messages == writer.n_kept == 2 * n
    assert len(writer.paths) > 5
    found = [m for path in writer.paths for _, m in McapReader(path).messages()]
    assert [m.sample_idx for m in found if isinstance(m, Block)] == list(range(n))


def test_as_many_channels_as_a_file_can_number_are_no_end(tmp_path: Path) -> None:
    n = 70_000
    with McapWriter(tmp_path / "a.mcap", flush_s=1e9) as writer:
        for k in range(n):
            # Streams that nobody announced have topics of their own; 16 bits number them.
            writer._channel_id(f"/{k}", "signet.RawBlock")
    assert len(writer.paths) == 1 + (n - 1) // mcap_writer._MOST_CHANNELS
