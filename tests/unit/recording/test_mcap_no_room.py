"""Where nothing can be written: one clear line, and what was written stays readable."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from firmware_host.errors import RecordingError, StorageError
from firmware_host.recording.append_file import AppendFile
from firmware_host.recording.mcap_file import McapReader, McapWriter
from tests.unit.recording.mcap_fixtures import HELLO, UTC0, day, write_file


def test_recording_is_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "a.mcap"
    path.write_bytes(b"precious")
    with pytest.raises(RecordingError, match="already there"):
        McapWriter(path)
    assert path.read_bytes() == b"precious"


def test_recording_is_private(tmp_path: Path) -> None:
    write_file(tmp_path / "a.mcap", day())
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
    pairs = day(60)
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
