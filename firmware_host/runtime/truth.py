"""Ground truth for scoring: a label file, any labels, about any time."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from firmware_host.errors import LabelError
from firmware_host.recording.labels import OURS_HEADER, read_labels

_FOREVER = 1e12


def read_truth(path: Path) -> list[tuple[float, float, str]]:
    """(start_utc, end_utc, label) of a file ``start_utc,end_utc,label`` with labels of any name.

    A per-second study file about one person works too.

    Raises
    ------
    LabelError
        If the file is of another layout, empty or damaged.
    """
    try:
        text = path.read_text(encoding="utf-8") if path.suffix != ".gz" else ""
    except (OSError, UnicodeDecodeError) as err:
        raise LabelError(f"{path}: expected a label file, got: {err}") from err
    rows = list(csv.reader(io.StringIO(text)))
    if not rows or tuple(rows[0]) != OURS_HEADER:
        labels = read_labels(path, participant=None, start_utc=0.0, end_utc=_FOREVER)
        return [(x.t_start_utc, x.t_end_utc, x.label) for x in labels]
    return [_parse(row, n, path) for n, row in enumerate(rows[1:], 2) if row]


def _parse(row: list[str], n: int, path: Path) -> tuple[float, float, str]:
    try:
        start, end, label = row
        return float(start), float(end), label
    except ValueError as err:
        msg = f"{path}: expected start_utc,end_utc,label in row {n}, got {len(row)} cells"
        raise LabelError(msg) from err
