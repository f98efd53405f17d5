from __future__ import annotations

import errno
import json
import os
import stat
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_host.errors import RecordingError, StorageError
from firmware_host.protocol.messages import (
    Ack,
    AckResult,
    Block,
    Button,
    Channel,
    Command,
    CommandKind,
    Event,
    EventKind,
    Hello,
    Message,
    Mismatch,
    Ping,
    Pong,
)
from firmware_host.recording.append_file import AppendFile
from firmware_host.recording.labels import Label
from firmware_host.recording.mcap_file import McapReader, McapWriter
from firmware_host.recording.mcap_part import to_ns

UTC0 = 1_767_600_000.123456
BVP = Channel(0, "bvp", "au", 64.0, 0.01, 0.0, "i32", 1)
ACC = Channel(3, "acc", "m/s2", 50.0, 9.80665 / 64, 0.25, "i8", 3)
PH = Channel(4, "ph", "", 1.0, 1.0, 0.0, "f32", 1)
ODD = Channel(5, "quat", "", 10.0, 1.0, 0.0, "u16", 4)
HELLO = Hello(7, "board-1", "fw 1", (BVP, ACC, PH, ODD))

Pair = tuple[float, Message]


def _day(n_s: int = 12) -> list[Pair]:
    """Some seconds of everything a link carries, in order of arrival."""
    pairs: list[Pair] = [(UTC0, HELLO), (UTC0 + 0.1, Command(CommandKind.START, 0, 9))]
    pairs.append((UTC0 + 0.2, Ack(7, 100, 1, AckResult.DONE, 9)))
    for k in range(n_s):
        at = UTC0 + 1 + k
        raw = bytes((k * 31 + i * 7) & 0xFF for i in range(128))
        pairs += [
            (at, Block(7, 0, k, k * 500_000, 0, k * 32, raw)),
            (at + 0.01, Block(7, 3, k, k * 500_000, 3, k * 25, raw[:75])),
            (at + 0.02, Block(7, 4, k, k * 500_000, 0, k, b"\0\0\xc0\x7f")),
            (at + 0.03, Block(7, 5, k, k * 500_000, 0, k, raw[:16])),
            (at + 0.04, Ping(k)),
            (at + 0.05, Pong(7, k * 500_000, k)),
        ]
    pairs += [
        (UTC0 + n_s + 1, Event(7, 5, EventKind.BUTTON, Button.STRESS_STARTS, 2)),
        (UTC0 + n_s + 2, Block(7, 9, 0, 0, 0, 0, b"who?")),
        (UTC0 + n_s + 2, Block(7, 0, 0, 0, 0, 0, b"odd")),
        (UTC0 + n_s + 2, Block(8, 0, 0, 0, 0, 0, b"\1\0\0\0")),
        (UTC0 + n_s + 3, replace(HELLO, session=8, channels=(replace(BVP, scale=0.5),))),
        (UTC0 + n_s + 4, Block(8, 0, 0, 0, 0, 0, b"\1\0\0\0")),
        (UTC0 + n_s + 5, Mismatch(2)),
    ]
    return pairs


def _write(path: Path, pairs: list[Pair], **options: float) -> list[Path]:
    with McapWriter(path, **options) as writer:  # type: ignore[arg-type]
        for utc, message in pairs:
            writer.write(message, utc, utc - 0.25)
    return writer.paths


def test_messages_come_back_bit_for_bit(tmp_path: Path) -> None:
    _write(tmp_path / "a.mcap", _day())
    reader = McapReader(tmp_path / "a.mcap")
    assert list(reader.messages()) == _day()
    assert list(reader.messages()) == _day()
    assert (reader.hello, reader.start_utc, reader.is_complete) == (HELLO, UTC0, True)
    assert reader.duration_s == pytest.approx(17.0)
    assert (reader.n_damaged_chunks, reader.labels()) == (0, [])
    reader.close()
    reader.close()
    with pytest.raises(ValueError, match="closed"):
        list(reader.messages())


