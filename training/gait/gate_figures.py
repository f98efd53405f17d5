"""Figures of the activity gate: of a network in training, or of a shipped file.

The device decides on a stream, so the figures do too: every recording is cut into bouts of 45 s,
the bouts of a person are joined in random order, windows are taken one hop after the other across
the seams, and the host's own causal filter is carried through all of them. Smoothing inside
recordings of one activity would flatter itself: here it pays for its delays.

Two definitions are in use. *Five* classes are the gate's own: still, walk, run, stairs, other.
*Four* count still as other, as published comparisons on the watch recordings do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from firmware_host.events import Activity
from firmware_host.signals.gait import GATE_RATE_HZ, HOP_S, N_GATE
from firmware_host.signals.gait_smoothing import ActivitySmoother
from training.gait.windows import Stream

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
Infer = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""(n, 100, 6) windows of channels in SI units -> (n, 5) probabilities, as the gate gives them."""

LABELS = tuple(activity.value for activity in Activity)
BOUT_S = 45.0
# Truth of a window that spans two bouts of different activities: scored by nobody.
NO_TRUTH = -1
_STILL, _OTHER = LABELS.index("still"), LABELS.index("other")
# Three channels of acceleration, then three of rotation rate.
_N_ACC_CHANNELS = 3


@dataclass(frozen=True, slots=True, eq=False)
class GateRow:
    """One person's windows in the order the device met them.

    `truth` (n,) class numbers in `LABELS`, `NO_TRUTH` where a window spans two activities;
    `probabilities` (n, 5) of the network, `smoothed` (n, 5) after the host's filter.
    """

    person: str
    truth: IntArray
    probabilities: FloatArray
    smoothed: FloatArray

    @property
    def n_windows(self) -> int:
        """Windows that count."""
        return int((self.truth != NO_TRUTH).sum())

    def confusion(self, *, smoothed: bool) -> IntArray:
        """(5, 5) counts, truth by decision."""
        chosen = (self.smoothed if smoothed else self.probabilities).argmax(axis=1)
        counts = np.zeros((len(LABELS), len(LABELS)), np.int64)
        known = self.truth != NO_TRUTH
        np.add.at(counts, (self.truth[known], chosen[known]), 1)
        return counts


def gate_rows(
    streams: Sequence[Stream],
    infer: Infer,
    *,
    use_gyro: bool = True,
    hop_s: float = HOP_S,
    seed: int = 0,
) -> list[GateRow]:
    """Score everyone's streams as a device would meet them, person by person in order of name.

    Parameters
    ----------
    streams
        Recordings of any number of people, each of one activity.
    infer
        The gate. With `use_gyro` false it is given zeros in the three rotation channels, which is
        what the host gives it when a board has no gyroscope.
    hop_s
        Time from one decision to the next; a multiple of 50 ms.
    """
    rows = []
    for person in sorted({stream.person for stream in streams}):
        own = [stream for stream in streams if stream.person == person]
        values, activity = bout_stream(own, np.random.default_rng(seed))
        if len(values) >= N_GATE:
            rows.append(_row(person, values, activity, infer, use_gyro=use_gyro, hop_s=hop_s))
    return rows


def bout_stream(
    streams: Sequence[Stream], rng: np.random.Generator
) -> tuple[NDArray[np.float32], IntArray]:
    """Join one person's recordings in shuffled bouts: channels (n, 6) and activity (n,).

    What is left of a recording after its last whole window is not used.
    """
    bouts = [
        (stream.values[start:stop], stream.activity)
        for stream in streams
        for start, stop in _bouts(stream.n_windows * N_GATE)
    ]
    if not bouts:
        return np.zeros((0, 6), np.float32), np.zeros(0, np.int64)
    order = rng.permutation(len(bouts))
    values = np.concatenate([bouts[i][0] for i in order])
    return values, np.concatenate([np.full(len(bouts[i][0]), bouts[i][1]) for i in order])


def _bouts(n_samples: int) -> Iterator[tuple[int, int]]:
    size = round(BOUT_S * GATE_RATE_HZ)
    for start in range(0, n_samples, size):
        yield start, min(start + size, n_samples)


