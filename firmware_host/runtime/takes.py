"""Any recording as a `Take`: sessions, gaps and clocks sorted out as for a live board."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from firmware_host.errors import RecordingError
from firmware_host.protocol.messages import Channel, EventKind
from firmware_host.recording.base import RecordingReader
from firmware_host.recording.labels import on_one_clock
from firmware_host.recording.notes import BoardEvent
from firmware_host.recording.take import (
    Counts,
    Piece,
    Take,
    Track,
    checked_take,
    measured_rate_hz,
    quantised,
)
from firmware_host.recording.take_reader import TakeReader
from firmware_host.stream.assembler import StreamAssembler
from firmware_host.stream.clock import StreamClock
from firmware_host.stream.said import SaidTimes
from firmware_host.stream.samples import Note, Samples, StreamEvent

_EVENT_KINDS = {
    Note.BUTTON: EventKind.BUTTON,
    Note.WEAR: EventKind.WEAR,
    Note.BATTERY: EventKind.BATTERY,
}
_NEW_SESSION = (Note.SESSION, Note.REBOOT, Note.SWAP)
# Seldom enough to cost nothing.
_REPORT_EVERY = 2000
_BLOCKS_A_PART = 1024
# A rate that was asked for comes a moment after the recording begins, and after each boot.
_MAX_OTHER_RATE_S = 60.0

_Key = tuple[str, float]

# The narrowest signed type that holds what the wire's does: a day of two motion sensors is half as large.
_SIGNED = {"i8": "i1", "u8": "i2", "i16": "i2", "u16": "i4", "i32": "i4", "u32": "i8"}

Report = Callable[[float], None]


@dataclass(slots=True)
class _Run:
    """Samples without a gap, with the stream times of the first and the last block."""

    first_s: float
    last_s: float = 0.0
    n_last: int = 0
    parts: list[Counts] = field(default_factory=list)
    recent: list[Counts] = field(default_factory=list)

    def add(self, t0_s: float, raw: Counts) -> None:
        self.last_s, self.n_last = t0_s, len(raw)
        self.recent.append(raw)
        # A day's small arrays take several times the memory of what is in them.
        if len(self.recent) == _BLOCKS_A_PART:
            self.parts.append(np.concatenate(self.recent))
            self.recent.clear()

    def piece(self, channel: Channel, clock: StreamClock) -> Piece:
        raw = np.concatenate([*self.parts, *self.recent])
        self.parts, self.recent = [], []
        start_utc, last_utc = clock.utc(self.first_s), clock.utc(self.last_s)
        n_before_last = len(raw) - self.n_last
        rate_hz = measured_rate_hz(channel.rate_hz, n_before_last, last_utc - start_utc)
        # The board counts microseconds; digits beyond are of the arithmetic.
        return Piece(round(start_utc, 6), raw, rate_hz)


def take_of(reader: RecordingReader, *, where: object, report: Report = lambda _: None) -> Take:
    """The whole recording in memory; see `take_and_length`."""
    return take_and_length(reader, where=where, report=report)[0]


def take_and_length(
    reader: RecordingReader, *, where: object, report: Report = lambda _: None
) -> tuple[Take, float]:
    """The whole recording in memory, and for how many seconds its board streamed.

    Parameters
    ----------
    report
        Is told the share of the recording that was read, 0 to 1.

    Raises
    ------
    RecordingError
        If it has no samples, or the board's channels changed on the way.
    """
    if isinstance(reader, TakeReader):
        return reader.take, reader.duration_s
    taker = _Taker(where)
    span_s = max(reader.duration_s, 1e-9)
    for n, (utc, message) in enumerate(reader.messages()):
        taker.said.arrived(utc, taker.assembler)
        taker.take(taker.assembler.feed(message, utc))
        if n % _REPORT_EVERY == 0:
            report(min(max((utc - reader.start_utc) / span_s, 0.0), 1.0))
    take = taker.finish(reader)
    return take, taker.assembler.earlier_sessions_s + taker.assembler.t_s


class _Taker:
    """Collects what the assembler hands on, session by session."""

    def __init__(self, where: object) -> None:
        self.assembler = StreamAssembler()
        self.said = SaidTimes()
        self._where = where
        # By name as first described; everything else by name and rate.
        self._described: dict[str, Channel] = {}
        self._channels: dict[_Key, Channel] = {}
        self._pieces: dict[_Key, list[Piece]] = {}
        self._runs: dict[_Key, list[_Run]] = {}
        self._clock: StreamClock | None = None
        self._noted: list[tuple[float, EventKind, int]] = []
        self._events: list[BoardEvent] = []

    def take(self, items: list[Samples | StreamEvent]) -> None:
        """Take what one message brought."""
        self.said.take(items, self.assembler.clock)
        for item in items:
            if isinstance(item, Samples):
                self._take_samples(item)
            elif item.what in _NEW_SESSION:
                self._end_session()
                self._clock = self.assembler.clock
            elif item.what in _EVENT_KINDS:
                kind = _EVENT_KINDS[Note(item.what)]
                self._noted.append((item.t_s, kind, int(item.detail["value"])))

    def finish(self, reader: RecordingReader) -> Take:
        """Everything, with times by each session's final clock."""
        self.take(self.assembler.end())
        self._end_session()
        order = sorted(self._described.values(), key=lambda channel: channel.stream)
        main = {channel.name: self._main(channel.name) for channel in order}
        tracks = tuple(self._track(key) for key in main.values())
        said = self.said
        pressed = [(x.span, x.told) for x in said.pressed()]
        markers = [(said.moved_utc(utc), text) for utc, text in reader.markers()]
        take = Take(
            reader.hello.board_id,
            reader.hello.firmware,
            tracks,
            tuple(on_one_clock(reader.labels(), pressed, said.moved)),
            tuple(sorted(self._events, key=lambda event: event[0])),
            tuple(sorted(markers)),
            tuple(
                self._say_left_out(key, main[key[0]]) for key in self._pieces if key != main[key[0]]
            ),
        )
        return checked_take(take, self._where)

    def _main(self, name: str) -> _Key:
        """The rate at which most of a channel came; refuses a recording that is of several rates."""
        lengths_s = {
            key: sum(len(piece.raw) for piece in pieces) / key[1]
            for key, pieces in self._pieces.items()
            if key[0] == name
        }
        main = max(lengths_s, key=lambda key: lengths_s[key])
        if sum(lengths_s.values()) - lengths_s[main] > _MAX_OTHER_RATE_S:
            rates = " and ".join(f"{rate_hz:g}" for _, rate_hz in lengths_s)
            expected = f"one sample rate of channel {name} in nearly the whole recording"
            raise RecordingError(self._where, expected, f"{rates} Hz")
        return main

    def _say_left_out(self, key: _Key, main: _Key) -> str:
        name, rate_hz = key
        span_s = sum(len(piece.raw) for piece in self._pieces[key]) / rate_hz
        return (
            f"{name}: {span_s:.1f} s at {rate_hz:g} Hz, before or after it came at {main[1]:g} Hz"
        )

    def _track(self, key: _Key) -> Track:
        name, channel, pieces = key[0], self._channels[key], self._pieces[key]
        if channel.dtype != "f32":
            return Track(channel, tuple(pieces))
        try:
            raw, scale = quantised(np.concatenate([piece.raw for piece in pieces]))
        except ValueError as err:
            raise RecordingError(self._where, f"numbers in {name}", str(err)) from err
        cuts = np.cumsum([len(piece.raw) for piece in pieces])[:-1]
        parts = zip(pieces, np.split(raw, cuts), strict=True)
        return Track(
            replace(channel, scale=scale, offset=0.0, dtype="i32"),
            tuple(replace(piece, raw=part) for piece, part in parts),
        )

    def _take_samples(self, samples: Samples) -> None:
        channel = samples.channel
        key = (channel.name, channel.rate_hz)
        if self._channels.get(key) != channel:
            self._describe(channel)
            self._channels[key] = channel
        runs = self._runs.setdefault(key, [])
        if not runs or samples.gap_before_samples:
            runs.append(_Run(samples.t0_s))
        runs[-1].add(samples.t0_s, _counts(samples))

    def _describe(self, channel: Channel) -> None:
        """Refuse a channel that is not what it was; its number and its rate may change."""
        known = self._described.setdefault(channel.name, channel)
        if replace(channel, stream=known.stream, rate_hz=known.rate_hz) != known:
            expected = f"one description of channel {channel.name} in the whole recording"
            raise RecordingError(self._where, expected, "another one after a change of the board")

    def _end_session(self) -> None:
        clock, runs, noted = self._clock, self._runs, self._noted
        self._runs, self._noted = {}, []
        if clock is None:
            return
        for key, of_channel in runs.items():
            pieces = [run.piece(self._channels[key], clock) for run in of_channel]
            self._pieces.setdefault(key, []).extend(pieces)
        self._events += [(round(clock.utc(t_s), 6), kind, value) for t_s, kind, value in noted]


def _counts(samples: Samples) -> Counts:
    channel = samples.channel
    if channel.dtype == "f32":
        # Values, until all of them are known.
        return samples.values
    raw: Counts = np.rint((samples.values - channel.offset) / channel.scale)
    return raw.astype(_SIGNED[channel.dtype])