@given(st.floats(4e7, 4e9))
def test_arrival_times_come_back_exactly(utc: float) -> None:
    assert to_ns(utc) / 1_000_000_000 == utc


@settings(max_examples=30, deadline=None)
@given(
    st.lists(
        st.builds(
            Block,
            st.just(7),
            st.sampled_from([0, 3, 4, 5, 11]),
            st.integers(0, 65_535),
            st.integers(0, (1 << 32) - 1),
            st.integers(0, 65_535),
            st.integers(0, (1 << 32) - 1),
            st.binary(min_size=1, max_size=230),
        ),
        max_size=20,
    )
)
def test_any_block_comes_back(
    tmp_path_factory: pytest.TempPathFactory, blocks: list[Block]
) -> None:
    path = tmp_path_factory.mktemp("mcap") / "a.mcap"
    pairs: list[Pair] = [(UTC0, HELLO), *((UTC0 + i, b) for i, b in enumerate(blocks))]
    _write(path, pairs)
    assert list(McapReader(path).messages()) == pairs


def test_standard_library_reads_topics_schemas_and_both_times(tmp_path: Path) -> None:
    from mcap.reader import make_reader

    _write(tmp_path / "a.mcap", _day())
    with (tmp_path / "a.mcap").open("rb") as file:
        reader = make_reader(file)
        summary = reader.get_summary()
        assert summary is not None
        topics = {c.topic for c in summary.channels.values()}
        assert {"/board/hello", "/sensor/bvp", "/sensor/acc", "/board/event"} <= topics
        assert all(c.message_encoding == "json" for c in summary.channels.values())
        assert all(json.loads(s.data)["type"] == "object" for s in summary.schemas.values())
        assert all(s.encoding == "jsonschema" for s in summary.schemas.values())
        schema, channel, message = next(reader.iter_messages(topics=["/sensor/acc"]))
        assert schema is not None
        assert set(json.loads(message.data)) == set(json.loads(schema.data)["properties"])
        assert channel.metadata["unit"] == "m/s2"
        assert float(channel.metadata["scale"]) == ACC.scale
        assert message.log_time - message.publish_time == 250_000_000
        names = {m.name for m in reader.iter_metadata()}
        assert names == {"signet.hello", "signet.recording"}


def test_labels_and_markers_are_kept_beside_the_messages(tmp_path: Path) -> None:
    late = Label(UTC0 + 5, UTC0 + 9, "stress", "button", None)
    early = Label(UTC0, UTC0 + 5, "rest", "cli", "3")
    with McapWriter(tmp_path / "a.mcap") as writer:
        writer.write(HELLO, UTC0)
        writer.write_label(late, UTC0 + 9)
        writer.write_marker("coffee", UTC0 + 10)
        writer.write_label(early, UTC0 + 11)
    reader = McapReader(tmp_path / "a.mcap")
    assert reader.labels() == [early, late]
    assert reader.markers() == [(UTC0 + 10, "coffee")]
    assert list(reader.messages()) == [(UTC0, HELLO)]


def test_file_cut_at_any_byte_opens_up_to_the_last_whole_chunk(tmp_path: Path) -> None:
    path, cut = tmp_path / "a.mcap", tmp_path / "cut.mcap"
    pairs = _day(40)
    _write(path, pairs)
    whole = path.read_bytes()
    n_before = -1
    sizes = [*range(0, len(whole), 97), *range(len(whole) - 60, len(whole) + 1)]
    for size in sizes:
        cut.write_bytes(whole[:size])
        try:
            reader = McapReader(cut)
        except RecordingError as err:
            assert n_before <= 0, f"readable before, not at {size}"
            assert "\n" not in str(err)
            continue
        got = list(reader.messages())
        assert got == pairs[: len(got)]
        assert len(got) >= n_before
        n_before = len(got)
    assert n_before == len(pairs)


