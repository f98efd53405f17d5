"""Reads XDF files, as the Lab Streaming Layer's recorder and others write them."""

from __future__ import annotations

import io
import logging
import math
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from logging.handlers import BufferingHandler
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from firmware_host.errors import ConfigError, RecordingError
from firmware_host.protocol.messages import Channel
from firmware_host.recording.exchange import PARSER_FAULTS
from firmware_host.recording.notes import Note, sorted_notes
from firmware_host.recording.take import (
    Counts,
    Take,
    Track,
    checked_take,
    quantised,
    short_text,
)
from firmware_host.recording.take_reader import TakeReader
from firmware_host.recording.xdf_chunks import whole_chunks
from firmware_host.recording.xdf_times import stream_pieces

_LOGGER = logging.getLogger(__name__)

BOARD_ID, FIRMWARE = "xdf", "xdf file"
_AXES = ("x", "y", "z")
# Times before this are of a machine's uptime clock, which begins when it boots: 2001-09-09.
_FIRST_UNIX_S = 1e9
# More than a file of the largest size can cause: a full handler would forget them.
_MAX_COMPLAINTS = 1 << 30
_Stream = dict[str, Any]


class XdfReader(TakeReader):
    """One XDF file: regular streams are channels, streams of text are notes, all others are left out.

    Times are on the recording machine's clock after the file's own clock offsets were applied. If that
    clock counts from its boot, as the Lab Streaming Layer's does, the file's date says when it began.

    Raises
    ------
    RecordingError
        If it is not XDF, damaged, or has no regular numeric stream.
    ConfigError
        If the library that reads XDF is not installed.
    """

    def __init__(self, path: str | Path) -> None:
        super().__init__(path, read_xdf)


def read_xdf(path: Path) -> Take:
    """Samples and notes of one file; what follows the last whole chunk is left out.

    Raises
    ------
    RecordingError, ConfigError
        See `XdfReader`.
    """
    try:
        from pyxdf import load_xdf
    except ImportError as err:
        raise ConfigError(
            "XDF", "the library pyxdf: pip install 'signet-wearable[formats]'", "none"
        ) from err
    data, is_whole = whole_chunks(path)
    if not is_whole:
        _LOGGER.warning("%s: cut at the end; read up to its last whole part", path)
    try:
        # Damaged numbers may be of any size; what becomes of them is checked, not warned of.
        with _complaints() as complaints, np.errstate(all="ignore"):
            streams, header = load_xdf(io.BytesIO(data), dejitter_timestamps=False)
            take = _take(streams, header or {}, path)
    except PARSER_FAULTS as err:
        text = " ".join(str(err).split())[:200]
        raise RecordingError(path, "an XDF file", f"a damaged or foreign one ({text})") from err
    if complaints:
        _LOGGER.warning("%s: damaged in places; what is missing is a gap", path)
    return checked_take(take, path)


@contextmanager
def _complaints() -> Iterator[list[logging.LogRecord]]:
    """What the library finds wrong: it logs damage in lines of its own, and goes on."""
    handler = BufferingHandler(_MAX_COMPLAINTS)
    handler.setLevel(logging.ERROR)
    logger = logging.getLogger("pyxdf")
    before, logger.propagate = logger.propagate, False
    logger.addHandler(handler)
    try:
        yield handler.buffer
    finally:
        logger.removeHandler(handler)
        logger.propagate = before


def _take(streams: list[_Stream], header: _Stream, path: Path) -> Take:
    shift_s = _shift_s(streams, header)
    tracks = [t for stream in streams for t in _tracks(stream, shift_s, path)]
    notes: list[Note] = []
    for stream in streams:
        if stream["info"]["channel_format"][0] == "string":
            notes += [
                (float(utc) + shift_s, " ".join(texts).strip())
                for utc, texts in zip(stream["time_stamps"], stream["time_series"], strict=True)
            ]
    labels, events, markers = sorted_notes(note for note in notes if note[1])
    return Take(BOARD_ID, FIRMWARE, tuple(tracks), labels, events, markers)


