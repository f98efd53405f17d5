"""A recording as a device together with its labels, opened once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from firmware_host.devices import ReplayTransport
from firmware_host.errors import ConfigError
from firmware_host.recording.labels import Label, participant_of, read_labels
from firmware_host.recording.registry import open_recording
from firmware_host.transport.base import DeviceUrl, Transport, parse_url

if TYPE_CHECKING:
    from firmware_host.recording.base import RecordingReader


@dataclass(frozen=True, slots=True)
class Recorded:
    """An opened recording; ``labels`` are (start_utc, end_utc, label)."""

    url: str
    reader: RecordingReader
    speed: float | None
    labels: list[tuple[float, float, str]]

    def open(self) -> Transport:
        """The recording as a link to a board."""
        return ReplayTransport(self.reader, url=self.url, speed=self.speed)


def open_recorded(url: str, label_file: Path | None) -> Recorded | None:
    """The recording a ``replay:`` URL names, with the labels beside it; None for any other device.

    Raises
    ------
    ConfigError
        If there is a label file and no recording.
    RecordingError, LabelError
        If either cannot be used.
    """
    parsed = parse_url(url)
    if parsed.scheme != "replay":
        if label_file is not None:
            raise ConfigError("--labels", "a replay: device, which the labels are about", url)
        return None
    parsed.check_options(["speed"])
    if not parsed.target:
        raise ConfigError(f"device URL {url}", "replay:FILE", url)
    speed = _speed(parsed)
    reader = open_recording(parsed.target)
    try:
        labels = _labels(reader, Path(parsed.target), label_file)
    except BaseException:
        reader.close()
        raise
    spans = [(x.t_start_utc, x.t_end_utc, x.label) for x in labels]
    return Recorded(url, reader, speed, spans)


def _speed(parsed: DeviceUrl) -> float | None:
    if parsed.option("speed") in (None, "max"):
        return None
    return parsed.number("speed", default=1.0)


def _labels(reader: RecordingReader, path: Path, label_file: Path | None) -> list[Label]:
    if label_file is None:
        return reader.labels()
    return read_labels(
        label_file,
        participant=participant_of(path),
        start_utc=reader.start_utc,
        end_utc=reader.start_utc + reader.duration_s,
    )
