"""A recording of any exchange format as a board that speaks our protocol."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from firmware_host.errors import RecordingError
from firmware_host.protocol.messages import Block, Channel, Event, Hello, Message
from firmware_host.recording.labels import Label
from firmware_host.recording.take import NUMPY_TYPES, Counts, Marker, Take, Track, smallest_dtype
from firmware_host.units import MICROSECONDS_PER_SECOND, TICKS_WRAP_US

# Half a second of a fast channel, as boards send it; a slow one waits for no more than this.
_BLOCK_S = 0.5
_MAX_SEQ = 1 << 16
_MAX_IDX = 1 << 32


@dataclass(frozen=True, slots=True)
class _Source:
    """One channel cut into blocks; times in µs since the start."""

    channel: Channel
    blocks: list[Counts]
    first_us: NDArray[np.int64]
    last_us: NDArray[np.int64]
    sample_idx: NDArray[np.int64]


class TakeReader:
    """Messages of a `Take`, as if a board had sent them without delay.

    The board's clock starts at zero with the first sample. A block arrives when its last sample was taken;
    missing samples are missing from the sample index too, so that they show as a gap.

    Raises
    ------
    RecordingError
        If a channel's counts do not fit the wire.
    """

    def __init__(self, path: str | Path, load: Callable[[Path], Take]) -> None:
        self.path = Path(path)
        self.take = load(self.path)
        self.start_utc = self.take.start_utc
        self._sources = [self._cut(i, track) for i, track in enumerate(self.take.tracks)]
        self.duration_s = self.take.end_utc - self.start_utc
        events = [e for e in self.take.events if 0 <= e[0] - self.start_utc <= self.duration_s]
        self._events = sorted(events, key=lambda event: event[0])
        # Never 0, which host frames use.
        session = int(_content_sha256(self.take)[:4], 16) or 1
        channels = tuple(source.channel for source in self._sources)
        self.hello = Hello(session, self.take.board_id, self.take.firmware, channels)

    def messages(self, since_utc: float = -math.inf) -> Iterator[tuple[float, Message]]:
        """(arrival_utc, message): HELLO, then blocks and events in order of arrival."""
        yield self.start_utc, self.hello
        events_us = np.array([self._us(utc) for utc, _, _ in self._events], dtype=np.int64)
        arrivals = [source.last_us for source in self._sources] + [events_us]
        owner = np.repeat(np.arange(len(arrivals)), [len(a) for a in arrivals])
        number = np.concatenate([np.arange(len(a)) for a in arrivals])
        at_us = np.concatenate(arrivals)
        # Stable: messages of one instant come in the order of their streams, events last.
        order = np.argsort(at_us, kind="stable")
        arrival_utc = self.start_utc + at_us[order] / MICROSECONDS_PER_SECOND
        order = order[np.searchsorted(arrival_utc, since_utc) :]
        arrival_utc = arrival_utc[len(arrival_utc) - len(order) :]
        for utc, who, k in zip(
            arrival_utc.tolist(), owner[order].tolist(), number[order].tolist(), strict=True
        ):
            yield utc, self._block(who, k) if who < len(self._sources) else self._event(k)

    def labels(self) -> list[Label]:
        """Labels of the file."""
        return list(self.take.labels)

    def markers(self) -> list[Marker]:
        """Other texts of the file."""
        return list(self.take.markers)

    def close(self) -> None:
        """Nothing stays open."""

    def _us(self, utc: float) -> int:
        return round((utc - self.start_utc) * MICROSECONDS_PER_SECOND)

    def _block(self, who: int, k: int) -> Block:
        source = self._sources[who]
        data = source.blocks[k].astype(NUMPY_TYPES[source.channel.dtype]).tobytes()
        ticks_us, idx = int(source.first_us[k]), int(source.sample_idx[k])
        return Block(
            self.hello.session,
            source.channel.stream,
            k % _MAX_SEQ,
            ticks_us % TICKS_WRAP_US,
            0,
            idx % _MAX_IDX,
            data,
        )

    def _event(self, k: int) -> Event:
        utc, kind, value = self._events[k]
        return Event(self.hello.session, self._us(utc) % TICKS_WRAP_US, kind, value, k % _MAX_SEQ)

    def _cut(self, stream: int, track: Track) -> _Source:
        try:
            dtype = smallest_dtype(piece.raw for piece in track.pieces)
        except ValueError as err:
            raise RecordingError(
                self.path, "counts of 32 bits", f"{track.channel.name}: {err}"
            ) from err
        channel = replace(track.channel, stream=stream, dtype=dtype)
        size = max(1, min(channel.max_block_samples, int(channel.rate_hz * _BLOCK_S)))
        blocks: list[Counts] = []
        first_us, last_us, idx = list[int](), list[int](), list[int]()
        index, before_utc = 0, track.pieces[0].start_utc
        for piece in track.pieces:
            # At least one: pieces are told apart because something is missing between them.
            gap = max(1, round((piece.start_utc - before_utc) * channel.rate_hz)) if blocks else 0
            index += gap
            for at in range(0, len(piece.raw), size):
                part = piece.raw[at : at + size]
                blocks.append(part)
                first_us.append(self._us(piece.start_utc + at / piece.rate_hz))
                last_us.append(self._us(piece.start_utc + (at + len(part) - 1) / piece.rate_hz))
                idx.append(index + at)
            index += len(piece.raw)
            before_utc = piece.end_utc
        times = [np.array(x, dtype=np.int64) for x in (first_us, last_us, idx)]
        return _Source(channel, blocks, *times)


def _content_sha256(take: Take) -> str:
    digest = hashlib.sha256()
    for piece in take.tracks[0].pieces:
        digest.update(np.ascontiguousarray(piece.raw, dtype="<i4").tobytes())
    return digest.hexdigest()