def _shift_s(streams: list[_Stream], header: _Stream) -> float:
    """What to add to the file's times to have UNIX seconds."""
    firsts = [float(s["time_stamps"][0]) for s in streams if len(s["time_stamps"])]
    if not firsts or min(firsts) >= _FIRST_UNIX_S:
        return 0.0
    text = str(header.get("info", {}).get("datetime", [""])[0])
    try:
        begins = datetime.fromisoformat(text)
    except ValueError:
        _LOGGER.warning("no date in the file: times count from 1970-01-01")
        return max(0.0, -min(firsts))
    begins = begins if begins.tzinfo else begins.replace(tzinfo=UTC)
    return begins.timestamp() - min(firsts)


def _tracks(stream: _Stream, shift_s: float, path: Path) -> Iterator[Track]:
    """Channels of a regular numeric stream: one with axes, or one a column if they differ."""
    info = stream["info"]
    rate_hz = float(info["nominal_srate"][0])
    if info["channel_format"][0] == "string" or not len(stream["time_stamps"]):
        return
    name = short_text(str(info["name"][0] or "")) or "stream"
    if not 0 < rate_hz < math.inf:
        _LOGGER.warning("%s: stream %s is irregular: left out", path, name)
        return
    times = np.asarray(stream["time_stamps"], dtype=np.float64) + shift_s
    values = np.asarray(stream["time_series"], dtype=np.float64).reshape(len(times), -1)
    for channel_name, unit, columns in _channels(name, info, values.shape[1]):
        try:
            raw, scale, offset = _counts(info, values[:, columns])
            pieces = stream_pieces(times, raw, rate_hz)
        except ValueError as err:
            # The other streams are as good as they were.
            _LOGGER.warning("%s: stream %s is left out: %s", path, channel_name, err)
            continue
        channel = Channel(0, channel_name, unit, rate_hz, scale, offset, "i32", len(columns))
        yield Track(channel, pieces)


def _channels(name: str, info: _Stream, n_columns: int) -> list[tuple[str, str, list[int]]]:
    """(name, unit, columns): labels that end in x, y and z, or no labels at all, make one channel."""
    described = _child(_child(info, "desc"), "channels").get("channel", [])
    labels = [short_text(str(_leaf(c, "label"))) for c in described]
    units = [short_text(str(_leaf(c, "unit"))) for c in described]
    if len(labels) != n_columns or not all(labels):
        return [(name, units[0] if units else "", list(range(n_columns)))]
    ends = tuple(label[-1:].lower() for label in labels)
    is_numbered = labels == [f"{name}_{i}" for i in range(n_columns)]
    if len(set(units)) == 1 and (ends == _AXES or is_numbered or n_columns == 1):
        return [(labels[0] if n_columns == 1 else name, units[0], list(range(n_columns)))]
    return [(label, unit, [i]) for i, (label, unit) in enumerate(zip(labels, units, strict=True))]


def _counts(info: _Stream, values: NDArray[np.float64]) -> tuple[Counts, float, float]:
    """Counts, scale and offset: the board's own where the file says them, else of our making."""
    said = _child(_child(info, "desc"), "signet")
    if said:
        scale, offset = float(_leaf(said, "scale")), float(_leaf(said, "offset"))
        raw = np.rint((values - offset) / scale)
        if scale and np.all(np.abs(raw) < 1 << 31):
            return raw.astype(np.int32), scale, offset
    return *quantised(values), 0.0


def _child(parent: _Stream, name: str) -> _Stream:
    """A nested element, empty if there is none."""
    found = (parent.get(name) or [None])[0]
    return found if isinstance(found, dict) else {}


def _leaf(parent: _Stream, name: str) -> str:
    found = (parent.get(name) or [""])[0]
    return found if isinstance(found, str) else ""
