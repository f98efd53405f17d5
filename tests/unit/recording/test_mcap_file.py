"""What was recorded comes back bit for bit, in order, whole or in parts."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mcap.reader import make_reader

from firmware_host.errors import RecordingError
from firmware_host.protocol.messages import Block, Hello, Ping
from firmware_host.recording.labels import Label
from firmware_host.recording.mcap_file import McapReader, McapWriter
from firmware_host.recording.mcap_part import to_ns
from tests.unit.recording.mcap_fixtures import ACC, HELLO, UTC0, Pair, day, write_file


def test_messages_come_back_bit_for_bit(tmp_path: Path) -> None:
    write_file(tmp_path / "a.mcap", day())
    reader = McapReader(tmp_path / "a.mcap")
    assert list(reader.messages()) == day()
    assert list(reader.messages()) == day()
    assert (reader.hello, reader.start_utc, reader.chunks.is_complete) == (HELLO, UTC0, True)
    assert reader.duration_s == pytest.approx(17.0)
    assert (reader.chunks.n_damaged, reader.labels()) == (0, [])
    reader.close()
    reader.close()
    with pytest.raises(ValueError, match="closed"):
        list(reader.messages())


def test_what_comes_at_once_is_written_in_chunks_of_bounded_size(tmp_path: Path) -> None:
    at_once = [(UTC0 + 60.0, message) for _, message in day(500)]
    write_file(tmp_path / "a.mcap", [(UTC0, HELLO), *at_once])
    with (tmp_path / "a.mcap").open("rb") as file:
        summary = make_reader(file).get_summary()
    assert summary is not None
    sizes = [chunk.uncompressed_size for chunk in summary.chunk_indexes]
    assert len(sizes) > 5
    assert max(sizes) < 40_000


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
    write_file(path, pairs)
    assert list(McapReader(path).messages()) == pairs


def test_standard_library_reads_topics_schemas_and_both_times(tmp_path: Path) -> None:
    from mcap.reader import make_reader

    write_file(tmp_path / "a.mcap", day())
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


def test_host_clock_set_back_keeps_the_order_of_writing(tmp_path: Path) -> None:
    pairs = [(utc - (500.0 if i > 30 else 0.0), m) for i, (utc, m) in enumerate(day())]
    write_file(tmp_path / "a.mcap", pairs)
    assert list(McapReader(tmp_path / "a.mcap").messages()) == pairs


def test_parts_by_size_can_each_be_read_alone(tmp_path: Path) -> None:
    pairs = day(60)[:-3]
    (tmp_path / "a.part2.mcap").write_bytes(b"precious")
    paths = write_file(tmp_path / "a.mcap", pairs, max_bytes=9000)
    assert len(paths) > 2
    assert (tmp_path / "a.part2.mcap").read_bytes() == b"precious"
    got: list[Pair] = []
    for path in paths:
        reader = McapReader(path)
        assert reader.chunks.is_complete
        assert reader.hello == HELLO
        part = list(reader.messages())
        assert part[0] == (UTC0, HELLO)
        got += part if not got else part[1:]
    assert got == pairs


def test_smallest_parts_still_end(tmp_path: Path) -> None:
    paths = write_file(tmp_path / "a.mcap", day(3), max_bytes=1)
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


def test_a_minute_is_synced_so_often_that_half_of_it_is_the_most_to_lose(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[float] = []
    now_s, sync = 0.0, os.fsync

    def fsync(fd: int) -> None:
        if os.path.samestat(os.fstat(fd), path.stat()):
            synced.append(now_s)
        sync(fd)

    path = tmp_path / "a.mcap"
    monkeypatch.setattr(os, "fsync", fsync)
    with McapWriter(path) as writer:
        # Not in step with anything: a flush comes with the first block after its time.
        for n in range(86):
            now_s = 0.7 * n
            writer.write(Ping(n), 1.7e9 + now_s)
    assert synced[-1] == now_s
    assert max(np.diff([0.0, *synced])) <= 30.0
    # Each one wears a memory card.
    assert len(synced) <= 4
