"""Pictures with one row a person: bars of figures, and what became of their windows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from firmware_host.report import canvas
from firmware_host.report.canvas import Drawing, Variant
from firmware_host.report.markup import Markup, element, join
from firmware_host.report.scales import Linear, nice_ticks, print_share, print_value

_BAR_PX, _ROW_GAP_PX = 8.0, 7.0
_NAME_PX, _VALUE_PX = 74.0, 52.0
_AXIS_PX = 22.0


@dataclass(frozen=True, slots=True)
class Series:
    """One figure of every person: its name, the style class of its bars, (n,) values or NaN."""

    name: str
    kind: str
    values: Sequence[float]


@dataclass(frozen=True, slots=True)
class Mark:
    """A vertical line across all rows: where it stands, and its style class."""

    value: float
    kind: str


def draw_person_bars(
    names: Sequence[str],
    series: Sequence[Series],
    variant: Variant,
    *,
    diamonds: Sequence[float] = (),
    marks: Sequence[Mark] = (),
    high: float = 1.0,
    percent: bool = False,
) -> Drawing:
    """Bars of each person under one another, on one axis from 0 to `high`.

    `diamonds` (n,) is a control a person; NaN draws nothing, and a row of nothing else says so.
    `percent` prints shares in per cent.
    """
    row_px = len(series) * _BAR_PX + _ROW_GAP_PX
    x = Linear(0.0, high, _NAME_PX, variant.width_px - _VALUE_PX)
    bottom = len(names) * row_px + 4.0
    parts = [_axis(x, bottom, percent=percent)]
    for row, name in enumerate(names):
        y = row * row_px + _ROW_GAP_PX / 2
        values = [one.values[row] for one in series]
        shapes = [canvas.text(_NAME_PX - 8, row_px / 2, canvas.fit(name, _NAME_PX), "e r")]
        if not np.isfinite(values).any():
            shapes.append(canvas.text(x.px_low + 4, row_px / 2, "not measurable", "r"))
        for place, (one, value) in enumerate(zip(series, values, strict=True)):
            if np.isfinite(value):
                shapes.append(_bar(x, place * _BAR_PX, value, one, name))
        shapes.append(
            canvas.text(x.px_high + 8, row_px / 2, _print(values[-1], percent=percent), "r v")
        )
        if len(diamonds) and np.isfinite(diamonds[row]):
            middle = len(series) * _BAR_PX / 2
            tip = f"{name}: {print_value(diamonds[row])}"
            shapes.append(canvas.diamond(x(diamonds[row]), middle, 4, "control", tip))
        parts.append(canvas.group(*shapes, y=y))
    parts += [canvas.line(x(m.value), 0, x(m.value), bottom, m.kind) for m in marks
              if np.isfinite(m.value)]  # fmt: skip
    return bottom + _AXIS_PX, join(parts)


def _print(value: float, *, percent: bool) -> str:
    if not np.isfinite(value):
        return "–"
    return print_share(value) if percent else f"{value:.2f}"


def _bar(x: Linear, y: float, value: float, series: Series, name: str) -> Markup:
    tip = f"{name}, {series.name}: {print_value(value)}"
    return canvas.box(x.px_low, y, x(value) - x.px_low, _BAR_PX - 1.5, series.kind, tip=tip)


def _axis(x: Linear, bottom: float, *, percent: bool) -> Markup:
    parts = []
    for tick in nice_ticks(0.0, x.high, 8):
        words = f"{100 * tick:g} %" if percent else f"{tick:g}"
        parts.append(canvas.line(x(tick), 0, x(tick), bottom, "grid"))
        parts.append(canvas.text(x(tick), bottom + 15, words, "m r"))
    return join(parts)


def draw_shares(names: Sequence[str], parts: Sequence[Series], variant: Variant) -> Drawing:
    """One bar a person from 0 to 100 %, divided into the given shares (each series 0..1)."""
    row_px = 18.0
    x = Linear(0.0, 1.0, _NAME_PX, variant.width_px - _VALUE_PX)
    bottom = len(names) * row_px + 4.0
    shapes = [_axis(x, bottom, percent=True)]
    for row, name in enumerate(names):
        done, pieces = 0.0, []
        for part in parts:
            share = part.values[row]
            if np.isfinite(share) and share > 0:
                a, b = x(done), x(done + share)
                tip = f"{name}, {part.name}: {print_share(share)}"
                pieces.append(canvas.box(a, 2, b - a, row_px - 6, part.kind, tip=tip))
                done += share
        label = canvas.text(_NAME_PX - 8, 12, canvas.fit(name, _NAME_PX), "e r")
        first = print_share(parts[0].values[row])
        value = canvas.text(x.px_high + 8, 12, first, "r v")
        shapes.append(canvas.group(label, *pieces, value, y=row * row_px))
    return bottom + _AXIS_PX, join(shapes)


def bar_key(series: Series) -> Markup:
    """Entry of the key for one series of bars."""
    return canvas.swatch(canvas.box(1, 1, 24, 10, series.kind), series.name)


def line_key(kind: str, words: str) -> Markup:
    """Entry of the key for a line."""
    return canvas.swatch(element("path", d="M0 6h26", class_=kind), words)


def diamond_key(words: str) -> Markup:
    """Entry of the key for a control a person."""
    return canvas.swatch(canvas.diamond(13, 6, 4, "control"), words)
