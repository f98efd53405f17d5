"""What the writers of exchange formats share: a new private file, and words for what a format cannot hold."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from firmware_host.errors import RecordingError, StorageError
from firmware_host.recording.take import Take, Track

Report = Callable[[float], None]
"""Is told the share that is done, 0 to 1."""


@dataclass(frozen=True, slots=True)
class Written:
    """What a new file holds of a recording, and in a line each what it does not."""

    take: Take
    lost: list[str]


# What the field's parsers raise on bytes that are not theirs: they check little, and not in one place.
PARSER_FAULTS = (
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    UnboundLocalError,
    ValueError,
)
MAX_FILE_BYTES = 2_000_000_000
"""Of a file that has to be held in memory; a day of all channels is below 100 MB in any format."""


@contextmanager
def new_file(path: Path) -> Iterator[Path]:
    """A name to write to, which becomes ``path`` at the end, whole or not at all.

    Raises
    ------
    RecordingError
        If ``path`` exists: nothing is ever overwritten.
    StorageError
        If it cannot be written.
    """
    refuse_existing(path)
    draft = path.with_name(f".{path.stem[:100]}-{uuid.uuid4().hex[:8]}{path.suffix}")
    try:
        yield draft
        _publish(draft, path)
    except OSError as err:
        raise StorageError(f"{path}: cannot write ({err.strerror}); nothing was made") from err
    finally:
        with suppress(OSError):
            draft.unlink(missing_ok=True)


def refuse_existing(path: Path) -> None:
    """Raise RecordingError if something is there already."""
    if path.exists() or path.is_symlink():
        raise RecordingError(path, "a new file name", "a file that is already there")


def create(path: Path) -> BinaryIO:
    """Make a new file that only its owner may read: recordings are body signals."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")


def gaps_of(track: Track) -> list[tuple[float, float]]:
    """(from, to) of what is missing between a track's pieces, in UNIX seconds."""
    pairs = zip(track.pieces, track.pieces[1:], strict=False)
    return [(a.end_utc, b.start_utc) for a, b in pairs]


def off_rate(take: Take) -> list[str]:
    """One line a channel whose sensor ran at another rate than it is declared with."""
    lines = []
    for track in take.tracks:
        declared = track.channel.rate_hz
        worst = max((piece.rate_hz for piece in track.pieces), key=lambda r: abs(r - declared))
        if worst != declared:
            lines.append(
                f"{track.channel.name}: came at {worst:.4f} Hz, is written as {declared:g} Hz"
            )
    return lines


def _publish(draft: Path, path: Path) -> None:
    with draft.open("rb") as file:
        os.fsync(file.fileno())
    try:
        # Unlike a rename, a link never replaces what somebody else has put there meanwhile.
        path.hardlink_to(draft)
    except FileExistsError:
        refuse_existing(path)
        raise
    except OSError:
        # Memory cards' file systems have no links.
        refuse_existing(path)
        draft.rename(path)
