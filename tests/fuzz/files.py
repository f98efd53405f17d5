"""Targets that are files: every importer, from opening to the last sample on the host's clock.

A format that packs its content behind checksums has a second target that packs what the fuzzer makes, so that the
mutations reach what lies behind them.
"""

from __future__ import annotations

import io
import json
import struct
from binascii import crc32
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from firmware_host.devices import ReplayTransport
from firmware_host.errors import LinkEnded
from firmware_host.protocol.messages import (
    Ack,
    AckResult,
    Block,
    Command,
    CommandKind,
    Event,
    Mismatch,
    Ping,
    Pong,
)
from firmware_host.protocol.parser import MessageParser
from firmware_host.recording.registry import open_recording, writer_of
from firmware_host.recording.take_reader import TakeReader
from tests.fuzz.accounts import Accounts
from tests.fuzz.targets import Target, nothing_but_ours, scratch
from tests.unit.recording.e4_fixtures import session_files, write_zip
from tests.unit.recording.take_fixtures import make_take

# A fuzzer's file that opens may speak of a year of samples: the first ones tell as much.
_MAX_CHUNKS = 1000
_MAGIC = b"\x89MCAP0\r\n"
_SCHEMAS = (
    "signet.Hello", "signet.RawBlock", "signet.Samples.i8", "signet.Event", "signet.Pong", "signet.Ack",
    "signet.Mismatch", "signet.Ping", "signet.Command", "signet.Label", "signet.Marker",
)  # fmt: skip


def plays(path: Path) -> bool:
    """Open a recording and play it as the host does; False if it was refused in one line of ours."""
    with nothing_but_ours():
        reader = open_recording(path)
        try:
            link = ReplayTransport(reader, url=f"replay:{path.name}")
            parser, accounts = MessageParser(), Accounts()
            with suppress(LinkEnded):
                for _ in range(_MAX_CHUNKS):
                    chunk = link.read(0.0)
                    assert chunk is not None
                    for message in parser.feed(chunk.data):
                        accounts.feed(message, chunk.arrival_utc)
            accounts.end()
            assert parser.decoder.frames, "opened, but plays nothing"
            assert not parser.decoder.skipped_bytes
            assert not parser.bad_payloads, "plays what no board may say"
            reader.labels()
            reader.markers()
        finally:
            reader.close()
        return True
    return False


def _file(suffix: str) -> Callable[[bytes], bool]:
    def run(data: bytes) -> bool:
        path = scratch(f"fuzz{suffix}")
        path.write_bytes(data)
        return plays(path)

    return run


def _of_writer(suffix: str) -> Callable[[], dict[str, bytes]]:
    """Two files of the format: one with gaps, labels and notes, one that is nearly empty."""

    def seeds() -> dict[str, bytes]:
        made = {}
        plain = {channel: [(0.0, 0.5)] for channel in _SHORT}
        for name, spans in (("gaps", _SHORT), ("plain", plain)):
            path = scratch(f"seed-{name}{suffix}")
            path.unlink(missing_ok=True)
            if suffix == ".mcap":
                _write_mcap(path, spans)
            else:
                writer_of(path)(make_take(spans), path, lambda _: None)
            made[name] = path.read_bytes()
        return made

    return seeds


_SHORT = {
    "bvp": [(0.0, 0.25), (0.5, 0.75)],
    "eda": [(0.0, 1.0)],
    "temp": [(0.0, 0.5), (0.75, 1.0)],
    "acc": [(0.25, 0.5)],
}


def _write_mcap(path: Path, spans: dict[str, list[tuple[float, float]]]) -> None:
    from firmware_host.recording.mcap_file import McapWriter

    with McapWriter(path) as writer:
        for utc, message in TakeReader(path, lambda _: make_take(spans)).messages():
            writer.write(message, utc)


def _inside_mcap(data: bytes) -> bool:
    """Records as the content of a chunk whose checksum is right."""
    path = scratch("inside.mcap")
    path.write_bytes(_MAGIC + _chunk(data) + _record(2, bytes(20)) + _MAGIC)
    return plays(path)


