"""How much room recordings may take, all those of one folder together."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

from firmware_host.errors import QuotaReached, StorageError
from firmware_host.recording.append_file import AppendFile

_LOGGER = logging.getLogger(__name__)

_BYTES_PER_MB = 1_000_000
_PATTERN = "*.mcap"
# MCAP begins with its magic and a header record, which names the profile (specification, section Header).
_PROFILE_AT, _PROFILE = 17, b"\x06\x00\x00\x00signet"
# The folder is looked through again after this much: others may write there too.
_LOOK_EVERY_BYTES = 1_000_000


class Quota:
    """Keeps the recordings of a folder within ``max_bytes``; only Signet's own MCAP files count.

    Parameters
    ----------
    deletes_oldest
        Makes room by deleting the recordings written to longest ago, also those made before, never the one
        being written; without, recording stops. A recording is never deleted unasked, or without a line.
    deleted
        Is told of each deleted file.
    """

    def __init__(
        self,
        max_mb: float,
        *,
        deletes_oldest: bool,
        deleted: Callable[[Path], None] = lambda _: None,
    ) -> None:
        self._max_bytes = int(max_mb * _BYTES_PER_MB)
        self._deletes_oldest = deletes_oldest
        self._deleted = deleted
        self._made: set[Path] = set()
        self._kept = "what is there now" if deletes_oldest else "everything recorded"

    def open_file(self, path: Path) -> AppendFile:
        """Make a file that grows within the quota.

        Raises
        ------
        QuotaReached
            From here and from ``append``, if there is no room and none may be made. What was
            written before stays.
        """
        file = _QuotaFile(path, self)
        self._made.add(path)
        return file

    def claim(self, path: Path, n_bytes: int) -> int:
        """See that ``path`` may grow to ``n_bytes``; returns how much more there is room for.

        Raises
        ------
        QuotaReached
            If it may not.
        """
        others = _recordings(path)
        room = self._max_bytes - n_bytes - sum(size for _, size, _ in others)
        for _, size, other in sorted(others):
            if room >= 0 or not self._deletes_oldest:
                break
            _delete(other)
            whose = "" if other in self._made else "an earlier recording, "
            _LOGGER.warning(
                "%s: %sdeleted to make room, as quota_deletes_oldest says", other, whose
            )
            self._deleted(other)
            room += size
        if room < 0:
            quota_mb = self._max_bytes / _BYTES_PER_MB
            raise QuotaReached(
                f"{path.parent}: recordings there have reached the quota of {quota_mb:g} MB; recording "
                f"stopped, {self._kept} is kept: move recordings away or raise recording.quota_mb"
            )
        return room


class _QuotaFile(AppendFile):
    def __init__(self, path: Path, quota: Quota) -> None:
        quota.claim(path, 0)
        super().__init__(path)
        self._quota = quota
        self._claimed_bytes = 0

    def append(self, piece: bytes) -> None:
        size = self.size_bytes + len(piece)
        if size > self._claimed_bytes:
            room = self._quota.claim(self.path, size)
            self._claimed_bytes = size + min(room, _LOOK_EVERY_BYTES)
        super().append(piece)


def _recordings(path: Path) -> list[tuple[float, int, Path]]:
    """(time of the last write, bytes, path) of the folder's recordings but ``path``."""
    found = []
    for other in path.parent.glob(_PATTERN):
        try:
            about = other.stat()
            if other.name != path.name and other.is_file() and _is_ours(other):
                found.append((about.st_mtime, about.st_size, other))
        except OSError:
            # Somebody moved it away meanwhile.
            continue
    return found


def _is_ours(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(_PROFILE_AT + len(_PROFILE))[_PROFILE_AT:] == _PROFILE


def _delete(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as err:
        raise StorageError(f"{path}: cannot delete to make room ({err.strerror})") from err
