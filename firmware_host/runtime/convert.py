"""From any recording to any other format, with words for what does not come along."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from firmware_host.protocol.messages import Block, Channel
from firmware_host.recording.base import RecordingReader
from firmware_host.recording.e4_reader import E4Reader
from firmware_host.recording.exchange import Report, new_file, refuse_existing
from firmware_host.recording.registry import MCAP, open_recording, writer_of
from firmware_host.runtime.takes import take_and_length
from firmware_host.stream.assembler import StreamAssembler
from firmware_host.words import counted

# Reading and writing take about as long as each other.
_HALF = 0.5
_REPORT_EVERY = 2000


def convert(source: Path, target: Path, *, report: Report) -> dict[str, Any]:
    """Write ``source`` as ``target``, whole or not at all; returns what was written and what was lost.

    Raises
    ------
    RecordingError
        If either is of no format we know, ``source`` cannot be read, or ``target`` exists.
    ConfigError
        If a format's library is not installed.
    StorageError
        If the disk is full.
    """
    refuse_existing(target)
    is_mcap = target.suffix.lower() == MCAP
    write = None if is_mcap else writer_of(target)
    reader = open_recording(source)
    try:
        with new_file(target) as draft:
            if write is None:
                lost = []
                channels, stream_s = _write_mcap(reader, draft, report)
                n_labels, n_markers = len(reader.labels()), len(reader.markers())
            else:
                take, stream_s = take_and_length(
                    reader, where=source, report=lambda x: report(_HALF * x)
                )
                written = write(take, draft, lambda x: report(_HALF + _HALF * x))
                # Not what the source holds: an E4 archive takes up little of some.
                channels = tuple(track.channel for track in written.take.tracks)
                n_labels, n_markers = len(written.take.labels), len(written.take.markers)
                lost = [*written.lost, *take.left_out]
        lost += _left_out(reader)
        return {
            "from": str(source),
            "to": str(target),
            "start_utc": reader.start_utc,
            "stream_s": round(stream_s, 3),
            "duration_s": round(reader.duration_s, 3),
            "channels": [{"name": c.name, "unit": c.unit, "rate_hz": c.rate_hz} for c in channels],
            "labels": n_labels,
            "markers": n_markers,
            "lost": lost,
        }
    finally:
        reader.close()


def _left_out(reader: RecordingReader) -> list[str]:
    if isinstance(reader, E4Reader) and reader.n_foreign_tags:
        presses = counted(reader.n_foreign_tags, "press", "presses")
        return [f"{presses} whose time lies outside the recording"]
    return []


def _write_mcap(
    reader: RecordingReader, draft: Path, report: Report
) -> tuple[tuple[Channel, ...], float]:
    """Copy every message; returns the channels as they were last described, and the seconds streamed."""
    from firmware_host.recording.mcap_writer import McapWriter

    assembler = StreamAssembler()
    span_s = max(reader.duration_s, 1e-9)
    with McapWriter(draft) as writer:
        for n, (utc, message) in enumerate(reader.messages()):
            assembler.feed(message, utc)
            sent_utc = assembler.sent_utc(message, utc) if isinstance(message, Block) else None
            writer.write(message, utc, sent_utc)
            if n % _REPORT_EVERY == 0:
                report(min(max((utc - reader.start_utc) / span_s, 0.0), 1.0))
        for label in reader.labels():
            writer.write_label(label, label.t_end_utc)
        for utc, text in reader.markers():
            writer.write_marker(text, utc)
    assembler.end()
    channels = (assembler.hello or reader.hello).channels
    return channels, assembler.earlier_sessions_s + assembler.t_s