def _record(opcode: int, body: bytes) -> bytes:
    return struct.pack("<BQ", opcode, len(body)) + body


def _chunk(records: bytes) -> bytes:
    # MCAP specification, section Records: times, size, CRC, compression (none), records.
    head = struct.pack("<QQQII", 10**18, 2 * 10**18, len(records), crc32(records), 0)
    return _record(6, head + struct.pack("<Q", len(records)) + records)


def _mcap_records() -> dict[str, bytes]:
    """What lies in the chunks of a file of ours."""
    from mcap.data_stream import ReadDataStream
    from mcap.records import Chunk
    from mcap.stream_reader import get_chunk_data_stream

    from firmware_host.recording.mcap_records import read_records

    made = {}
    for name, content in _of_writer(".mcap")().items():
        chunks = [r for r in read_records(io.BytesIO(content)) if isinstance(r, Chunk)]
        streams: list[tuple[ReadDataStream, int]] = [
            get_chunk_data_stream(c, validate_crc=True) for c in chunks
        ]
        made[name] = b"".join(stream.read(n) for stream, n in streams)
    return made


def _mcap_payload(data: bytes) -> bool:
    """One payload under each schema of ours: the first byte says which."""
    name = _SCHEMAS[data[0] % len(_SCHEMAS)] if data else _SCHEMAS[0]
    return _one_message(name, _strings({"dtype": "i8", "axes": "3"}), data[1:])


def _mcap_metadata(data: bytes) -> bool:
    """What a file says of a channel of samples, `key` and `value` by turns, told apart by zeros; one axis' samples."""
    texts = [text.decode("utf-8", "replace") for text in data.split(b"\0")]
    table = dict(zip(texts[::2], texts[1::2], strict=False))
    header = dict.fromkeys(("session", "stream", "seq", "ticks_us", "dropped", "sample_idx"), 1)
    return _one_message(
        "signet.Samples.x", _strings(table), json.dumps({**header, "raw": [1]}).encode()
    )


_PACKED = struct.Struct("<BI")


def _mcap_packed(data: bytes) -> bool:
    """A chunk's content as it is packed: what packs it, how long it says to be, and the packed bytes."""
    if len(data) < _PACKED.size:
        return False
    how, n_bytes = _PACKED.unpack_from(data)
    packed = data[_PACKED.size :]
    head = struct.pack("<QQQI", 10**18, 2 * 10**18, n_bytes, 0)
    chunk = (
        head
        + _text(("zstd", "lz4", "", "other")[how % 4])
        + struct.pack("<Q", len(packed))
        + packed
    )
    path = scratch("packed.mcap")
    path.write_bytes(_MAGIC + _chunk(_hello()) + _record(6, chunk) + _record(2, bytes(20)) + _MAGIC)
    return plays(path)


def _packed_seeds() -> dict[str, bytes]:
    import lz4.frame
    import zstandard

    inside = _hello() * 19 + _hello(2 * 10**18)
    packed = {
        "zstd": zstandard.compress(inside),
        "lz4": bytes(lz4.frame.compress(inside)),
        "plain": inside,
    }
    return {
        name: _PACKED.pack(how, len(inside)) + content
        for how, (name, content) in enumerate(packed.items())
    }


def _one_message(name: str, metadata: bytes, payload: bytes) -> bool:
    said = _schema(2, name) + _channel(2, 2, metadata) + _message(2, 2 * 10**18, payload)
    return _inside_mcap(_hello() + said)


def _hello(at_ns: int = 10**18) -> bytes:
    """A board of no channels, without which a file is none."""
    hello = {"session": 1, "board_id": "b", "firmware": "f", "channels": []}
    said = _message(1, at_ns, json.dumps(hello).encode())
    return _schema(1, "signet.Hello") + _channel(1, 1, b"\0\0\0\0") + said