def _row(
    person: str,
    values: NDArray[np.float32],
    activity: IntArray,
    infer: Infer,
    *,
    use_gyro: bool,
    hop_s: float,
) -> GateRow:
    step = round(hop_s * GATE_RATE_HZ)
    windows = np.lib.stride_tricks.sliding_window_view(values, N_GATE, axis=0)[::step]
    windows = np.ascontiguousarray(windows.transpose(0, 2, 1))  # (n, 100, 6)
    if not use_gyro:
        windows[:, :, _N_ACC_CHANNELS:] = 0.0
    spans = np.lib.stride_tricks.sliding_window_view(activity, N_GATE)[::step]
    truth = np.where((spans == spans[:, :1]).all(axis=1), spans[:, 0], NO_TRUTH)
    probabilities = np.asarray(infer(windows), np.float64)
    smoother = ActivitySmoother(len(LABELS), hop_s=hop_s)
    smoothed = np.stack([smoother.update(row) for row in probabilities])
    return GateRow(person, truth, probabilities, smoothed)


def gate_figures(rows: Sequence[GateRow]) -> dict[str, Any]:
    """Figures over everyone's windows, and each person's own.

    Returns
    -------
    `gate_macro_f1`, `gate_recall` of four classes and `gate_macro_f1_five`, `gate_recall_five` of
    five, as the device decides; the same names with `_plain` window by window, without the filter.
    `gate_confusion` and `gate_confusion_plain` are rows of truth, columns of decisions, both in
    the order of `gate_labels`. `gate_walk_recall_mean`, `_sd`, `_worst` are over people.
    `participants` have `id`, `gate_n_windows`, `gate_macro_f1`, `gate_recall`, `gate_walk_recall`
    (None for who never walks).
    """
    figures: dict[str, Any] = {"gate_labels": list(LABELS)}
    for smoothed, suffix in ((True, ""), (False, "_plain")):
        counts = _total(row.confusion(smoothed=smoothed) for row in rows)
        four = merge_still(counts)
        figures |= {
            f"gate_macro_f1{suffix}": macro_f1(four),
            f"gate_recall{suffix}": recalls(four),
            f"gate_macro_f1_five{suffix}": macro_f1(counts),
            f"gate_recall_five{suffix}": recalls(counts),
            f"gate_confusion{suffix}": counts.tolist(),
        }
    participants = [_participant(row) for row in rows]
    walk = [p["gate_walk_recall"] for p in participants if p["gate_walk_recall"] is not None]
    spread = {
        "gate_walk_recall_mean": float(np.mean(walk)) if walk else None,
        "gate_walk_recall_sd": float(np.std(walk)) if walk else None,
        "gate_walk_recall_worst": float(np.min(walk)) if walk else None,
    }
    return figures | spread | {"participants": participants}


def _participant(row: GateRow) -> dict[str, Any]:
    counts = row.confusion(smoothed=True)
    four = merge_still(counts)
    return {
        "id": row.person,
        "gate_n_windows": row.n_windows,
        "gate_macro_f1": macro_f1(four),
        "gate_recall": recalls(counts),
        "gate_walk_recall": recalls(four).get("walk"),
    }


def merge_still(confusion: IntArray) -> IntArray:
    """Four classes of five: still is counted as other, in truth and in decision."""
    merged = confusion.copy()
    merged[_OTHER] += merged[_STILL]
    merged[:, _OTHER] += merged[:, _STILL]
    merged[_STILL] = 0
    merged[:, _STILL] = 0
    return merged


def macro_f1(confusion: NDArray[Any]) -> float | None:
    """Mean F1 over the classes that occur; None if there are none. Confusion (true, decided)."""
    total = confusion.sum(axis=0) + confusion.sum(axis=1)
    occurs = confusion.sum(axis=1) > 0
    if not occurs.any():
        return None
    return float(np.mean(2.0 * np.diag(confusion)[occurs] / total[occurs]))


def recalls(confusion: NDArray[Any]) -> dict[str, float]:
    """Recall of each class that occurs."""
    rows = zip(LABELS, confusion, range(len(LABELS)), strict=True)
    return {name: float(row[i] / row.sum()) for name, row, i in rows if row.sum()}


def _total(confusions: Iterator[IntArray]) -> IntArray:
    return sum(confusions, np.zeros((len(LABELS), len(LABELS)), np.int64))
