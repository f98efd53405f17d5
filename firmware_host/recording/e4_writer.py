"""Writes a recording as an Empatica E4 session archive, for tools that read nothing else.

The vendor's HR.csv and IBI.csv are left out: they are computed, not recorded.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from firmware_host.errors import RecordingError
from firmware_host.protocol.messages import Button, EventKind
from firmware_host.recording.e4 import FILES, TAGS_FILE
from firmware_host.recording.exchange import Report, Written, create, gaps_of, off_rate
from firmware_host.recording.notes import BoardEvent
from firmware_host.recording.take import Counts, Take, Track
from firmware_host.words import counted

# The smallest steps of the vendor's own text; ACC is in counts of 1/64 g.
_DECIMALS = {"bvp": 2, "eda": 6, "temp": 2, "acc": 0}
# A battery of the E4 lasts two days; a week of its fastest channel is more than any session.
_MAX_SAMPLES = 7 * 86_400 * 64
# A day's text does not fit into a small host's memory.
_SLAB_SAMPLES = 1 << 14
# SI value of the smallest step, by channel.
_STEPS = {spec.channel: spec.scale for spec in FILES.values()}
_OF_OTHERS = "of the board other than presses"
# Zip has no earlier one; a real one would make two exports of one recording differ.
_ZIP_DATE = (1980, 1, 1, 0, 0, 0)


def write_e4(take: Take, path: Path, report: Report) -> Written:
    """Write the archive.

    Raises
    ------
    RecordingError
        If a channel that every E4 has is missing, or has other units.
    OSError
        If it cannot be written.
    """
    tracks = {track.channel.name: track for track in take.tracks}
    for spec in FILES.values():
        track = tracks.get(spec.channel)
        is_e4 = track is not None and track.channel.axes == spec.n_axes
        if track is None or not is_e4 or track.channel.unit != spec.unit:
            wanted = ", ".join(f"{s.channel} [{s.unit}]" for s in FILES.values())
            has = ", ".join(f"{t.channel.name} [{t.channel.unit}]" for t in take.tracks)
            raise RecordingError(path, f"{wanted} as an E4 has them", has)
    with create(path) as file, zipfile.ZipFile(file, "w") as archive:
        for i, (name, spec) in enumerate(FILES.items()):
            unit_per_cell = spec.scale * spec.raw_per_cell
            _add(archive, name, _signal(tracks[spec.channel], unit_per_cell, path))
            report((i + 1) / len(FILES))
        _add(archive, TAGS_FILE, (f"{utc:.6f}\n" for utc, *_ in _presses(take)))
    written = tuple(tracks[spec.channel] for spec in FILES.values())
    held = replace(take, tracks=written, labels=(), events=_presses(take), markers=())
    return Written(held, _lost(take, held))


def _presses(take: Take) -> tuple[BoardEvent, ...]:
    return tuple(x for x in take.events if x[1:] == (EventKind.BUTTON, int(Button.PRESS)))


def _signal(track: Track, unit_per_cell: float, path: Path) -> Iterator[str]:
    """Text of one signal file, piece by piece."""
    channel, n_axes = track.channel, track.channel.axes
    number = f"%.{_DECIMALS[channel.name]}f"
    row = ",".join([number] * n_axes) + "\n"
    yield ", ".join([f"{track.pieces[0].start_utc:.6f}"] * n_axes) + "\n"
    yield ", ".join([f"{channel.rate_hz:.6f}"] * n_axes) + "\n"
    for values in _held(track, path):
        # Plus zero: no cell says -0.
        cells = np.round(values / unit_per_cell, _DECIMALS[channel.name]) + 0.0
        yield "".join(row % tuple(cell) for cell in cells.tolist())


def _held(track: Track, path: Path) -> Iterator[NDArray[np.float64]]:
    """(n, axes) values at the declared rate from the first sample on, in slabs; gaps hold the last value before."""
    rate_hz, zero_utc = track.channel.rate_hz, track.pieces[0].start_utc
    if (track.pieces[-1].end_utc - zero_utc) * rate_hz > _MAX_SAMPLES:
        span_h = (track.pieces[-1].end_utc - zero_utc) / 3600
        raise RecordingError(path, "an E4 session of a few days at most", f"{span_h:.0f} h")
    n = 0
    for k, piece in enumerate(track.pieces):
        missing = max(round((piece.start_utc - zero_utc) * rate_hz) - n, 0)
        if missing and k:
            last = replace(piece, raw=track.pieces[k - 1].raw[-1:])
            yield np.repeat(track.values(last), missing, axis=0)
        for at in range(0, len(piece.raw), _SLAB_SAMPLES):
            yield track.values(replace(piece, raw=piece.raw[at : at + _SLAB_SAMPLES]))
        n += missing + len(piece.raw)


def _add(archive: zipfile.ZipFile, name: str, texts: Iterable[str]) -> None:
    info = zipfile.ZipInfo(name, _ZIP_DATE)
    info.compress_type = zipfile.ZIP_DEFLATED
    with archive.open(info, "w") as member:
        for text in texts:
            member.write(text.encode())


def _lost(take: Take, held: Take) -> list[str]:
    lost = ["the board's own clock, frame numbers and name: an E4 archive has none of them"]
    for track in held.tracks:
        channel = track.channel
        gaps = gaps_of(track)
        if gaps:
            missing_s = sum(end - start for start, end in gaps)
            lost.append(
                f"{channel.name}: {counted(len(gaps), 'gap')} ({missing_s:.1f} s) filled with the value "
                "before: an E4 archive cannot say that samples are missing"
            )
        cell = _STEPS[channel.name]
        if any(_is_between_steps(piece.raw, channel.scale / cell) for piece in track.pieces):
            lost.append(f"{channel.name}: rounded to steps of {cell:.4g} {channel.unit}")
    others = [t.channel.name for t in take.tracks if t not in held.tracks]
    if others:
        lost.append(f"channels {', '.join(others)}: an E4 has no such sensors")
    for n, one, more in (
        (len(take.labels), "label", "labels"),
        (len(take.events) - len(held.events), f"report {_OF_OTHERS}", f"reports {_OF_OTHERS}"),
        (len(take.markers), "marker", "markers"),
    ):
        if n:
            text = counted(n, one, more)
            lost.append(f"{text}: an E4 archive has presses of the button only")
    return lost + off_rate(take)


def _is_between_steps(raw: Counts, steps_a_count: float) -> bool:
    for at in range(0, len(raw), _SLAB_SAMPLES):
        part = raw[at : at + _SLAB_SAMPLES]
        steps = np.multiply(part, steps_a_count, dtype=np.float64)
        if np.abs(steps - np.rint(steps)).max() > 1e-6:
            return True
    return False
