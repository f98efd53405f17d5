"""One recording in memory, on the host's clock: what every exchange format is read into and written from."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from firmware_host.errors import RecordingError, printable
from firmware_host.protocol.messages import MAX_STREAMS, MAX_STRING_BYTES, Channel
from firmware_host.recording.labels import Label
from firmware_host.recording.notes import BoardEvent

# Whole numbers of any width.
Counts = NDArray[Any]
Marker = tuple[float, str]

# A shorter stretch says nothing of a sensor's oscillator: blocks are stamped a few samples late or early.
_RATE_SPAN_S = 30.0
_MAX_DECIMALS = 9
_INT32_MAX = (1 << 31) - 1
_INTEGER_TYPES = ("i8", "i16", "i32")
NUMPY_TYPES = {"i8": "<i1", "i16": "<i2", "i32": "<i4"}
"""The wire's signed types, smallest first."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Consecutive samples with none missing: ``raw`` (n, axes) counts, at least one.

    ``start_utc`` is the first one's time in UNIX seconds, ``rate_hz`` the rate at which they really came.
    """

    start_utc: float
    raw: Counts
    rate_hz: float

    @property
    def end_utc(self) -> float:
        """Time just after the last sample."""
        return self.start_utc + len(self.raw) / self.rate_hz


@dataclass(frozen=True, slots=True)
class Track:
    """One channel; its pieces follow each other in time, and what lies between them is missing."""

    channel: Channel
    pieces: tuple[Piece, ...]

    def values(self, piece: Piece) -> NDArray[np.float64]:
        """(n, axes) in the channel's unit."""
        return values_of(piece.raw, self.channel)

    @property
    def n_samples(self) -> int:
        """Samples of all pieces."""
        return sum(len(piece.raw) for piece in self.pieces)


def values_of(raw: Counts, channel: Channel) -> NDArray[np.float64]:
    """Counts in the channel's unit."""
    # dtype is given because narrow integers times a float would be computed in half or single precision.
    values: NDArray[np.float64] = np.multiply(raw, channel.scale, dtype=np.float64)
    values += channel.offset
    return values


@dataclass(frozen=True, slots=True)
class Take:
    """A whole recording: samples, what the board reported, labels and notes, in order of time.

    ``left_out`` says in a line each what of the recording is not in it.
    """

    board_id: str
    firmware: str
    tracks: tuple[Track, ...]
    labels: tuple[Label, ...] = ()
    events: tuple[BoardEvent, ...] = ()
    markers: tuple[Marker, ...] = ()
    left_out: tuple[str, ...] = ()

    @property
    def start_utc(self) -> float:
        """First sample of any channel."""
        return min(track.pieces[0].start_utc for track in self.tracks)

    @property
    def end_utc(self) -> float:
        """Just after the last sample of any channel."""
        return max(track.pieces[-1].end_utc for track in self.tracks)


def checked_take(take: Take, where: object) -> Take:
    """The take, if a board could have sent it; channels of one name are numbered.

    Raises
    ------
    RecordingError
        If it has no samples, too many channels, one that no board could describe, or a time before 1970.
    """
    if not take.tracks or not all(track.pieces for track in take.tracks):
        raise RecordingError(where, "samples", "none")
    if len(take.tracks) > MAX_STREAMS:
        raise RecordingError(where, f"at most {MAX_STREAMS} channels", f"{len(take.tracks)}")
    for track in take.tracks:
        if (misfit := track.channel.misfit) is not None:
            raise RecordingError(where, *misfit)
    # 9999 is the last year that a date can be written in.
    if not (take.start_utc >= 0 and take.end_utc < 253_402_300_800.0):
        raise RecordingError(where, "times between 1970 and 9999", "others")
    return replace(take, tracks=tuple(_with_own_names(take.tracks)))


