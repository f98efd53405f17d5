"""A recording as the body: its exact raw integers, what its board reported as events."""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from firmware_host.errors import RecordingError
from firmware_host.protocol.messages import Button, Channel, EventKind
from firmware_host.recording.e4 import E4Archive
from firmware_host.recording.registry import open_recording
from firmware_host.recording.take import smallest_dtype
from firmware_host.recording.take_reader import TakeReader
from sim.schedule import BodyEvent

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from firmware_host.recording.e4 import E4Channel
    from firmware_host.recording.take import Track

_LOGGER = logging.getLogger(__name__)

_STREAM_ORDER = ("bvp", "eda", "temp", "acc")
_DTYPES = {"bvp": "i32", "eda": "i32", "temp": "i16", "acc": "i8"}
_I8_RANGE = range(-128, 128)
# A gap is held in memory as samples; more of them are no recording of one day or two.
_MAX_SAMPLES = 50_000_000


@dataclass(frozen=True, slots=True)
class _Source:
    """One channel without gaps."""

    channel: Channel
    start_utc: float
    raw: NDArray[Any]

    @property
    def end_utc(self) -> float:
        return self.start_utc + len(self.raw) / self.channel.rate_hz


class RecordingBody:
    """A recording worn again: an Empatica E4 session, or any file that `signet convert` writes but MCAP.

    Body time 0 is the earliest first sample. Presses outside an E4 session are left out: some
    publishers' tags carry a wrong clock. Where samples are missing, the sensor repeats the last one
    before, and a line in the log says how long.

    Raises
    ------
    RecordingError
        If it cannot be read, or is an MCAP recording: that is what a board has said, not a body.
    """

    def __init__(self, path: Path, *, max_duration_s: float = math.inf) -> None:
        is_e4 = path.is_dir() or path.suffix.lower() == ".zip"
        sources, events = _e4_session(path) if is_e4 else _take(path)
        self.start_utc = min(source.start_utc for source in sources)
        end_utc = max(source.end_utc for source in sources)
        self.duration_s = min(end_utc - self.start_utc, max_duration_s)
        self._sources = {source.channel.name: source for source in sources}
        self._told = events
        self._at = dict.fromkeys(self._sources, 0)
        self.channels = tuple(source.channel for source in sources)

    def offset_s(self, name: str) -> float:
        """Body time of the channel's first sample."""
        return self._sources[name].start_utc - self.start_utc

    def read(self, name: str, n: int) -> NDArray[np.int64]:
        """Take the next (up to n, axes) raw samples; fewer only at the end."""
        at = self._at[name]
        part: NDArray[np.int64] = self._sources[name].raw[at : at + n]
        self._at[name] = at + len(part)
        return part

    def events(self) -> list[BodyEvent]:
        """Contact at the start, then what the board reported: of an E4 every tag as a plain press."""
        events = [BodyEvent(0.0, EventKind.WEAR, 1)]
        for utc, kind, value in self._told:
            t_s = utc - self.start_utc
            if 0 <= t_s < self.duration_s:
                events.append(BodyEvent(t_s, kind, value))
        return events

    def dark(self) -> list[tuple[float, float]]:
        """Never: a recording has no pauses without power."""
        return []

    def answer_to_cue(self, t_s: float) -> None:  # noqa: ARG002 - whoever was recorded felt nothing
        """Nobody: the tap comes long after."""
        return


_Told = list[tuple[float, EventKind, int]]


def _e4_session(path: Path) -> tuple[list[_Source], _Told]:
    archive = E4Archive(path)
    sources = []
    for i, name in enumerate(_STREAM_ORDER):
        channel = archive.channels[name]
        sources.append(_Source(_wire_channel(i, channel), channel.start_utc, channel.raw))
    presses = np.sort(archive.tags_utc).tolist()
    return sources, [(utc, EventKind.BUTTON, int(Button.PRESS)) for utc in presses]


def _take(path: Path) -> tuple[list[_Source], _Told]:
    reader = open_recording(path)
    if not isinstance(reader, TakeReader):
        reader.close()
        expected = "a recording of a body; make one with signet convert FILE.mcap FILE.xdf"
        raise RecordingError(path, expected, "what a board has said; signet replay plays it")
    tracks = enumerate(reader.take.tracks)
    return [_without_gaps(i, track, path) for i, track in tracks], list(reader.take.events)


def _without_gaps(stream: int, track: Track, path: Path) -> _Source:
    """One channel with the last sample held where some are missing."""
    old, first = track.channel, track.pieces[0]
    if (track.pieces[-1].end_utc - first.start_utc) * old.rate_hz > _MAX_SAMPLES:
        raise RecordingError(path, f"at most {_MAX_SAMPLES} samples with all gaps", "more")
    parts: list[NDArray[Any]] = []
    n = held = 0
    for piece in track.pieces:
        missing = max(round((piece.start_utc - first.start_utc) * old.rate_hz) - n, 0)
        if missing:
            parts.append(np.repeat(parts[-1][-1:], missing, axis=0))
        parts.append(piece.raw)
        held += missing
        n += missing + len(piece.raw)
    if held:
        held_s = held / old.rate_hz
        _LOGGER.warning("%s: %.1f s are missing and hold the value before", old.name, held_s)
    dtype = smallest_dtype(parts)
    channel = Channel(
        stream, old.name, old.unit, old.rate_hz, old.scale, old.offset, dtype, old.axes
    )
    return _Source(channel, first.start_utc, np.concatenate(parts))


def _wire_channel(stream: int, source: E4Channel) -> Channel:
    dtype = _DTYPES[source.name]
    if dtype == "i8" and not (
        int(source.raw.min()) in _I8_RANGE and int(source.raw.max()) in _I8_RANGE
    ):
        dtype = "i16"
    return Channel(
        stream,
        source.name,
        source.unit,
        source.rate_hz,
        source.scale,
        0.0,
        dtype,
        source.raw.shape[1],
    )
