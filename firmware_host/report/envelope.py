"""Many samples to few columns: what makes a day of waveform a drawing of some kilobytes."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from firmware_host.report.model import FloatArray, Gap, Signal, Span
from firmware_host.report.scales import clean

# A hole of three usual intervals is a gap, not jitter.
_GAP_INTERVALS = 3.0
# More gaps than pixels on any screen; later ones still show as empty buckets.
_MAX_GAPS = 20_000


@dataclass(frozen=True, slots=True)
class Columns:
    """Envelope per pixel column: index (m,), smallest, mean and largest value (m,), all finite."""

    idx: npt.NDArray[np.int64]
    low: FloatArray
    mean: FloatArray
    high: FloatArray


@dataclass(frozen=True, slots=True)
class Curve:
    """A signal's finite samples inside the time range, ordered; (n,) each."""

    t_utc: FloatArray
    low: FloatArray
    values: FloatArray
    high: FloatArray


def curve_of(signal: Signal, start_utc: float, end_utc: float) -> Curve:
    """Finite samples of a signal inside the range, in time order."""
    t_utc = np.asarray(signal.t_utc, dtype=np.float64).ravel()
    values = clean(signal.values)
    low = values if signal.low is None else clean(signal.low)
    high = values if signal.high is None else clean(signal.high)
    keep = np.isfinite(values) & np.isfinite(low) & np.isfinite(high)
    keep &= (t_utc >= start_utc) & (t_utc <= end_utc)
    order = np.flatnonzero(keep)
    if order.size and np.any(np.diff(t_utc[order]) < 0):
        order = order[np.argsort(t_utc[order], kind="stable")]
    return Curve(t_utc[order], low[order], values[order], high[order])


def columns_of(curve: Curve, start_utc: float, end_utc: float, n_columns: int) -> Columns:
    """Smallest, mean and largest value of each column that has a sample."""
    position = (curve.t_utc - start_utc) / (end_utc - start_utc) * n_columns
    column = np.clip(position.astype(np.int64), 0, n_columns - 1)
    if not column.size:
        empty = np.zeros(0)
        return Columns(column, empty, empty, empty)
    first = np.flatnonzero(np.diff(column, prepend=-1))
    n = np.diff(first, append=column.size)
    return Columns(
        idx=column[first],
        low=np.minimum.reduceat(curve.low, first),
        mean=np.add.reduceat(curve.values / np.repeat(n, n), first),
        high=np.maximum.reduceat(curve.high, first),
    )


def gaps_of(signal: Signal, curve: Curve, start_utc: float, end_utc: float) -> list[Gap]:
    """Spans without samples: as given, else finite samples more than three intervals apart."""
    if signal.gaps is not None:
        return [(a, b) for a, b in signal.gaps if b > start_utc and a < end_utc]
    if curve.t_utc.size < 2:
        return [(start_utc, end_utc)]
    spacing = np.diff(curve.t_utc)
    limit = _GAP_INTERVALS * max(float(np.median(spacing)), 1e-6)
    holes = np.flatnonzero(spacing > limit)
    gaps = [(float(curve.t_utc[i]), float(curve.t_utc[i + 1])) for i in holes]
    if curve.t_utc[0] - start_utc > limit:
        gaps.insert(0, (start_utc, float(curve.t_utc[0])))
    if end_utc - curve.t_utc[-1] > limit:
        gaps.append((float(curve.t_utc[-1]), end_utc))
    return gaps


