"""Recordings that go on in further files, and the room that all of them may take."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from firmware_host.errors import QuotaReached, RecordingError, StorageError
from firmware_host.protocol.messages import Block, Channel, Hello
from firmware_host.recording.labels import Label
from firmware_host.recording.mcap_file import McapReader, McapWriter
from firmware_host.recording.quota import Quota

UTC0 = 1.7e9
NOISE = Channel(0, "noise", "au", 32.0, 1.0, 0.0, "i32", 1)
HELLO = Hello(1, "b", "f", (NOISE,))


def _block(n: int) -> Block:
    # Random, so that a file grows with what is in it.
    return Block(1, 0, n % 65536, n * 1_000_000, 0, 32 * n, os.urandom(128))


def _fill(writer: McapWriter, n_s: int) -> int:
    """Write seconds of noise; returns how many went in."""
    writer.write(HELLO, UTC0)
    for n in range(n_s):
        try:
            writer.write(_block(n), UTC0 + n + 1)
        except QuotaReached:
            return n
    return n_s


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.glob("*.mcap"))


def test_part_ends_with_its_time_and_a_clock_set_back_does_not_prolong_it(tmp_path: Path) -> None:
    with McapWriter(tmp_path / "a.mcap", max_s=60.0) as writer:
        writer.write(HELLO, UTC0)
        for n in range(150):
            writer.write(_block(n), UTC0 + n + 1)
        n_before = len(writer.paths)
        for n in range(150):
            writer.write(_block(150 + n), UTC0 - 7200 + n)
    assert n_before == 3
    assert len(writer.paths) == 5
    for path in writer.paths[:2]:
        reader = McapReader(path)
        assert reader.chunks.is_complete
        times = [utc for utc, message in reader.messages() if isinstance(message, Block)]
        assert 57 <= times[-1] - times[0] <= 63
    blocks = [m for p in writer.paths for _, m in McapReader(p).messages() if isinstance(m, Block)]
    assert [b.sample_idx for b in blocks] == [32 * n for n in range(300)]


def test_recording_stops_at_the_quota_and_stays_readable(tmp_path: Path) -> None:
    quota = Quota(0.05, deletes_oldest=False)
    writer = McapWriter(tmp_path / "a.mcap", open_file=quota.open_file)
    n = _fill(writer, 1000)
    writer.close()
    assert 20 < n < 1000
    assert 30_000 < _size(tmp_path) <= 50_000
    blocks = [m for _, m in McapReader(tmp_path / "a.mcap").messages() if isinstance(m, Block)]
    assert n - 4 <= len(blocks) <= n


def test_error_says_what_to_do_in_one_line(tmp_path: Path) -> None:
    _fill(McapWriter(tmp_path / "old.mcap"), 400)
    quota = Quota(0.05, deletes_oldest=False)
    with pytest.raises(QuotaReached, match=r"quota of 0\.05 MB; recording stopped, .*quota_mb"):
        McapWriter(tmp_path / "a.mcap", open_file=quota.open_file)
    assert not (tmp_path / "a.mcap").exists()


def test_oldest_go_only_when_asked_and_are_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    gone: list[Path] = []
    for n, name in enumerate(("older", "old")):
        with McapWriter(tmp_path / f"{name}.mcap") as writer:
            _fill(writer, 100)
        os.utime(tmp_path / f"{name}.mcap", (1e9 + n, 1e9 + n))
    quota = Quota(0.06, deletes_oldest=True, deleted=gone.append)
    with McapWriter(tmp_path / "a.mcap", open_file=quota.open_file, max_bytes=15_000) as writer:
        assert _fill(writer, 600) == 600
    assert gone[:3] == [tmp_path / "older.mcap", tmp_path / "old.mcap", tmp_path / "a.mcap"]
    assert _size(tmp_path) <= 60_000
    assert caplog.text.count("deleted to make room") == len(gone)
    # What is left is the latest.
    left = sorted(tmp_path.glob("*.mcap"), key=lambda p: p.stat().st_mtime)
    blocks = [m for p in left for _, m in McapReader(p).messages() if isinstance(m, Block)]
    assert blocks[-1].sample_idx == 32 * 599


def test_files_of_others_neither_count_nor_go(tmp_path: Path) -> None:
    foreign = tmp_path / "robot.mcap"
    foreign.write_bytes(b"\x89MCAP0\r\n\x01\x14\0\0\0\0\0\0\0\x04\0\0\0ros2" + bytes(200_000))
    (tmp_path / "diary.txt").write_bytes(bytes(200_000))
    quota = Quota(0.05, deletes_oldest=True)
    with McapWriter(tmp_path / "a.mcap", open_file=quota.open_file, max_bytes=10_000) as writer:
        assert _fill(writer, 300) == 300
    assert foreign.stat().st_size > 200_000
    assert (tmp_path / "diary.txt").stat().st_size == 200_000


def test_alone_and_full_stops_even_if_the_oldest_may_go(tmp_path: Path) -> None:
    quota = Quota(0.02, deletes_oldest=True)
    writer = McapWriter(tmp_path / "a.mcap", open_file=quota.open_file)
    assert _fill(writer, 1000) < 1000
    writer.close()
    assert McapReader(tmp_path / "a.mcap").duration_s > 10


def test_no_room_for_the_next_part_leaves_the_last_one_whole(tmp_path: Path) -> None:
    quota = Quota(0.02, deletes_oldest=False)
    writer = McapWriter(tmp_path / "a.mcap", open_file=quota.open_file, max_bytes=19_000)
    assert _fill(writer, 1000) < 1000
    with pytest.raises(StorageError, match=r"quota of 0\.02 MB"):
        writer.write(_block(0), UTC0 + 5000)
    writer.close()
    assert McapReader(tmp_path / "a.mcap").duration_s > 10


def test_small_file_cut_at_every_byte_opens_up_to_its_last_whole_part(tmp_path: Path) -> None:
    path, cut = tmp_path / "a.mcap", tmp_path / "cut.mcap"
    # One channel: with fewer schemas there are fewer bytes to cut at.
    pairs = [(UTC0, HELLO), *((UTC0 + n + 1, _block(n)) for n in range(3))]
    label = Label(UTC0, UTC0 + 1, "rest", "button")
    with McapWriter(path, flush_s=1.0) as writer:
        for utc, message in pairs:
            writer.write(message, utc)
        writer.write_label(label, pairs[-1][0])
    whole = path.read_bytes()
    n_before = 0
    for size in range(len(whole) + 1):
        cut.write_bytes(whole[:size])
        try:
            got = list(McapReader(cut).messages())
        except RecordingError:
            assert n_before == 0, f"readable before, not at byte {size}"
            continue
        assert got == pairs[: len(got)]
        assert len(got) >= n_before, f"less than before at byte {size}"
        n_before = len(got)
    assert n_before == len(pairs)
    assert McapReader(cut).labels() == [label]