def _with_own_names(tracks: Iterable[Track]) -> Iterator[Track]:
    """Tracks whose channels can be told apart: samples are counted and models fed by name."""
    taken: set[str] = set()
    for track in tracks:
        name, n = track.channel.name, 1
        while name in taken:
            n += 1
            mark = f"-{n}"
            stem = track.channel.name.encode()[: MAX_STRING_BYTES - len(mark)]
            name = stem.decode(errors="ignore") + mark
        taken.add(name)
        is_own = name == track.channel.name
        yield track if is_own else replace(track, channel=replace(track.channel, name=name))


def short_text(text: str) -> str:
    """A name or unit, printable and cut to what the wire carries."""
    return printable(text.strip()).encode()[:MAX_STRING_BYTES].decode(errors="ignore")


def measured_rate_hz(declared_hz: float, n_samples: int, span_s: float) -> float:
    """Rate of a piece whose first ``n_samples`` took ``span_s``.

    The declared one, unless the piece is long and half a sample off at its end: a sensor has its own oscillator.
    """
    is_off = abs(n_samples - span_s * declared_hz) > 0.5
    return n_samples / span_s if span_s >= _RATE_SPAN_S and is_off else declared_hz


def pieces_of(times_s: NDArray[np.float64], raw: Counts, rate_hz: float) -> tuple[Piece, ...]:
    """Cut samples with a time each where some are missing.

    Samples are missing where the next one comes more than half a period later than the one before lets expect,
    both by itself and by all since the last cut: late delivery alone is no gap.
    """
    if not len(times_s):
        return ()
    period_s = 1.0 / rate_hz
    suspects = np.flatnonzero(np.diff(times_s) > 1.5 * period_s) + 1
    cuts, first = [0], 0
    for at in suspects.tolist():
        if times_s[at] - times_s[first] - (at - first) * period_s > 0.5 * period_s:
            cuts.append(at)
            first = at
    ends = [*cuts[1:], len(times_s)]
    return tuple(
        Piece(
            float(times_s[a]),
            raw[a:b],
            measured_rate_hz(rate_hz, b - 1 - a, float(times_s[b - 1] - times_s[a])),
        )
        for a, b in zip(cuts, ends, strict=True)
    )


def quantised(values: NDArray[np.float64], decimals: int | None = None) -> tuple[Counts, float]:
    """Numbers as 32-bit counts and their scale, a power of ten.

    With ``decimals`` the text's own resolution is kept, if 32 bits hold it; without, the coarsest one that says
    every number to seven digits.

    Raises
    ------
    ValueError
        If a number is not finite or beyond all measure.
    """
    top = float(np.abs(values).max(initial=0.0))
    if not np.isfinite(values).all() or top > 1e15:
        msg = "numbers are not finite, or too large for any sensor"
        raise ValueError(msg)
    most = math.floor(math.log10(_INT32_MAX / top)) if top > 1e-200 else _MAX_DECIMALS
    wanted = _decimals(values) if decimals is None else decimals
    power = min(wanted, most)
    scaled = values * 10.0**power if power >= 0 else values / 10.0**-power
    return np.rint(scaled).astype(np.int32), 10.0**-power


def smallest_dtype(raws: Iterable[Counts]) -> str:
    """Name of the smallest wire type that holds all of them.

    Raises
    ------
    ValueError
        If not even 32 bits do.
    """
    low, high = 0, 0
    for raw in raws:
        low, high = min(low, int(raw.min())), max(high, int(raw.max()))
    for name in _INTEGER_TYPES:
        info = np.iinfo(NUMPY_TYPES[name])
        if info.min <= low and high <= info.max:
            return name
    msg = f"counts from {low} to {high} need more than 32 bits"
    raise ValueError(msg)


def _decimals(values: NDArray[np.float64]) -> int:
    for power in range(_MAX_DECIMALS + 1):
        scaled = values * 10.0**power
        if np.all(np.abs(scaled - np.rint(scaled)) <= 1e-7 * np.maximum(1.0, np.abs(scaled))):
            return power
    # Tiny numbers need more places: as many as 32 bits allow.
    return 1000