def _text(text: str) -> bytes:
    return struct.pack("<I", len(text.encode())) + text.encode()


def _strings(table: dict[str, str]) -> bytes:
    body = b"".join(_text(k) + _text(v) for k, v in table.items())
    return struct.pack("<I", len(body)) + body


def _schema(number: int, name: str) -> bytes:
    return _record(3, struct.pack("<H", number) + _text(name) + _text("jsonschema") + _text("{}"))


def _channel(number: int, schema: int, metadata: bytes) -> bytes:
    return _record(4, struct.pack("<HH", number, schema) + _text("/t") + _text("json") + metadata)


def _message(channel: int, log_ns: int, payload: bytes) -> bytes:
    return _record(5, struct.pack("<HIQQ", channel, 0, log_ns, log_ns) + payload)


def _payload_seeds() -> dict[str, bytes]:
    from firmware_host.recording import mcap_json

    take = TakeReader("x", lambda _: make_take(_SHORT))
    messages = [message for _, message in take.messages()]
    block = next(m for m in messages if isinstance(m, Block) and m.stream == 3)
    event = next(m for m in messages if isinstance(m, Event))
    return {
        "hello": b"\0" + mcap_json.encode_plain(take.hello),
        "raw": b"\1" + mcap_json.encode_raw(block),
        "samples": b"\2" + mcap_json.encode_samples(take.hello.channels[3], block),
        "event": b"\3" + mcap_json.encode_plain(event),
        "label": b"\x09" + mcap_json.encode_label(take.take.labels[0]),
        "marker": b"\x0a" + mcap_json.encode_marker("coffee"),
        "pong": b"\4" + mcap_json.encode_plain(Pong(1, 100, 5)),
        "ack": b"\5"
        + mcap_json.encode_plain(
            Ack(1, 100, CommandKind.BACKFILL, AckResult.DONE, 9, 3, 100, 20, 4)
        ),
        "mismatch": b"\6" + mcap_json.encode_plain(Mismatch(2)),
        "ping": b"\7" + mcap_json.encode_plain(Ping(5)),
        "command": b"\x08" + mcap_json.encode_plain(Command(CommandKind.BACKFILL, 20, 9, 3, 100)),
    }


def _parts(data: bytes, n: int) -> list[bytes]:
    """Files of a folder, told apart by zeros, which no text has."""
    parts = data.split(b"\0", n - 1)
    return parts + [b""] * (n - len(parts))


_E4_NAMES = ("BVP.csv", "EDA.csv", "TEMP.csv", "ACC.csv", "tags.csv")


def _e4_folder(data: bytes) -> bool:
    folder = scratch("e4")
    folder.mkdir(exist_ok=True)
    for name, text in zip(_E4_NAMES, _parts(data, len(_E4_NAMES)), strict=True):
        (folder / name).write_bytes(text)
    return plays(folder)


def _e4_texts(*, dates: bool) -> bytes:
    files = session_files(2, dates=dates)
    return b"\0".join(files[name].encode() for name in _E4_NAMES)


def _e4_zips() -> dict[str, bytes]:
    path = write_zip(scratch("seed.zip"), session_files(2))
    return {"packed": path.read_bytes()}


def _wesad_folder(data: bytes) -> bool:
    """The schedule and the header of the chest's file, beside a session that is as it should be."""
    folder = scratch("S2")
    if not folder.exists():
        folder.mkdir()
        write_zip(folder / "S2_E4_Data.zip", session_files(120))
    quest, respiban = _parts(data, 2)
    (folder / "S2_quest.csv").write_bytes(quest)
    (folder / "S2_respiban.txt").write_bytes(respiban)
    return plays(folder)


def _wesad_texts() -> dict[str, bytes]:
    quest = "# ORDER;Base;TSST;Fun;\n# START;0;0.3;1;\n# END;0.29;1;1.3;\n"
    respiban = '# OpenSignals\n# {"0": {"time": "10:12:20.0", "date": "2022-2-14"}}\n0\t1\n'
    return {"person": f"{quest}\0{respiban}".encode()}


