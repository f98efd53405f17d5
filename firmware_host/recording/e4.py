"""Empatica E4 session archives: the vendor's folder of CSV files, zipped or not.

Each signal file starts with two header rows, start time and sample rate. The start time is UNIX
seconds as the vendor writes it, or a UTC date-time string as some publishers rewrite it.
"""

from __future__ import annotations

import hashlib
import lzma
import math
import warnings
import zipfile
import zlib
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Protocol

import numpy as np

from firmware_host.errors import RecordingError
from firmware_host.units import E4_ACC_MS2_PER_COUNT

if TYPE_CHECKING:
    from numpy.typing import NDArray

# A day of ACC text is about 40 MB; ten times that is not an E4 session.
MAX_FILE_BYTES = 400_000_000
# The device's rates run from 1 Hz (HR) to 64 Hz (BVP); anything far outside is a broken header.
MIN_RATE_HZ = 0.1
MAX_RATE_HZ = 1000.0
# The first moment that no date can be written of.
MAX_UTC = 253_402_300_800.0


@dataclass(frozen=True, slots=True)
class _FileSpec:
    """How one CSV maps to a channel: SI = raw * scale, and raw = cell * raw_per_cell."""

    channel: str
    unit: str
    n_axes: int
    scale: float
    raw_per_cell: float


# ACC cells are already raw (1/64 g); the other cells are in units and get the wire's resolution.
FILES = {
    "BVP.csv": _FileSpec("bvp", "au", 1, 0.01, 100.0),
    "EDA.csv": _FileSpec("eda", "uS", 1, 1e-6, 1e6),
    "TEMP.csv": _FileSpec("temp", "degC", 1, 0.01, 100.0),
    "ACC.csv": _FileSpec("acc", "m/s2", 3, E4_ACC_MS2_PER_COUNT, 1.0),
}
TAGS_FILE = "tags.csv"


@dataclass(frozen=True, slots=True)
class E4Channel:
    """One signal of the archive; `values` is exactly `raw * scale`, as on the wire.

    Shapes: raw and values (n_samples, n_axes). Units: bvp au, eda µS, temp °C, acc m/s².
    """

    name: str
    unit: str
    start_utc: float
    rate_hz: float
    scale: float
    raw: NDArray[np.int64]
    values: NDArray[np.float64]

    @property
    def end_utc(self) -> float:
        """Time just after the last sample, UNIX seconds."""
        return self.start_utc + len(self.raw) / self.rate_hz


class E4Source(Protocol):
    """The files of a session, wherever they are."""

    def names(self) -> dict[str, str]:
        """Full name by base name, such as BVP.csv."""
        ...

    def read(self, full_name: str) -> bytes:
        """Content; RecordingError if it is not readable."""
        ...


class E4Archive:
    """One E4 session, read completely: signals and button tags.

    Parameters
    ----------
    path
        A `.zip` (stored, deflated, bzip2 or LZMA) or a folder. The files may sit one or more
        folders down, but there must be one session only.
    files
        Where the files are, if they are not at `path`, which is then for messages only.

    Raises
    ------
    RecordingError
        If a file is missing, empty, truncated, not numeric, or present twice.
    """

    def __init__(self, path: str | Path, files: E4Source | None = None) -> None:
        self.path = Path(path)
        source = files or _open_source(self.path)
        members = source.names()
        self.channels: dict[str, E4Channel] = {}
        for file_name, spec in FILES.items():
            if file_name not in members:
                raise RecordingError(
                    self.path,
                    f"an E4 session with {', '.join(FILES)}",
                    f"no {file_name}; export the session again",
                )
            text = source.read(members[file_name])
            self.channels[spec.channel] = _parse_signal(text, spec, f"{self.path}:{file_name}")
        tags = source.read(members[TAGS_FILE]) if TAGS_FILE in members else b""
        # File order is protocol order; some sessions carry a tag with a wrong clock.
        self.tags_utc = _parse_tags(tags, f"{self.path}:{TAGS_FILE}")

    @property
    def start_utc(self) -> float:
        """Earliest first sample of any channel, UNIX seconds."""
        return min(channel.start_utc for channel in self.channels.values())

    @property
    def end_utc(self) -> float:
        """Time just after the last sample of any channel, UNIX seconds."""
        return max(channel.end_utc for channel in self.channels.values())

    def content_sha256(self) -> str:
        """Hash of the BVP samples: the same session packed differently has the same hash."""
        raw = self.channels["bvp"].raw[:, 0]
        return hashlib.sha256(raw.astype("<i4").tobytes()).hexdigest()


class _FolderSource:
    def __init__(self, path: Path) -> None:
        self._path = path

    def names(self) -> dict[str, str]:
        files = sorted(str(p) for p in self._path.rglob("*") if p.is_file())
        return _unique_names(files, self._path)

    def read(self, full_name: str) -> bytes:
        path = Path(full_name)
        if path.stat().st_size > MAX_FILE_BYTES:
            raise _too_large(full_name, path.stat().st_size)
        try:
            return path.read_bytes()
        except OSError as err:
            raise RecordingError(path, "a readable file", str(err.strerror)) from err


