"""Writes a recording as XDF 1.0 (github.com/sccn/xdf, Specifications), one stream a channel.

Written here because the only libraries that write it are a recorder's own (C++) and parts of other programs.
Time stamps are UNIX seconds, one for the first sample after each gap and at least one a chunk; in between,
samples follow at the nominal rate, as the specification lets them. No clock offsets: there is one clock.
"""

from __future__ import annotations

import struct
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO
from xml.sax.saxutils import escape

import numpy as np
from numpy.typing import NDArray

from firmware_host.protocol.messages import Channel
from firmware_host.recording.csv_writer import axis_names
from firmware_host.recording.exchange import Report, Written, create
from firmware_host.recording.notes import Note, notes_of
from firmware_host.recording.take import Take, Track, values_of

MAGIC = b"XDF:"
FILE_HEADER, STREAM_HEADER, SAMPLES, BOUNDARY, STREAM_FOOTER = 1, 2, 3, 5, 6
# Specification, section Boundary chunk: a reader finds its way again after damage.
_BOUNDARY_UUID = bytes.fromhex("43a546dccbf5410fb30ed5467383cbe4")
NOTES_STREAM, NOTES_TYPE = "notes", "Markers"
_TYPES = {"bvp": "PPG", "eda": "GSR", "temp": "Temperature", "acc": "ACC", "gyro": "GYRO"}
_CHUNK_SAMPLES = 512
_BOUNDARY_EVERY = 64


def write_xdf(take: Take, path: Path, report: Report) -> Written:
    """Write the file.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    notes = notes_of(take.labels, take.events, take.markers)
    begins = datetime.fromtimestamp(take.start_utc, UTC).isoformat(timespec="microseconds")
    with create(path) as file:
        file.write(MAGIC)
        head = f"<version>1.0</version><datetime>{begins}</datetime>"
        _write_chunk(file, FILE_HEADER, _info(head))
        for i, track in enumerate(take.tracks, 1):
            _write_track(file, i, track)
            report(i / (len(take.tracks) + 1))
        if notes:
            _write_notes(file, len(take.tracks) + 1, notes)
    lost = ["the board's own clock and frame numbers: XDF has one time a sample"]
    if take.labels:
        lost.append("who gave a label: the stream of notes says what it was")
    return Written(take, lost)


def _write_track(file: BinaryIO, stream: int, track: Track) -> None:
    channel = track.channel
    _write_chunk(file, STREAM_HEADER, _info(_describe(channel)), stream)
    n_chunks = 0
    for piece in track.pieces:
        # A sensor off its declared rate gets a time for each sample; others follow from the first.
        every = _CHUNK_SAMPLES if piece.rate_hz == channel.rate_hz else 1
        for at in range(0, len(piece.raw), _CHUNK_SAMPLES):
            # Chunk by chunk: a day of one channel is hundreds of megabytes in this format.
            part = values_of(piece.raw[at : at + _CHUNK_SAMPLES], channel).astype("<f8")
            times = piece.start_utc + (at + np.arange(len(part))) / piece.rate_hz
            _write_chunk(file, SAMPLES, _samples(part, times, every), stream)
            n_chunks += 1
            if n_chunks % _BOUNDARY_EVERY == 0:
                _write_chunk(file, BOUNDARY, _BOUNDARY_UUID)
    last = track.pieces[-1]
    last_utc = last.start_utc + (len(last.raw) - 1) / last.rate_hz
    _write_footer(file, stream, track.pieces[0].start_utc, last_utc, track.n_samples)


def _write_notes(file: BinaryIO, stream: int, notes: list[Note]) -> None:
    # An irregular stream declares rate 0, or readers make up times for it.
    about = _stream(NOTES_STREAM, NOTES_TYPE, 1, 0.0, "string", "")
    _write_chunk(file, STREAM_HEADER, _info(about), stream)
    for utc, text in notes:
        data = text.encode()
        sample = b"\x08" + struct.pack("<d", utc) + _length(len(data)) + data
        _write_chunk(file, SAMPLES, _length(1) + sample, stream)
    _write_footer(file, stream, notes[0][0], notes[-1][0], len(notes))


def _samples(part: NDArray[np.float64], times: NDArray[np.float64], every: int) -> bytes:
    """Content of a samples chunk: how many, then each one's time (or none) and values."""
    pieces = [_length(len(part))]
    for i, row in enumerate(part):
        pieces.append(b"\x08" + struct.pack("<d", times[i]) if i % every == 0 else b"\0")
        pieces.append(row.tobytes())
    return b"".join(pieces)


def _describe(channel: Channel) -> str:
    labels = "".join(
        f"<channel><label>{escape(name)}</label><unit>{escape(channel.unit)}</unit></channel>"
        for name in axis_names(channel)
    )
    # What gives back the board's own counts.
    counts = f"<scale>{channel.scale!r}</scale><offset>{channel.offset!r}</offset>"
    desc = f"<channels>{labels}</channels><signet>{counts}</signet>"
    kind = _TYPES.get(channel.name, channel.name)
    return _stream(channel.name, kind, channel.axes, channel.rate_hz, "double64", desc)


def _stream(name: str, kind: str, n_channels: int, rate_hz: float, layout: str, desc: str) -> str:
    return (
        f"<name>{escape(name)}</name><type>{escape(kind)}</type>"
        f"<channel_count>{n_channels}</channel_count><nominal_srate>{rate_hz!r}</nominal_srate>"
        f"<channel_format>{layout}</channel_format><source_id>signet-{escape(name)}</source_id>"
        f"<desc>{desc}</desc>"
    )


def _write_footer(
    file: BinaryIO, stream: int, first_utc: float, last_utc: float, n_samples: int
) -> None:
    text = (
        f"<first_timestamp>{first_utc!r}</first_timestamp>"
        f"<last_timestamp>{last_utc!r}</last_timestamp>"
        f"<sample_count>{n_samples}</sample_count><clock_offsets></clock_offsets>"
    )
    _write_chunk(file, STREAM_FOOTER, _info(text), stream)


def _info(text: str) -> bytes:
    return f'<?xml version="1.0"?><info>{text}</info>'.encode()


def _write_chunk(file: BinaryIO, tag: int, content: bytes, stream: int | None = None) -> None:
    head = struct.pack("<H", tag) + (b"" if stream is None else struct.pack("<I", stream))
    file.write(_length(len(head) + len(content)) + head + content)


def _length(n: int) -> bytes:
    """A number with as many bytes as it needs: 1, 4 or 8."""
    if n < 1 << 8:
        return struct.pack("<BB", 1, n)
    return struct.pack("<BI", 4, n) if n < 1 << 32 else struct.pack("<BQ", 8, n)
