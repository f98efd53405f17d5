"""Recordings that were cut or damaged: what is whole is read, what is lost is told."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from firmware_host.errors import RecordingError
from firmware_host.recording.mcap_file import McapReader, McapWriter
from tests.unit.recording.mcap_fixtures import UTC0, day, write_file


def test_file_cut_at_any_byte_opens_up_to_the_last_whole_chunk(tmp_path: Path) -> None:
    path, cut = tmp_path / "a.mcap", tmp_path / "cut.mcap"
    pairs = day(40)
    write_file(path, pairs)
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
    pairs = [p for p in day(30) if p[0] <= UTC0 + 20]
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
    pairs = day(40)
    write_file(path, pairs)
    data = bytearray(path.read_bytes())
    at = data.find(b"zstd", len(data) // 2)
    data[at + 30] ^= 0x55
    path.write_bytes(data)
    reader = McapReader(path)
    got = list(reader.messages())
    assert reader.chunks.n_damaged == 1
    assert 0 < len(got) < len(pairs)
    assert all(pair in pairs for pair in got)


def test_damaged_part_is_told_in_one_line_when_it_is_read(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "a.mcap"
    write_file(path, day(40))
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
    write_file(path, day(100))
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
    write_file(path, day(40))
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
    assert messages[-1] == day(40)[-1]
    assert len(day(40)) - 40 < len(messages) < len(day(40))


def test_every_bit_of_a_chunks_head_may_be_wrong_without_an_index(tmp_path: Path) -> None:
    """At most that chunk is lost, whatever is wrong with where it ends, how it is packed, or what it is called."""
    path = tmp_path / "a.mcap"
    write_file(path, day(40))
    whole = bytearray(path.read_bytes())
    whole[-9] ^= 1
    pairs = day(40)
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
        assert reader.chunks.is_complete
        assert not lost or reader.chunks.n_damaged == 1
        assert len(lost) <= 12
        assert reader.duration_s == pytest.approx(pairs[-1][0] - pairs[0][0], abs=2.5)


@pytest.mark.parametrize("seed", range(3))
def test_fifty_wrong_bits_cost_the_chunks_they_are_in(tmp_path: Path, seed: int) -> None:
    path = tmp_path / "a.mcap"
    write_file(path, day(240))
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
    pairs = day(240)
    reader = McapReader(path)
    messages = list(reader.messages())
    assert all(pair in pairs for pair in messages)
    assert messages[-1][0] > pairs[-1][0] - 10
    assert len(messages) > len(pairs) * 0.6
    assert reader.chunks.n_damaged > 20


def test_recording_is_refused_when_every_part_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / "a.mcap"
    write_file(path, day(40))
    data = bytearray(path.read_bytes())
    at = data.find(b"zstd")
    while at >= 0:
        data[at + 30] ^= 0x55
        at = data.find(b"zstd", at + 1)
    path.write_bytes(data)
    with pytest.raises(RecordingError, match=r"none left, \d+ damaged parts") as caught:
        McapReader(path)
    assert "\n" not in str(caught.value)


def test_length_beyond_all_measure_ends_the_reading_as_a_cut_does(tmp_path: Path) -> None:
    path = tmp_path / "a.mcap"
    write_file(path, day(20))
    whole = bytearray(path.read_bytes())
    # The second chunk's data length, after its opcode, length, two times, size, CRC and "zstd".
    second = whole.index(b"zstd", whole.index(b"zstd") + 1)
    whole[second + 4 : second + 12] = b"\xff" * 8
    path.write_bytes(whole)
    reader = McapReader(path)
    assert 0 < len(list(reader.messages())) < len(day(20))
    assert reader.chunks.n_damaged == 1
    path.write_bytes(whole[:-1])
    reader = McapReader(path)
    assert not reader.chunks.is_complete
    assert 0 < len(list(reader.messages())) < len(day(20))


def test_chunk_that_unpacks_to_more_than_any_memory_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "a.mcap"
    write_file(path, day(20))
    whole = bytearray(path.read_bytes())
    magic = b"\x28\xb5\x2f\xfd"
    second = whole.index(magic, whole.index(magic) + 1)
    # RFC 8878, section 3.1.1.1: a frame of one segment with its length in the next eight bytes.
    whole[second + 4 : second + 13] = b"\xe0" + (1 << 60).to_bytes(8, "little")
    path.write_bytes(whole)
    reader = McapReader(path)
    assert 0 < len(list(reader.messages())) < len(day(20))
    assert reader.chunks.n_damaged == 1