def runs(mask: npt.NDArray[np.bool_]) -> list[tuple[int, int]]:
    """(first, one past last) of every run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], mask, [False])).astype(np.int8)))
    return [(int(a), int(b)) for a, b in edges.reshape(-1, 2)]


def gap_columns(
    gaps: Sequence[Gap], start_utc: float, end_utc: float, n_columns: int
) -> list[tuple[int, int]]:
    """Column runs touched by a gap: even the shortest gap keeps one column."""
    mask = np.zeros(n_columns, dtype=np.bool_)
    scale = n_columns / (end_utc - start_utc)
    for a, b in gaps:
        # Said this way round, NaN limits are left out too.
        if not (b > start_utc and a < end_utc and a <= b):
            continue
        first = int(max(0.0, (a - start_utc) * scale))
        mask[
            min(first, n_columns - 1) : max(first + 1, int(min((b - start_utc) * scale, n_columns)))
        ] = True
    return runs(mask)


def clipped(spans: Sequence[Span], start_utc: float, end_utc: float) -> list[Span]:
    """Spans cut to the time range, in time order, empty and unordered ones left out."""
    inside = [
        (max(a, start_utc), min(b, end_utc), name)
        for a, b, name in spans
        if b > start_utc and a < end_utc
    ]
    return sorted(
        (span for span in inside if span[1] > span[0]), key=lambda span: (span[0], span[1])
    )


def seconds_by_name(spans: Sequence[Span]) -> dict[str, float]:
    """Total length of each name, s, in order of first appearance."""
    total: dict[str, float] = {}
    for a, b, name in spans:
        total[name] = total.get(name, 0.0) + (b - a)
    return total


def main_name_columns(
    spans: Sequence[Span], start_utc: float, end_utc: float, n_columns: int
) -> list[tuple[int, int, str]]:
    """(first, one past last, name) column runs; a column shows the name that holds most of it."""
    names = list(seconds_by_name(spans))
    if not names:
        return []
    cover = np.zeros((len(names) + 1, n_columns))
    # Nothing covered is empty; the shortest span keeps a column, as the shortest gap does.
    cover[-1] = 1e-9
    row = {name: idx for idx, name in enumerate(names)}
    scale = n_columns / (end_utc - start_utc)
    for a, b, name in spans:
        _cover(cover[row[name]], (a - start_utc) * scale, (b - start_utc) * scale)
    main = np.argmax(cover, axis=0)
    edges = [0, *(int(i) + 1 for i in np.flatnonzero(np.diff(main))), n_columns]
    return [
        (a, b, names[int(main[a])]) for a, b in itertools.pairwise(edges) if main[a] < len(names)
    ]


def _cover(row: FloatArray, first: float, last: float) -> None:
    """Add the part of each column that [first, last) covers."""
    a, b = int(first), min(int(last), row.size - 1)
    if a >= row.size:
        return
    if a == b:
        row[a] += last - first
        return
    row[a] += a + 1 - first
    row[a + 1 : b] += 1.0
    row[b] += last - b


class EnvelopeBuilder:
    """One minimum, mean and maximum per bucket from blocks as they come, in constant memory.

    Parameters
    ----------
    start_utc, end_utc
        Time range of the report; samples outside are ignored.
    n_buckets
        Two per pixel of the widest drawing.
    """

    def __init__(self, start_utc: float, end_utc: float, n_buckets: int = 2000) -> None:
        self._start_utc = start_utc
        self._bucket_s = max(end_utc - start_utc, 1e-3) / n_buckets
        self._low = np.full(n_buckets, np.inf)
        self._high = np.full(n_buckets, -np.inf)
        self._sum = np.zeros(n_buckets)
        self._n = np.zeros(n_buckets, dtype=np.int64)
        self._gaps: list[Gap] = []
        self._next_utc: float | None = None

    def add(self, t0_utc: float, values: npt.ArrayLike, *, sample_rate_hz: float) -> None:
        """Take one block; a hole of more than 1.5 samples before it is kept as a gap.

        Parameters
        ----------
        values
            (n,) SI values, the first at `t0_utc`; NaN is skipped.
        """
        block = clean(values)
        if self._next_utc is not None and t0_utc - self._next_utc > 0.5 / sample_rate_hz:
            self._add_gap(self._next_utc, t0_utc)
        self._next_utc = t0_utc + block.size / sample_rate_hz
        t_utc = t0_utc + np.arange(block.size) / sample_rate_hz
        bucket = np.floor((t_utc - self._start_utc) / self._bucket_s).astype(np.int64)
        keep = np.isfinite(block) & (bucket >= 0) & (bucket < self._n.size)
        bucket, block = bucket[keep], block[keep]
        np.minimum.at(self._low, bucket, block)
        np.maximum.at(self._high, bucket, block)
        np.add.at(self._sum, bucket, block)
        np.add.at(self._n, bucket, 1)

    def _add_gap(self, start_utc: float, end_utc: float) -> None:
        if len(self._gaps) < _MAX_GAPS:
            self._gaps.append((start_utc, end_utc))

    def signal(self, name: str, unit: str, *, note: str = "") -> Signal:
        """The curve so far; the parts before the first and after the last block count as gaps."""
        filled = self._n > 0
        n_buckets = self._n.size
        t_utc = self._start_utc + (np.arange(n_buckets) + 0.5) * self._bucket_s
        end_utc = self._start_utc + n_buckets * self._bucket_s
        if not filled.any():
            return Signal(name, unit, [], [], gaps=[(self._start_utc, end_utc)], note=note)
        first, last = (float(t) for t in t_utc[filled][[0, -1]])
        edges = [(self._start_utc, first - self._bucket_s), (last + self._bucket_s, end_utc)]
        return Signal(
            name=name,
            unit=unit,
            t_utc=t_utc[filled],
            values=self._sum[filled] / self._n[filled],
            low=self._low[filled],
            high=self._high[filled],
            gaps=[*self._gaps, *((a, b) for a, b in edges if b > a)],
            note=note,
        )
