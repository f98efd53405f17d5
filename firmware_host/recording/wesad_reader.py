"""Reads one person's folder of the WESAD study: the E4 session at the wrist, and its schedule as labels."""

from __future__ import annotations

import logging
from pathlib import Path

from firmware_host.errors import RecordingError
from firmware_host.recording.e4_reader import E4Reader
from firmware_host.recording.labels import Label
from firmware_host.recording.wesad_schedule import Text, read_schedule

_LOGGER = logging.getLogger(__name__)

# A schedule is a page; of the RespiBAN's file only the header is wanted, the rest are gigabytes.
_TEXT_BYTES = 1 << 16
QUEST, RESPIBAN, E4_DATA = "_quest.csv", "_respiban.txt", "_E4_Data"


def is_wesad(folder: Path) -> bool:
    """Whether a folder has the study's schedule in it."""
    return next(folder.glob(f"*{QUEST}"), None) is not None


class WesadReader(E4Reader):
    """One `SX` folder: `SX_E4_Data` (zipped or not), `SX_quest.csv` and `SX_respiban.txt`.

    Baseline and amusement are labelled rest, the Trier Social Stress Test stress; meditation and
    reading have no label. Without `SX_respiban.txt`, which says when the schedule's clock begins,
    there are no labels, and a line in the log says so. The chest's signals are not read.

    Raises
    ------
    RecordingError, LabelError
        If a file is missing or cannot be used.
    """

    def __init__(self, path: str | Path) -> None:
        folder = Path(path)
        quests = sorted(folder.glob(f"*{QUEST}"))
        if len(quests) != 1:
            raise RecordingError(folder, f"one person's folder with one *{QUEST}", f"{len(quests)}")
        person = quests[0].name.removesuffix(QUEST)
        packed, plain = folder / f"{person}{E4_DATA}.zip", folder / f"{person}{E4_DATA}"
        super().__init__(plain if plain.is_dir() else packed)
        self._labels = _labels(
            quests[0],
            folder / f"{person}{RESPIBAN}",
            (self.start_utc, self.start_utc + self.duration_s),
        )

    def labels(self) -> list[Label]:
        """The study's schedule."""
        return list(self._labels)


def _labels(quest: Path, respiban: Path, span: tuple[float, float]) -> list[Label]:
    if not respiban.exists():
        _LOGGER.warning(
            "%s: not there, so nobody knows when the schedule began: no labels", respiban
        )
        return []
    conditions = read_schedule(_text(quest), _text(respiban), span)
    return [
        Label(c.start_utc, min(c.end_utc, span[1]), c.label, "file")
        for c in conditions
        if c.label is not None
    ]


def _text(path: Path) -> Text:
    try:
        with path.open("rb") as file:
            return Text(path, file.read(_TEXT_BYTES))
    except OSError as err:
        raise RecordingError(path, "a readable file", err.strerror or "none") from err
