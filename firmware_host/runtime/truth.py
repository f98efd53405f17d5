"""Ground truth for scoring: a label file, any labels, about any time; and which window lies in which span."""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from firmware_host.errors import LabelError
from firmware_host.recording.labels import OURS_HEADER, read_labels

Truth = Sequence[tuple[float, float, str]]
"""(start_utc, end_utc, label)"""

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


def span_indices(
    t_end_utc: NDArray[np.float64],
    length_s: float | NDArray[np.float64],
    spans: Truth,
    names: Collection[str],
) -> NDArray[np.int64]:
    """(n,) index of the span that holds each window whole, -1 where none does.

    Of spans that overlap the one named first counts. Spans of other names are passed over.

    Parameters
    ----------
    t_end_utc
        (n,) ends of the windows, in any order.
    length_s
        One length for all, or (n,).
    """
    order = np.argsort(t_end_utc, kind="stable")
    ordered = t_end_utc[order]
    starts = ordered - np.broadcast_to(length_s, t_end_utc.shape)[order]
    found = np.full(t_end_utc.shape, -1, dtype=np.int64)
    for idx in reversed(range(len(spans))):
        start_utc, end_utc, name = spans[idx]
        if name not in names:
            continue
        low, high = np.searchsorted(ordered, (start_utc, end_utc), side="right")
        inside = starts[low:high] >= start_utc
        found[order[low:high][inside]] = idx
    return found


def _parse(row: list[str], n: int, path: Path) -> tuple[float, float, str]:
    try:
        start, end, label = row
        return float(start), float(end), label
    except ValueError as err:
        msg = f"{path}: expected start_utc,end_utc,label in row {n}, got {len(row)} cells"
        raise LabelError(msg) from err