_XDF_WORDS = (
    b"XDF:", b"<info>", b"</info>", b"<name>", b"<nominal_srate>", b"<channel_count>",
    b"<channel_format>", b"float32", b"double64", b"string", b"int16", b"<desc>", b"<channels>",
    b"<label>", b"<unit>", b"<signet>", b"<scale>", b"<offset>", b"<datetime>", b"nan", b"1e308",
)  # fmt: skip
_EDF_WORDS = (
    b"0       ", b"EDF+C", b"EDF+D", b"EDF Annotations ", b"+0\x14\x14", b"\x15", b"-1      ",
    b"Startdate ", b"X X X X", b"1e308   ", b"nan     ", b"32767   ", b"stress", b"rest",
)  # fmt: skip
_CSV_WORDS = (
    b"time_utc", b"timestamp", b"[uS]", b"@4Hz", b"_x[m/s2]@32Hz", b"note", b"1e308", b"nan",
    b"1e-300", b"e99999", b'"', b"\r\n", b"\xef\xbb\xbf", b"2022-02-14T09:12:05+01:00", b"0001-01-01",
)  # fmt: skip
_E4_WORDS = (
    b"2022-02-14 09:12:05", b"1644829925.00", b"64.0", b"32.0, 32.0, 32.0", b"\0", b"nan", b"1e308",
    b"0001-01-01", b"9999-12-31T23:59:59-12:00", b",", b"-0.0",
)  # fmt: skip
_MCAP_WORDS = (
    _MAGIC, b"signet.Hello", b"signet.Samples.", b"signet.Label", b"signet.Marker", b"zstd", b"lz4",
    b"json", b"\x05", b"\x06", b"\x04", b"\x03", b'"session":', b'"channels":[', b'"dtype":"i16"',
    b'"axes":', b'"rate_hz":', b"1e999", b"NaN", b"null", b"true", b"[[[[", b'"x":[', b'"y":[',
)  # fmt: skip
_WESAD_WORDS = (
    b"# ORDER;", b"# START;", b"# END;", b"Base;", b"TSST;", b"99999.59;", b"\0", b'"date": "', b'"time": "',
    b"0001-1-1", b"9999-12-31", b"nan", b"1e300", b"{", b"}", b"null",
)  # fmt: skip

TARGETS = (
    Target("csv", _file(".csv"), _of_writer(".csv"), _CSV_WORDS, 8192, runs=800),
    Target("edf", _file(".edf"), _of_writer(".edf"), _EDF_WORDS, 16_384, runs=600),
    Target("xdf", _file(".xdf"), _of_writer(".xdf"), _XDF_WORDS, 16_384, runs=400),
    Target("e4-zip", _file(".zip"), _e4_zips, (b"PK\x03\x04", b"PK\x01\x02"), 8192, runs=800),
    Target(
        "e4-folder",
        _e4_folder,
        lambda: {"vendor": _e4_texts(dates=False), "dates": _e4_texts(dates=True)},
        _E4_WORDS,
        8192,
        runs=300,
    ),
    Target("wesad-folder", _wesad_folder, _wesad_texts, _WESAD_WORDS, runs=60),
    Target("mcap", _file(".mcap"), _of_writer(".mcap"), _MCAP_WORDS, 16_384, runs=400),
    Target("mcap-inside", _inside_mcap, _mcap_records, _MCAP_WORDS, 16_384, runs=300),
    Target("mcap-payload", _mcap_payload, _payload_seeds, _MCAP_WORDS, runs=500),
    Target("mcap-packed", _mcap_packed, _packed_seeds, runs=300),
    Target(
        "mcap-metadata",
        _mcap_metadata,
        lambda: {"samples": b"dtype\0i16\0axes\x001"},
        (b"dtype", b"axes", b"\0", b"i8", b"u32", b"f32", b"16", b"300000000", b"-1"),
        256,
        runs=500,
    ),
)
