"""An Empatica E4 archive as a board that speaks our protocol."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from firmware_host.errors import RecordingError
from firmware_host.protocol.messages import Block, Button, Channel, Event, EventKind, Hello, Message
from firmware_host.recording.e4 import E4Archive, E4Channel
from firmware_host.recording.labels import Label
from firmware_host.units import MICROSECONDS_PER_SECOND, TICKS_WRAP_US

BOARD_ID = "empatica-e4"
FIRMWARE = "e4 archive"
# Stream numbers and samples a block, half a second to a second of each.
_STREAMS = {"bvp": (0, 32), "eda": (1, 4), "temp": (2, 4), "acc": (3, 32)}
_DTYPES = {"bvp": ("i32",), "eda": ("i32",), "temp": ("i16", "i32"), "acc": ("i8", "i16")}
_NUMPY_TYPES = {"i8": "<i1", "i16": "<i2", "i32": "<i4"}
# The E4 starts its sensors within seconds of each other; more means files of different sessions.
_MAX_START_SPREAD_S = 600.0
_MAX_SEQ = 1 << 16


@dataclass(frozen=True, slots=True)
class _Source:
    """One channel cut into blocks; times in µs since the session's start."""

    channel: Channel
    data: bytes
    block_bytes: int
    block_samples: int
    first_us: NDArray[np.int64]
    last_us: NDArray[np.int64]
    end_us: int


class E4Reader:
    """Messages of one E4 session, as if a board had sent them without delay.

    The board's clock starts at zero with the earliest channel. A block arrives when its last sample
    was taken. Button tags are plain presses; tags outside the session (some clocks are hours off)
    are left out and counted in ``n_foreign_tags``.

    Raises
    ------
    RecordingError
        If the archive is unusable, or its values do not fit the wire's integers.
    """

    def __init__(self, path: str | Path) -> None:
        archive = E4Archive(path)
        self.path = Path(path)
        self.start_utc = archive.start_utc
        starts = [c.start_utc for c in archive.channels.values()]
        if max(starts) - min(starts) > _MAX_START_SPREAD_S:
            spread = f"starts {max(starts) - min(starts):.0f} s apart"
            raise RecordingError(self.path, "channels of one session", spread)
        self._sources = [
            _cut(channel, self.start_utc, self.path) for channel in archive.channels.values()
        ]
        end_us = max(source.end_us for source in self._sources)
        self.duration_s = end_us / MICROSECONDS_PER_SECOND
        tags_us = np.rint((archive.tags_utc - self.start_utc) * MICROSECONDS_PER_SECOND)
        inside = (tags_us >= 0) & (tags_us <= end_us)
        self._tags_us = np.sort(tags_us[inside]).astype(np.int64)
        self.n_foreign_tags = int(np.count_nonzero(~inside))
        # Never 0, which host frames use.
        session = int(archive.content_sha256()[:4], 16) or 1
        channels = tuple(source.channel for source in self._sources)
        self.hello = Hello(session, BOARD_ID, FIRMWARE, channels)

    def messages(self, since_utc: float = -math.inf) -> Iterator[tuple[float, Message]]:
        """(arrival_utc, message): HELLO, then blocks and button presses in order of arrival."""
        yield self.start_utc, self.hello
        arrivals = [source.last_us for source in self._sources] + [self._tags_us]
        owner = np.repeat(np.arange(len(arrivals)), [len(a) for a in arrivals])
        number = np.concatenate([np.arange(len(a)) for a in arrivals])
        at_us = np.concatenate(arrivals)
        # Stable: messages of one instant come in the order of their streams, events last.
        order = np.argsort(at_us, kind="stable")
        arrival_utc = self.start_utc + at_us[order] / MICROSECONDS_PER_SECOND
        order = order[np.searchsorted(arrival_utc, since_utc) :]
        arrival_utc = arrival_utc[len(arrival_utc) - len(order) :]
        skipped = np.bincount(owner, minlength=len(arrivals)) - np.bincount(
            owner[order], minlength=len(arrivals)
        )
        blocks = [
            self._blocks(source, int(n)) for source, n in zip(self._sources, skipped, strict=False)
        ]
        for utc, who, k in zip(
            arrival_utc.tolist(), owner[order].tolist(), number[order].tolist(), strict=True
        ):
            yield utc, next(blocks[who]) if who < len(blocks) else self._press(k)

    def labels(self) -> list[Label]:
        """None: the vendor's archive has presses, and they do not say what they mean."""
        return []

    def markers(self) -> list[tuple[float, str]]:
        """None: an archive has no texts."""
        return []

    def close(self) -> None:
        """Nothing stays open."""

    def _blocks(self, source: _Source, first: int) -> Iterator[Block]:
        session, stream = self.hello.session, source.channel.stream
        size, n_samples, data = source.block_bytes, source.block_samples, source.data
        ticks_us = (source.first_us % TICKS_WRAP_US).tolist()
        for k, ticks in enumerate(ticks_us[first:], first):
            cut = data[k * size : (k + 1) * size]
            yield Block(session, stream, k % _MAX_SEQ, ticks, 0, k * n_samples, cut)

    def _press(self, k: int) -> Event:
        ticks_us = int(self._tags_us[k]) % TICKS_WRAP_US
        return Event(self.hello.session, ticks_us, EventKind.BUTTON, Button.PRESS, k % _MAX_SEQ)


def _cut(source: E4Channel, start_utc: float, path: Path) -> _Source:
    """Cut one channel into blocks; the last one may be short."""
    stream, block_samples = _STREAMS[source.name]
    n_samples, axes = source.raw.shape
    dtype = _smallest_dtype(source, path)
    channel = Channel(
        stream, source.name, source.unit, source.rate_hz, source.scale, 0.0, dtype, axes
    )
    first = np.arange(0, n_samples, block_samples)
    end = np.minimum(first + block_samples, n_samples)
    offset_us = (source.start_utc - start_utc) * MICROSECONDS_PER_SECOND
    period_us = MICROSECONDS_PER_SECOND / source.rate_hz
    return _Source(
        channel=channel,
        data=source.raw.astype(_NUMPY_TYPES[dtype]).tobytes(),
        block_bytes=block_samples * channel.sample_bytes,
        block_samples=block_samples,
        first_us=np.rint(offset_us + first * period_us).astype(np.int64),
        last_us=np.rint(offset_us + (end - 1) * period_us).astype(np.int64),
        end_us=round(offset_us + n_samples * period_us),
    )


def _smallest_dtype(source: E4Channel, path: Path) -> str:
    low, high = int(source.raw.min()), int(source.raw.max())
    for dtype in _DTYPES[source.name]:
        info = np.iinfo(_NUMPY_TYPES[dtype])
        if info.min <= low and high <= info.max:
            return dtype
    limit = np.iinfo(_NUMPY_TYPES[_DTYPES[source.name][-1]]).max * source.scale
    raise RecordingError(
        path, f"{source.name} within ±{limit:g} {source.unit}", "values beyond, not from an E4"
    )
