"""A recording as a device together with its labels, opened once."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from firmware_host.devices import ReplayTransport, ReplayWish, replay_wish
from firmware_host.errors import ConfigError
from firmware_host.recording.labels import BUTTON, Label, Span, participant_of, read_labels
from firmware_host.recording.playing import Playing
from firmware_host.recording.registry import open_recording
from firmware_host.transport.base import Transport, parse_url

if TYPE_CHECKING:
    from firmware_host.recording.base import RecordingReader


@dataclass(slots=True)
class Recorded:
    """An opened recording; ``labels`` are (start_utc, end_utc, label) of what is played, in every round.

    ``pressed`` are those of the buttons, where all of it is played and so are their presses.
    """

    reader: RecordingReader
    wish: ReplayWish
    labels: list[Span]
    pressed: list[Span]
    transport: ReplayTransport | None = None

    def open(self) -> Transport:
        """The recording as a link to a board."""
        self.transport = self.wish.transport(self.reader)
        return self.transport


def open_recorded(url: str, label_file: Path | None, *, keeps: bool) -> Recorded | None:
    """The recording a ``replay:`` URL names, with the labels beside it; None for any other device.

    Parameters
    ----------
    keeps
        Somebody keeps and learns from what is played, so that it must not be played over and over.

    Raises
    ------
    ConfigError
        If there is a label file and no recording, or an option makes no sense.
    RecordingError, LabelError
        If either cannot be used.
    """
    parsed = parse_url(url)
    if parsed.scheme != "replay":
        if label_file is not None:
            raise ConfigError("--labels", "a replay: device, which the labels are about", url)
        return None
    wish = replay_wish(parsed)
    rounds = wish.playing.rounds
    if keeps and rounds != 1:
        expected = "one round where a vault keeps what happened: it did not happen again"
        raise ConfigError("loop", expected, rounds or "forever")
    if label_file is not None and rounds is None:
        raise ConfigError("loop", "a number of rounds beside --labels", "forever")
    reader = open_recording(parsed.target)
    try:
        labels = _labels(reader, Path(parsed.target), label_file)
        pressed = [] if _is_part(wish.playing) else [x for x in labels if x.source == BUTTON]
        others = [x for x in labels if x not in pressed]
        said, told = (_played(part, wish.playing, reader) for part in (others, pressed))
        return Recorded(reader, wish, said, told)
    except BaseException:
        reader.close()
        raise


def _is_part(playing: Playing) -> bool:
    return bool(playing.start or playing.end or playing.rounds != 1)


def _played(labels: list[Label], playing: Playing, reader: RecordingReader) -> list[Span]:
    """Labels of what is played, cut where it is, moved on with each round; of endless ones the first."""
    span = playing.span(reader)
    low, high = span
    if not _is_part(playing):
        # All of it: a label may go on for a moment after the last message.
        low, high = -math.inf, math.inf
    cut = [(max(x.t_start_utc, low), min(x.t_end_utc, high), x.label) for x in labels]
    inside = [x for x in cut if x[0] < x[1] and x[1] > span.start_utc and x[0] < span.end_utc]
    later = [number * span.round_s for number in range(playing.rounds or 1)]
    return [(start + s, end + s, label) for s in later for start, end, label in inside]


def _labels(reader: RecordingReader, path: Path, label_file: Path | None) -> list[Label]:
    if label_file is None:
        return reader.labels()
    return read_labels(
        label_file,
        participant=participant_of(path),
        start_utc=reader.start_utc,
        end_utc=reader.start_utc + reader.duration_s,
    )
