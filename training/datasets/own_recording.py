"""One Signet recording (or E4 session) as channels on steady grids, and what it says happened."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from firmware_host.errors import RecordingError
from firmware_host.protocol.messages import Block, Channel
from firmware_host.recording.base import RecordingReader
from firmware_host.recording.labels import Span, on_one_clock
from firmware_host.recording.registry import open_recording
from firmware_host.stream.assembler import StreamAssembler
from firmware_host.stream.clock import StreamClock
from firmware_host.stream.rate import TOLERANCE
from firmware_host.stream.said import SaidTimes
from firmware_host.stream.samples import Note, Samples, StreamEvent
from training.datasets.array_signals import ArraySignals, Steady

UNITS = {"bvp": "au", "eda": "uS", "temp": "degC", "acc": "m/s2", "gyro": "rad/s"}
# A crystal this far off shifts an hour by less than a second; beyond, the measured rate is used.
_CRYSTAL = 2e-4
# Before this much data a rate cannot be measured.
_MEASURE_S = 60.0
# A board that boots anew and is off again within this brings nothing to learn from.
_MIN_PART_S = 60.0


@dataclass(frozen=True, eq=False)
class Part:
    """What one board session within a recording brought; `labels` are (start, end, label) UTC."""

    signals: ArraySignals
    labels: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class OwnSource:
    """A `Source`: one part of the recording at `path`."""

    path: Path
    part_idx: int

    def open(self) -> ArraySignals:
        """Read it; RecordingError if it is not readable."""
        return read_parts(self.path)[self.part_idx].signals

    def fingerprint(self) -> str:
        """Hash of the file, the part, and this reader."""
        digest = hashlib.sha256(Path(__file__).read_bytes())
        digest.update(str(self.part_idx).encode())
        for file in _files(self.path):
            digest.update(file.read_bytes())
        return digest.hexdigest()


def read_parts(path: Path) -> tuple[Part, ...]:
    """Every board session of a recording that lasted a minute, in order of time.

    Raises
    ------
    RecordingError
        If it is not readable, a channel comes in another unit or far from its declared rate.
    """
    stamp = tuple((f.stat().st_mtime_ns, f.stat().st_size) for f in _files(path))
    return _read_parts(path, stamp)


# A person's recordings are looked at for stress and for gait, one after the other.
@lru_cache(maxsize=4)
def _read_parts(path: Path, stamp: object) -> tuple[Part, ...]:  # noqa: ARG001
    reader = open_recording(path)
    try:
        said = SaidTimes()
        sittings = _sittings(path, reader, said)
        pressed = [(x.span, x.told) for x in said.pressed()]
        found = on_one_clock(reader.labels(), pressed, said.moved)
    finally:
        reader.close()
    labels = sorted({(x.t_start_utc, x.t_end_utc, x.label) for x in found})
    parts = [
        sitting.part(path, labels) for sitting in sittings if sitting.duration_s >= _MIN_PART_S
    ]
    if not parts:
        raise RecordingError(path, f"at least {_MIN_PART_S:g} s of samples", "less")
    return tuple(parts)


def _sittings(path: Path, reader: RecordingReader, said: SaidTimes) -> list[_Sitting]:
    assembler = StreamAssembler()
    found: list[_Sitting] = []
    for arrival_utc, message in reader.messages():
        said.arrived(arrival_utc, assembler)
        items = assembler.feed(message, arrival_utc)
        said.take(items, assembler.clock)
        for item in items:
            if isinstance(item, StreamEvent) and item.what in (
                Note.SESSION,
                Note.REBOOT,
                Note.SWAP,
                # Another sample rate is another sitting, as it is for the host.
                Note.LAYOUT,
            ):
                assert assembler.clock is not None
                assert assembler.hello is not None
                pulse = assembler.hello.channel("bvp")
                found.append(_Sitting(assembler.clock, -1 if pulse is None else pulse.stream))
            elif found:
                found[-1].take(item, path)
        if found and isinstance(message, Block):
            found[-1].count(message)
    items = assembler.end()
    said.take(items, assembler.clock)
    for item in items:
        found[-1].take(item, path)
    return found


@dataclass(eq=False)
class _Sitting:
    """One board session while it is read."""

    clock: StreamClock
    pulse_stream: int
    tracks: dict[str, _Track] = field(default_factory=dict)
    pulse: hashlib._Hash = field(default_factory=hashlib.sha256)
    n_pulse: int = 0

    @property
    def duration_s(self) -> float:
        lengths_s = (track.n / track.channel.rate_hz for track in self.tracks.values())
        return max(lengths_s, default=0.0)

    def count(self, block: Block) -> None:
        # As the host hashes a stream to know whether a bundle was trained on it.
        if block.stream == self.pulse_stream:
            self.pulse.update(block.data)
            self.n_pulse += 1

    def take(self, item: Samples | StreamEvent, path: Path) -> None:
        if isinstance(item, Samples):
            name = item.channel.name
            if name in UNITS:
                self.tracks.setdefault(name, _Track(item.channel)).add(item, path)

    def part(self, path: Path, labels: list[Span]) -> Part:
        channels = {name: track.steady(path, self.clock) for name, track in self.tracks.items()}
        signals = ArraySignals(channels, self.pulse.hexdigest() if self.n_pulse else "")
        low, high = signals.start_utc, signals.end_utc
        inside = [
            (max(start, low), min(end, high), label)
            for start, end, label in labels
            if start < high and end > low
        ]
        return Part(signals, tuple(inside))


@dataclass(eq=False)
class _Track:
    """One channel while it is read: runs of samples with NaN where some are lost."""

    channel: Channel
    runs: list[NDArray[np.float64]] = field(default_factory=list)
    n: int = 0
    first_s: float = 0.0
    last: tuple[float, int] = (0.0, 0)

    def add(self, samples: Samples, path: Path) -> None:
        name, unit = samples.channel.name, samples.channel.unit
        if unit != UNITS[name]:
            raise RecordingError(path, f"{name} in {UNITS[name]}", unit)
        if samples.channel != self.channel:
            raise RecordingError(path, f"one layout of {name}", "another from some time on")
        if not self.runs:
            self.first_s = samples.t0_s
        elif samples.gap_before_samples:
            lost = np.full((samples.gap_before_samples, samples.values.shape[1]), np.nan)
            self.runs.append(lost)
            self.n += len(lost)
        self.last = (samples.t0_s, self.n)
        self.runs.append(samples.values)
        self.n += len(samples.values)

    def steady(self, path: Path, clock: StreamClock) -> Steady:
        rate_hz = self.channel.rate_hz
        span_s = self.last[0] - self.first_s
        if span_s >= _MEASURE_S:
            measured_hz = self.last[1] / span_s
            if abs(measured_hz - rate_hz) > TOLERANCE * rate_hz:
                expected = f"{self.channel.name} at {rate_hz:g} Hz as declared"
                raise RecordingError(path, expected, f"{measured_hz:.2f} Hz")
            if abs(measured_hz - rate_hz) > _CRYSTAL * rate_hz:
                rate_hz = measured_hz
        return Steady(clock.utc(self.first_s), rate_hz, np.concatenate(self.runs))


def _files(path: Path) -> list[Path]:
    return sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
