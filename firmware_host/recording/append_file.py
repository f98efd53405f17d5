"""A file that only grows, and in whole pieces."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from firmware_host.errors import RecordingError, StorageError

# Some file systems have no way to sync a folder; a recording is still better than none.
_NO_SYNC = (errno.EINVAL, errno.ENOTSUP)


class AppendFile:
    """A new file to append to; what was appended stays, whatever happens next.

    The file is private to its owner: recordings are body signals. `append` writes all of a piece
    or, if the disk is full, takes back what it wrote of it, so that the file always ends where a
    piece ended.

    Raises
    ------
    RecordingError
        If the file exists: nothing is ever overwritten.
    StorageError
        If it cannot be made or written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size_bytes = 0
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        try:
            self._fd = os.open(path, flags, 0o600)
        except FileExistsError as err:
            raise RecordingError(path, "a new file name", "a file that is already there") from err
        except OSError as err:
            raise StorageError(f"{path}: cannot make the recording ({err.strerror})") from err
        try:
            self._sync_folder()
        except OSError as err:
            if err.errno not in _NO_SYNC:
                # A name without content would be taken for a recording.
                self.close()
                path.unlink(missing_ok=True)
                raise StorageError(f"{path}: cannot make the recording ({err.strerror})") from err

    def append(self, piece: bytes) -> None:
        """Write one piece to the end of the file."""
        rest = memoryview(piece)
        try:
            while rest:
                rest = rest[self._write(rest) :]
        except OSError as err:
            self._take_back()
            raise StorageError(
                f"{self.path}: cannot write ({err.strerror}); recording stopped, "
                f"{_kept(self.size_bytes)}: {_advice(err)}"
            ) from err
        self.size_bytes += len(piece)

    def sync(self) -> None:
        """Have the system put everything on the disk itself, against power loss."""
        try:
            os.fsync(self._fd)
        except OSError as err:
            raise StorageError(f"{self.path}: cannot write ({err.strerror})") from err

    def close(self) -> None:
        """Close the file; may be called twice."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _write(self, data: memoryview) -> int:
        return os.write(self._fd, data)

    def _take_back(self) -> None:
        try:
            os.ftruncate(self._fd, self.size_bytes)
        except OSError:
            # The cut piece stays; readers stop before it.
            return

    def _sync_folder(self) -> None:
        """Without this a power cut may lose the file's name."""
        fd = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)


def _kept(n_bytes: int) -> str:
    return f"the first {n_bytes} bytes are kept" if n_bytes else "nothing of this file is kept"


def _advice(err: OSError) -> str:
    if err.errno == errno.EFBIG:
        return (
            "no file may be larger here (ulimit -f, or its file system): set recording.max_file_mb"
        )
    if err.errno in (errno.ENOSPC, errno.EDQUOT):
        return "free some space"
    return "check the disk"
