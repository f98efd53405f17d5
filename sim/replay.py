"""A recording as the body: its exact raw integers, its button tags as events."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from firmware_host.protocol.messages import Button, Channel, EventKind
from firmware_host.recording.e4 import E4Archive
from sim.schedule import BodyEvent

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from firmware_host.recording.e4 import E4Channel

_STREAM_ORDER = ("bvp", "eda", "temp", "acc")
_DTYPES = {"bvp": "i32", "eda": "i32", "temp": "i16", "acc": "i8"}
_I8_RANGE = range(-128, 128)


class RecordingBody:
    """An Empatica E4 session worn again.

    Body time 0 is the earliest first sample. Tags outside the session are left out: some
    publishers' tags carry a wrong clock.

    Raises
    ------
    RecordingError
        If the archive is not a whole E4 session.
    """

    def __init__(self, path: Path, *, max_duration_s: float = math.inf) -> None:
        archive = E4Archive(path)
        self.start_utc = archive.start_utc
        self.duration_s = min(archive.end_utc - archive.start_utc, max_duration_s)
        self._sources = archive.channels
        self._tags_utc = archive.tags_utc
        self._at = dict.fromkeys(_STREAM_ORDER, 0)
        self.channels = tuple(
            _wire_channel(i, self._sources[name]) for i, name in enumerate(_STREAM_ORDER)
        )

    def offset_s(self, name: str) -> float:
        """Body time of the channel's first sample."""
        return self._sources[name].start_utc - self.start_utc

    def read(self, name: str, n: int) -> NDArray[np.int64]:
        """Take the next (up to n, axes) raw samples; fewer only at the end."""
        at = self._at[name]
        part = self._sources[name].raw[at : at + n]
        self._at[name] = at + len(part)
        return part

    def events(self) -> list[BodyEvent]:
        """Contact at the start, then every tag as a plain button press."""
        events = [BodyEvent(0.0, EventKind.WEAR, 1)]
        for tag_utc in np.sort(self._tags_utc).tolist():
            t_s = tag_utc - self.start_utc
            if 0 <= t_s < self.duration_s:
                events.append(BodyEvent(t_s, EventKind.BUTTON, int(Button.PRESS)))
        return events

    def dark(self) -> list[tuple[float, float]]:
        """Never: a recording has no pauses without power."""
        return []

    def answer_to_cue(self, t_s: float) -> None:  # noqa: ARG002 - whoever was recorded felt nothing
        """Nobody: the tap comes long after."""
        return


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