def test_process_that_dies_loses_at_most_the_flush_interval(tmp_path: Path) -> None:
    writer = McapWriter(tmp_path / "a.mcap", flush_s=2.0)
    pairs = [p for p in _day(30) if p[0] <= UTC0 + 20]
    for utc, message in pairs:
        writer.write(message, utc)
    # Never closed: what is on the disk now is what a killed process leaves.
    got = list(McapReader(tmp_path / "a.mcap").messages())
    assert got == pairs[: len(got)]
    assert pairs[-1][0] - got[-1][0] <= 2.0
    writer.flush()
    assert list(McapReader(tmp_path / "a.mcap").messages()) == pairs
    writer.close()


def test_damaged_chunk_is_left_out_and_counted(tmp_path: Path) -> None:
    path = tmp_path / "a.mcap"
    pairs = _day(40)
    _write(path, pairs)
    data = bytearray(path.read_bytes())
    at = data.find(b"zstd", len(data) // 2)
    data[at + 30] ^= 0x55
    path.write_bytes(data)
    reader = McapReader(path)
    got = list(reader.messages())
    assert reader.n_damaged_chunks == 1
    assert 0 < len(got) < len(pairs)
    assert all(pair in pairs for pair in got)


def test_damaged_part_is_told_in_one_line_when_it_is_read(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "a.mcap"
    _write(path, _day(40))
    McapReader(path)
    assert caplog.messages == []
    data = bytearray(path.read_bytes())
    data[data.find(b"zstd", len(data) // 2) + 30] ^= 0x55
    path.write_bytes(data)
    reader = McapReader(path)
    for _ in range(2):
        list(reader.messages())
    assert caplog.messages == [f"{path}: 1 damaged part left out"]


def test_cut_file_is_told_in_one_line_when_opened(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "a.mcap"
    _write(path, _day(100))
    data = path.read_bytes()
    path.write_bytes(data[: data.find(b"zstd", len(data) * 3 // 4)])
    duration_s = int(McapReader(path).duration_s)
    assert 60 <= duration_s < 104
    read = f"00:01:{duration_s - 60:02d}"
    assert caplog.messages == [f"{path}: cut at the end; read up to {read} from its start"]


@pytest.mark.parametrize("has_index", [True, False])
def test_broken_length_is_told_as_damage_when_the_end_is_there(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, has_index: bool
) -> None:
    path = tmp_path / "a.mcap"
    _write(path, _day(40))
    data = bytearray(path.read_bytes())
    # A chunk: opcode, length (8), start, end, size (8 each), checksum (4), length of "zstd" (4).
    at = data.find(b"zstd", len(data) // 2) - 4 - 4 - 24 - 8
    assert data[at - 1] == 0x06
    data[at : at + 8] = b"\xff" * 8
    if not has_index:
        # The summary's checksum, before the last eight bytes: then nobody may rely on it.
        data[-9] ^= 1
    path.write_bytes(data)
    messages = list(McapReader(path).messages())
    assert caplog.messages == [f"{path}: 1 damaged part left out"]
    assert messages[-1] == _day(40)[-1]
    assert len(_day(40)) - 40 < len(messages) < len(_day(40))


def test_every_bit_of_a_chunks_head_may_be_wrong_without_an_index(tmp_path: Path) -> None:
    """At most that chunk is lost, whatever is wrong with where it ends, how it is packed, or what it is called."""
    path = tmp_path / "a.mcap"
    _write(path, _day(40))
    whole = bytearray(path.read_bytes())
    whole[-9] ^= 1
    pairs = _day(40)
    at = whole.find(b"zstd", len(whole) // 2) - 4 - 4 - 24 - 8 - 1
    assert whole[at] == 0x06
    for bit in range(0, 8 * (9 + 40), 5):
        data = whole.copy()
        data[at + bit // 8] ^= 1 << bit % 8
        path.write_bytes(data)
        reader = McapReader(path)
        messages = list(reader.messages())
        lost = [pair for pair in pairs if pair not in messages]
        assert messages == [pair for pair in pairs if pair not in lost]
        assert messages[-1] == pairs[-1]
        assert reader.is_complete
        assert not lost or reader.n_damaged_chunks == 1
        assert len(lost) <= 12
        assert reader.duration_s == pytest.approx(pairs[-1][0] - pairs[0][0], abs=2.5)


@pytest.mark.parametrize("seed", range(3))
def test_fifty_wrong_bits_cost_the_chunks_they_are_in(tmp_path: Path, seed: int) -> None:
    path = tmp_path / "a.mcap"
    _write(path, _day(240))
    whole = bytearray(path.read_bytes())
    rng = np.random.default_rng(seed)
    # Not the first two chunks, which say what the channels are, nor the end, whose index would do.
    first, last = whole.find(b"zstd"), whole.rfind(b"zstd")
    for _ in range(2):
        first = whole.find(b"zstd", first + 4)
    for at in rng.integers(first, last - 60, 50):
        whole[at] ^= 1 << int(rng.integers(8))
    whole[-9] ^= 1
    path.write_bytes(whole)
    pairs = _day(240)
    reader = McapReader(path)
    messages = list(reader.messages())
    assert all(pair in pairs for pair in messages)
    assert messages[-1][0] > pairs[-1][0] - 10
    assert len(messages) > len(pairs) * 0.6
    assert reader.n_damaged_chunks > 20


def test_recording_is_refused_when_every_part_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / "a.mcap"
    _write(path, _day(40))
    data = bytearray(path.read_bytes())
    at = data.find(b"zstd")
    while at >= 0:
        data[at + 30] ^= 0x55
        at = data.find(b"zstd", at + 1)
    path.write_bytes(data)
    with pytest.raises(RecordingError, match=r"none left, \d+ damaged parts") as caught:
        McapReader(path)
    assert "\n" not in str(caught.value)


def test_host_clock_set_back_keeps_the_order_of_writing(tmp_path: Path) -> None:
    pairs = [(utc - (500.0 if i > 30 else 0.0), m) for i, (utc, m) in enumerate(_day())]
    _write(tmp_path / "a.mcap", pairs)
    assert list(McapReader(tmp_path / "a.mcap").messages()) == pairs


def test_recording_is_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "a.mcap"
    path.write_bytes(b"precious")
    with pytest.raises(RecordingError, match="already there"):
        McapWriter(path)
    assert path.read_bytes() == b"precious"


def test_recording_is_private(tmp_path: Path) -> None:
    _write(tmp_path / "a.mcap", _day())
    assert stat.S_IMODE((tmp_path / "a.mcap").stat().st_mode) == 0o600


def test_missing_folder_is_a_storage_error(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="cannot make"):
        McapWriter(tmp_path / "no" / "a.mcap")


class _SmallDisk(AppendFile):
    """A disk with room for 9000 bytes, which takes what fits of a write and then is full."""

    room_bytes = 9000

    def _write(self, data: memoryview) -> int:
        if not self.room_bytes:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        n = super()._write(data[: self.room_bytes])
        self.room_bytes -= n
        return n


def test_full_disk_is_one_clear_line_and_what_was_written_stays_readable(tmp_path: Path) -> None:
    path = tmp_path / "a.mcap"
    writer = McapWriter(path, open_file=_SmallDisk)
    pairs = _day(60)
    with pytest.raises(StorageError, match="No space left on device") as caught:
        for utc, message in pairs:
            writer.write(message, utc)
    assert "\n" not in str(caught.value)
    with pytest.raises(StorageError):
        writer.write(pairs[0][1], UTC0)
    writer.close()
    writer.close()
    got = list(McapReader(path).messages())
    assert len(got) > 10
    assert got == pairs[: len(got)]
    assert path.stat().st_size <= 9000


def test_limit_of_the_system_is_a_storage_error_too(tmp_path: Path) -> None:
    """A real refusal of the kernel: the file size limit of a process."""
    code = (
        "import resource, sys\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (6000, 6000))\n"
        "from firmware_host.errors import StorageError\n"
        "from firmware_host.recording.mcap_file import McapWriter\n"
        "from firmware_host.protocol.messages import Block, Hello\n"
        "writer = McapWriter(sys.argv[1])\n"
        "try:\n"
        "    writer.write(Hello(7, 'b', 'f', ()), 1.7e9)\n"
        "    for k in range(500):\n"
        "        writer.write(Block(7, 0, k, k, 0, k, bytes([k & 255] * 99)), 1.7e9 + k)\n"
        "except StorageError as err:\n"
        "    writer.close()\n"
        "    print('stopped:', err)\n"
    )
    env = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    path = tmp_path / "a.mcap"
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, env=env, check=True
    )
    assert done.stdout.startswith("stopped:")
    assert "recording stopped" in done.stdout
    assert len(list(McapReader(path).messages())) > 10


def test_full_disk_at_the_end_is_told_once(tmp_path: Path) -> None:
    disks: list[_SmallDisk] = []

    def open_disk(path: Path) -> _SmallDisk:
        disks.append(_SmallDisk(path))
        return disks[0]

    writer = McapWriter(tmp_path / "a.mcap", open_file=open_disk)
    writer.write(HELLO, UTC0)
    disks[0].room_bytes = 0
    with pytest.raises(StorageError):
        writer.close()
    writer.close()
    assert list(McapReader(tmp_path / "a.mcap").messages()) == [(UTC0, HELLO)]


def test_parts_by_size_can_each_be_read_alone(tmp_path: Path) -> None:
    pairs = _day(60)[:-3]
    (tmp_path / "a.part2.mcap").write_bytes(b"precious")
    paths = _write(tmp_path / "a.mcap", pairs, max_bytes=9000)
    assert len(paths) > 2
    assert (tmp_path / "a.part2.mcap").read_bytes() == b"precious"
    got: list[Pair] = []
    for path in paths:
        reader = McapReader(path)
        assert reader.is_complete
        assert reader.hello == HELLO
        part = list(reader.messages())
        assert part[0] == (UTC0, HELLO)
        got += part if not got else part[1:]
    assert got == pairs


def test_smallest_parts_still_end(tmp_path: Path) -> None:
    paths = _write(tmp_path / "a.mcap", _day(3), max_bytes=1)
    assert len(paths) < 20


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "got an empty file"),
        (b"\x89MCAP0\r\n", "cut or damaged before the first readable part"),
        (b"this is not a recording", "another kind of file"),
        (b"\x89PNG\r\n\x1a\n" + bytes(50), "another kind of file"),
    ],
)
def test_other_file_is_one_clear_line(tmp_path: Path, data: bytes, words: str) -> None:
    path = tmp_path / "a.mcap"
    path.write_bytes(data)
    with pytest.raises(RecordingError, match=words):
        McapReader(path)


def test_recording_of_another_program_is_refused(tmp_path: Path) -> None:
    from mcap.writer import Writer

    path = tmp_path / "a.mcap"
    with path.open("wb") as file:
        writer = Writer(file)
        writer.start()
        schema = writer.register_schema("signet.Hello", "jsonschema", b"{}")
        channel = writer.register_channel("/x", "json", schema)
        writer.add_message(channel, 5, b'{"not": "ours"}', 5)
        writer.finish()
    with pytest.raises(RecordingError, match="another layout"):
        McapReader(path)


@pytest.mark.parametrize(
    ("schema_name", "fields"),
    [
        ("signet.Event", {"session": 1, "ticks_us": 0, "kind": 9, "value": 0, "seq": 0}),
        ("signet.Event", {"session": 1, "ticks_us": "now", "kind": 1, "value": 0, "seq": 0}),
        ("signet.Ping", {"token": 1 << 40}),
        ("signet.Ping", {"token": 1.5}),
        ("signet.RawBlock", {"session": 1}),
        ("signet.Hello", {"session": 1, "board_id": "b" * 99, "firmware": "", "channels": []}),
        ("signet.Hello", {"session": 1, "board_id": "b", "firmware": "", "channels": [{}]}),
    ],
)
def test_message_no_board_can_send_is_refused(
    tmp_path: Path, schema_name: str, fields: dict[str, object]
) -> None:
    from mcap.writer import Writer

    path = tmp_path / "a.mcap"
    hello = {"session": 1, "board_id": "b", "firmware": "f", "channels": []}
    with path.open("wb") as file:
        writer = Writer(file)
        writer.start()
        for name, message in (("signet.Hello", hello), (schema_name, fields)):
            schema = writer.register_schema(name, "jsonschema", b"{}")
            channel = writer.register_channel("/x", "json", schema)
            writer.add_message(channel, 5, json.dumps(message).encode(), 5)
        writer.finish()
    with pytest.raises(RecordingError, match="another layout"):
        list(McapReader(path).messages())


def test_unchunked_file_is_read_too(tmp_path: Path) -> None:
    from mcap.writer import Writer

    path = tmp_path / "a.mcap"
    with path.open("wb") as file:
        writer = Writer(file, use_chunking=False)
        writer.start()
        schema = writer.register_schema("signet.Hello", "jsonschema", b"{}")
        channel = writer.register_channel("/x", "json", schema)
        hello = {"session": 1, "board_id": "b", "firmware": "f", "channels": []}
        writer.add_message(channel, 5_000_000_000, json.dumps(hello).encode(), 5)
        writer.finish()
    reader = McapReader(path)
    assert list(reader.messages()) == [(5.0, Hello(1, "b", "f", ()))]


def test_unknown_board_time_is_arrival(tmp_path: Path) -> None:
    from mcap.reader import make_reader

    with McapWriter(tmp_path / "a.mcap") as writer:
        writer.write(HELLO, UTC0, float("nan"))
    with (tmp_path / "a.mcap").open("rb") as file:
        ((_, _, message),) = make_reader(file).iter_messages()
    assert message.publish_time == message.log_time


def test_wrong_calls_are_value_errors(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="positive"):
        McapWriter(tmp_path / "a.mcap", flush_s=0.0)
    writer = McapWriter(tmp_path / "a.mcap")
    with pytest.raises(ValueError, match="UNIX seconds"):
        writer.write(HELLO, float("nan"))
    writer.close()
    with pytest.raises(ValueError, match="closed"):
        writer.write(HELLO, UTC0)


def test_length_beyond_all_measure_ends_the_reading_as_a_cut_does(tmp_path: Path) -> None:
    path = tmp_path / "a.mcap"
    _write(path, _day(20))
    whole = bytearray(path.read_bytes())
    # The second chunk's data length, after its opcode, length, two times, size, CRC and "zstd".
    second = whole.index(b"zstd", whole.index(b"zstd") + 1)
    whole[second + 4 : second + 12] = b"\xff" * 8
    path.write_bytes(whole)
    reader = McapReader(path)
    assert 0 < len(list(reader.messages())) < len(_day(20))
    assert reader.n_damaged_chunks == 1
    path.write_bytes(whole[:-1])
    reader = McapReader(path)
    assert not reader.is_complete
    assert 0 < len(list(reader.messages())) < len(_day(20))


def test_chunk_that_unpacks_to_more_than_any_memory_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "a.mcap"
    _write(path, _day(20))
    whole = bytearray(path.read_bytes())
    magic = b"\x28\xb5\x2f\xfd"
    second = whole.index(magic, whole.index(magic) + 1)
    # RFC 8878, section 3.1.1.1: a frame of one segment with its length in the next eight bytes.
    whole[second + 4 : second + 13] = b"\xe0" + (1 << 60).to_bytes(8, "little")
    path.write_bytes(whole)
    reader = McapReader(path)
    assert 0 < len(list(reader.messages())) < len(_day(20))
    assert reader.n_damaged_chunks == 1