class _ZipSource:
    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            with zipfile.ZipFile(path) as archive:
                self._sizes = {i.filename: i.file_size for i in archive.infolist()}
        except (zipfile.BadZipFile, OSError, EOFError, ValueError, RuntimeError) as err:
            raise RecordingError(
                path, "a complete zip archive", f"one that does not open ({err}); copy it again"
            ) from err

    def names(self) -> dict[str, str]:
        return _unique_names([n for n in self._sizes if not n.endswith("/")], self._path)

    def read(self, full_name: str) -> bytes:
        if self._sizes[full_name] > MAX_FILE_BYTES:
            raise _too_large(full_name, self._sizes[full_name])
        broken = (zipfile.BadZipFile, lzma.LZMAError, zlib.error, EOFError, OSError)
        try:
            with zipfile.ZipFile(self._path) as archive:
                return archive.read(full_name)
        except (*broken, RuntimeError, ValueError) as err:
            raise RecordingError(
                f"{self._path}:{full_name}",
                "readable data",
                f"a damaged or encrypted member ({err}); copy the archive again",
            ) from err


def _open_source(path: Path) -> E4Source:
    if path.is_dir():
        return _FolderSource(path)
    if not path.is_file():
        raise RecordingError(path, "an E4 zip or folder", "nothing there")
    return _ZipSource(path)


def _unique_names(full_names: list[str], path: Path) -> dict[str, str]:
    """Base name -> full name of the files we read; macOS resource copies are not files."""
    wanted = {*FILES, TAGS_FILE}
    found: dict[str, str] = {}
    for full_name in full_names:
        pure = PurePosixPath(full_name)
        if "__MACOSX" in pure.parts or pure.name not in wanted:
            continue
        if pure.name in found:
            raise RecordingError(
                path,
                "one session",
                f"{pure.name} twice ({found[pure.name]}, {full_name}); name one session's folder",
            )
        found[pure.name] = full_name
    return found


def _too_large(name: str, size: int) -> RecordingError:
    return RecordingError(name, f"at most {MAX_FILE_BYTES} bytes", f"{size}; not an E4 session")


def _parse_signal(text: bytes, spec: _FileSpec, where: str) -> E4Channel:
    head = text.split(b"\n", 2)
    if len(head) < 3 or not head[2].strip():
        raise RecordingError(where, "two header rows and samples", "an empty or cut file")
    start_utc = _parse_time(_first_cell(head[0]), where)
    rate_hz = _parse_rate(_first_cell(head[1]), where)
    cells = _parse_cells(head[2], spec.n_axes, where)
    # What no integer holds becomes the largest or smallest one; the reader refuses both.
    with np.errstate(over="ignore", invalid="ignore"):
        raw = np.rint(cells * spec.raw_per_cell).astype(np.int64)
    return E4Channel(spec.channel, spec.unit, start_utc, rate_hz, spec.scale, raw, raw * spec.scale)


def _first_cell(row: bytes) -> str:
    return row.split(b",", 1)[0].decode("ascii", "replace").strip()


def _parse_time(cell: str, where: str) -> float:
    """UNIX seconds from either header style; a date-time without a zone is UTC."""
    utc = _seconds(cell)
    if not 0 <= utc < MAX_UTC:
        raise RecordingError(where, "UNIX seconds or a date-time, 1970 to 9999", repr(cell[:40]))
    return utc


def _seconds(cell: str) -> float:
    """UNIX seconds, NaN for what is no time."""
    try:
        return float(cell)
    except ValueError:
        pass
    try:
        moment = datetime.fromisoformat(cell)
    except ValueError:
        return math.nan
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _parse_rate(cell: str, where: str) -> float:
    try:
        rate_hz = float(cell)
    except ValueError as err:
        raise RecordingError(where, "a sample rate", repr(cell[:40])) from err
    if not MIN_RATE_HZ <= rate_hz <= MAX_RATE_HZ:
        raise RecordingError(
            where, f"a sample rate of {MIN_RATE_HZ}-{MAX_RATE_HZ} Hz", repr(cell[:40])
        )
    return rate_hz


def _parse_cells(body: bytes, n_axes: int, where: str) -> NDArray[np.float64]:
    """(n_samples, n_axes) numbers as written; a cut last row or a non-number is refused."""
    body = body.rstrip()
    n_rows = body.count(b"\n") + 1
    try:
        with warnings.catch_warnings():
            # numpy reports the first unreadable cell as a deprecation, not as an error.
            warnings.simplefilter("error", DeprecationWarning)
            flat = np.fromstring(body.replace(b",", b" "), dtype=np.float64, sep=" ")
    except (DeprecationWarning, ValueError) as err:
        raise RecordingError(where, "numbers only", "a cell that is not one") from err
    if len(flat) != n_rows * n_axes:
        raise RecordingError(
            where,
            f"{n_axes} value(s) in each of {n_rows} rows",
            f"{len(flat)} values; the file is cut or has blank rows",
        )
    if not np.isfinite(flat).all():
        raise RecordingError(where, "finite numbers", "NaN or infinity")
    return flat.reshape(n_rows, n_axes)


def _parse_tags(text: bytes, where: str) -> NDArray[np.float64]:
    cells = [_first_cell(row) for row in text.splitlines() if row.strip()]
    return np.array([_parse_time(cell, where) for cell in cells], dtype=np.float64)
