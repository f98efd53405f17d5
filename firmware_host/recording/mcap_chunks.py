"""The chunks of an MCAP file, pass by pass, and what of them is damaged or missing."""

from __future__ import annotations

import io
import logging
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING

from firmware_host.errors import RecordingError
from firmware_host.recording.mcap_index import McapIndex, read_index
from firmware_host.recording.mcap_records import open_chunk, read_chunk, read_records
from firmware_host.words import counted

if TYPE_CHECKING:
    from mcap.records import McapRecord

_LOGGER = logging.getLogger(__name__)

# Every whole MCAP file begins and ends with it.
_MAGIC = b"\x89MCAP0\r\n"


class McapChunks:
    """Goes over a file by the index at its end, or in order where there is none; each pass on its own.

    Raises
    ------
    RecordingError
        If the file cannot be read, from a pass too; from that also if it is not MCAP.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.is_closed = False
        self.is_complete = False
        """Whether a pass came to the end of the file."""
        self.n_damaged = 0
        """Chunks, and stretches between them, that were left out."""
        self.index = self._find_index()
        """None is to read in order."""
        self._is_told = False
        # Nothing can be told before it is known how much there is.
        self._duration_s: float | None = None

    def known(self) -> list[McapRecord]:
        """Schemas and channels that need not be read."""
        return [] if self.index is None else [*self.index.schemas, *self.index.channels]

    def holding(self, schema: str) -> list[int] | None:
        """Numbers of the chunks with messages of a schema, None if it may be any."""
        if self.index is None:
            return None
        with self.path.open("rb") as file:
            return self.index.holding(file, [schema])

    def records(self, numbers: Iterable[int] | None = None) -> Iterator[tuple[McapRecord, bytes]]:
        """Read records up to the end or the cut, or the chunks of these numbers; with a chunk comes what it holds."""
        if self.is_closed:
            msg = f"{self.path}: recording is closed"
            raise ValueError(msg)
        try:
            # Each pass has its own handle, so that two may run at once.
            with self.path.open("rb") as file:
                if self.index is None:
                    yield from self._in_order(file)
                else:
                    some = range(len(self.index)) if numbers is None else numbers
                    yield from self._by_number(file, self.index, some)
        except OSError as err:
            reason = err.strerror or "nothing"
            raise RecordingError(self.path, "a readable MCAP file", reason) from err

    def kind(self) -> str:
        """What kind of file it is in which no HELLO was found."""
        if self.is_complete and not self.n_damaged:
            return "an MCAP file without one"
        if self.path.stat().st_size == 0:
            return "an empty file"
        if not self.is_complete:
            return "a file without one, cut or damaged before the first readable part"
        return f"a file with none left, {self.n_damaged} damaged parts"

    def warn_of_loss(self, duration_s: float) -> None:
        """Say once what is damaged or missing of so long a recording: now, or as soon as it is known."""
        self._duration_s = duration_s
        self._warn()

    def _find_index(self) -> McapIndex | None:
        try:
            with self.path.open("rb") as file:
                return read_index(file)
        except OSError as err:
            reason = err.strerror or "nothing"
            raise RecordingError(self.path, "a readable MCAP file", reason) from err

    def _by_number(
        self, file: IO[bytes], index: McapIndex, numbers: Iterable[int]
    ) -> Iterator[tuple[McapRecord, bytes]]:
        damaged = 0
        try:
            for number in numbers:
                chunk = read_chunk(file, index.places[number])
                inside = b"" if chunk is None else open_chunk(chunk)
                if chunk is None or not inside:
                    damaged += 1
                else:
                    yield chunk, inside
        finally:
            self.n_damaged = max(self.n_damaged, damaged)
            if damaged:
                self._warn()

    def _in_order(self, file: IO[bytes]) -> Iterator[tuple[McapRecord, bytes]]:
        from mcap.exceptions import InvalidMagic, McapError
        from mcap.records import Chunk, Footer

        n_damaged = 0
        try:
            for record in read_records(file):
                if record is None:
                    n_damaged += 1
                    continue
                inside = open_chunk(record) if isinstance(record, Chunk) else b""
                n_damaged += isinstance(record, Chunk) and not inside
                yield record, inside
                self.is_complete |= isinstance(record, Footer)
        except InvalidMagic as err:
            if not self.is_complete:
                raise RecordingError(self.path, "an MCAP file", "another kind of file") from err
        except (McapError, struct.error, UnicodeDecodeError, OverflowError):
            # Cut or damaged in the middle of a record: what came before is whole.
            pass
        self.n_damaged = n_damaged

    def _warn(self) -> None:
        is_whole = self.is_complete and not self.n_damaged
        if self._is_told or self._duration_s is None or is_whole:
            return
        self._is_told = True
        if n := self.n_damaged:
            _LOGGER.warning("%s: %s left out", self.path, counted(n, "damaged part"))
        if not self.is_complete:
            what = "damaged inside" if self._ends_whole() else "cut at the end"
            minutes, seconds = divmod(int(self._duration_s), 60)
            read = f"{minutes // 60:02d}:{minutes % 60:02d}:{seconds:02d}"
            _LOGGER.warning("%s: %s; read up to %s from its start", self.path, what, read)

    def _ends_whole(self) -> bool:
        with self.path.open("rb") as file:
            file.seek(max(0, file.seek(0, io.SEEK_END) - len(_MAGIC)))
            return file.read() == _MAGIC
