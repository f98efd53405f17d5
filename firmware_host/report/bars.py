"""Pictures made of bars: before and after, gait scores, baseline shift."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from firmware_host.report import canvas
from firmware_host.report.canvas import Drawing, Variant
from firmware_host.report.markup import Markup, element, join, number
from firmware_host.report.model import (
    BeforeAfter,
    FeatureShift,
    FloatArray,
    GaitScores,
)
from firmware_host.report.scales import (
    Linear,
    clean,
    finite,
    nice_step,
    nice_ticks,
    print_share,
    print_signed,
    print_value,
)

_BAR_ROW_PX, _BAR_PX = 54, 13
_SHIFT_ROW_PX = 22
_N_BINS = 36
# Far more features than any bundle has.
MAX_SHIFTS = 60


def draw_outcomes(rows: Sequence[BeforeAfter], variant: Variant) -> Drawing:
    """Bar pairs, each under its name; one common axis when all scores are shares of 0..1."""
    left, right = 10.0, variant.width_px - 74.0
    common = has_common_scale(rows)
    bottom = len(rows) * _BAR_ROW_PX + 4.0
    parts: list[Markup] = []
    if common:
        scale = Linear(0.0, 1.0, left, right)
        for tick in (0.0, 0.25, 0.5, 0.75, 1.0):
            parts.append(canvas.line(scale(tick), 0, scale(tick), bottom, "grid"))
            parts.append(canvas.text(scale(tick), bottom + 15, f"{tick:g}", "m r"))
    for idx, row in enumerate(rows):
        scale = Linear(0.0, 1.0, left, right) if common else _own_scale(row, left, right)
        parts.append(canvas.group(_outcome_row(row, scale, right), y=idx * _BAR_ROW_PX))
    return bottom + (22 if common else 4), join(parts)


def has_common_scale(rows: Sequence[BeforeAfter]) -> bool:
    """Whether all scores are shares of 0..1 and may stand on one axis."""
    return all(_in_unit_range(row) for row in rows)


def _numbers(row: BeforeAfter) -> FloatArray:
    control = np.nan if row.control is None else row.control
    values = [
        row.before,
        row.after,
        *(row.before_interval or ()),
        *(row.after_interval or ()),
        control,
    ]
    return finite(values)


def _in_unit_range(row: BeforeAfter) -> bool:
    values = _numbers(row)
    return bool(np.all((values >= 0) & (values <= 1)))


def _own_scale(row: BeforeAfter, left: float, right: float) -> Linear:
    values = np.append(_numbers(row), 0.0)
    low, high = float(values.min()), float(values.max())
    step = nice_step(max(high - low, 1e-9), 4)
    return Linear(np.floor(low / step) * step, np.ceil(high / step) * step or 1.0, left, right)


def _outcome_row(row: BeforeAfter, scale: Linear, right: float) -> Markup:
    name = canvas.fit(row.name, right * 0.7)
    tail = None if row.higher_is_better else element("tspan", "\u2002lower is better")
    title = element("text", name, tail, x=scale.px_low, y=14, class_="h")
    shapes = [title]
    for idx, (value, interval, kind) in enumerate(
        (
            (row.before, row.before_interval, "bar-before"),
            (row.after, row.after_interval, "bar-after"),
        )
    ):
        y = 20.0 + idx * (_BAR_PX + 2)
        shapes.append(_bar_with_interval(value, interval, scale, y, kind))
        label = print_value(value) + (f" {row.unit}" if row.unit else "")
        shapes.append(canvas.text(right + 9, y + 11, label, "v" if idx else ""))
    if row.control is not None and np.isfinite(row.control):
        shapes.append(
            canvas.diamond(scale(row.control), 20.0 + _BAR_PX + 1, 5, "control", "control")
        )
    return join(shapes)


def _bar_with_interval(
    value: float, interval: tuple[float, float] | None, scale: Linear, y: float, kind: str
) -> Markup:
    if not np.isfinite(value):
        return canvas.text(scale.px_low + 4, y + 11, "not measured", "r")
    zero, end = scale(0.0), scale(value)
    bar = canvas.box(min(zero, end), y, abs(end - zero), _BAR_PX, kind, round_px=2)
    if interval is None or not np.all(np.isfinite(interval)):
        return bar
    a, b, middle = scale(interval[0]), scale(interval[1]), y + _BAR_PX / 2
    cap = f"v-3v6m{number(b - a)} 0v-6v3"
    whisker = f"M{number(a)} {number(middle)}{cap}M{number(a)} {number(middle)}h{number(b - a)}"
    return join(
        [bar, element("path", d=whisker, class_="halo"), element("path", d=whisker, class_="whisk")]
    )


def draw_gait(scores: GaitScores, variant: Variant) -> Drawing:
    """Share of scores: the wearer's upwards, other people's downwards, threshold.

    Where nobody said who walked, one histogram upwards and no sides.
    """
    is_known = knows_who_walked(scores)
    first, others = finite(scores.wearer if is_known else scores.unknown), finite(scores.others)
    edges = _bin_edges(np.concatenate([first, others, finite([scores.threshold])]))
    up, down = _shares(first, edges), _shares(others, edges)
    left, right, top, height = 52.0, variant.width_px - 14.0, 34.0, 92.0
    peak = max(float(up.max(initial=0.0)), float(down.max(initial=0.0)), 1e-9)
    middle = top + height
    bottom = middle + (height if is_known else 0.0)
    x = Linear(float(edges[0]), float(edges[-1]), left, right)
    parts = [
        _unsure_band(scores, x, top, bottom),
        _half_axis(peak, left, right, middle, height, both=is_known),
        _histogram(up, edges, x, middle, height / peak, "bar-after" if is_known else "bar-ink"),
        _histogram(down, edges, x, middle, -height / peak, "bar-others"),
        canvas.line(left, middle, right, middle, "whisk"),
        _score_axis(edges, x, bottom),
    ]
    if np.isfinite(scores.threshold):
        accepted = x(scores.threshold + max(0.0, scores.margin))
        parts.append(
            canvas.line(x(scores.threshold), top - 8, x(scores.threshold), bottom, "threshold")
        )
        parts.append(_accepted_mark(accepted, top - 6, variant.width_px))
    return bottom + 38, join(parts)


def knows_who_walked(scores: GaitScores) -> bool:
    """Whether anybody said of any score whose walking it was."""
    return bool(np.size(scores.wearer) or np.size(scores.others))


def _unsure_band(scores: GaitScores, x: Linear, top: float, bottom: float) -> Markup | None:
    if not (np.isfinite(scores.threshold) and np.isfinite(scores.margin) and scores.margin > 0):
        return None
    a, b = x(scores.threshold - scores.margin), x(scores.threshold + scores.margin)
    return canvas.box(a, top, b - a, bottom - top, "shade")


def _bin_edges(values: FloatArray) -> FloatArray:
    if not values.size:
        return np.linspace(0.0, 1.0, _N_BINS + 1)
    low, high = float(values.min()), float(values.max())
    if not high > low:
        low, high = low - max(abs(low) * 0.05, 0.5), high + max(abs(high) * 0.05, 0.5)
    step = nice_step(high - low, _N_BINS)
    first, last = np.floor(low / step), np.floor(high / step) + 1
    return np.asarray(np.arange(first, last + 1) * step, dtype=np.float64)


def _shares(values: FloatArray, edges: FloatArray) -> FloatArray:
    counts = np.histogram(values, bins=edges)[0]
    return np.asarray(counts / max(values.size, 1), dtype=np.float64)


def _half_axis(
    peak: float, left: float, right: float, middle: float, height: float, *, both: bool
) -> Markup:
    ticks = [v for v in nice_ticks(0.0, peak, 2) if v > 0]
    parts = [canvas.text(left - 7, middle + 4, "0", "e r")]
    for tick in ticks:
        for sign in (-1, 1) if both else (-1,):
            y = middle + sign * height * tick / peak
            parts.append(canvas.line(left, y, right, y, "grid"))
            parts.append(canvas.text(left - 7, y + 4, f"{100 * tick:g} %", "e r"))
    return join(parts)


def _histogram(
    share: FloatArray, edges: FloatArray, x: Linear, base: float, px_per_share: float, kind: str
) -> Markup:
    bars = []
    for idx in np.flatnonzero(share):
        a, b = x(float(edges[idx])), x(float(edges[idx + 1]))
        size = float(share[idx]) * px_per_share
        limits = " to ".join(print_value(float(edge)) for edge in edges[idx : idx + 2])
        tip = f"{limits}: {print_share(float(share[idx]))}"
        bars.append(canvas.box(a + 0.5, base - max(size, 0), b - a - 1, abs(size), kind, tip=tip))
    return join(bars)


def _score_axis(edges: FloatArray, x: Linear, bottom: float) -> Markup:
    parts = [canvas.line(x.px_low, bottom, x.px_high, bottom, "axis")]
    for tick in nice_ticks(float(edges[0]), float(edges[-1]), 6):
        parts.append(canvas.text(x(tick), bottom + 16, print_value(tick), "m r"))
    parts.append(canvas.text((x.px_low + x.px_high) / 2, bottom + 33, "score: more alike →", "m r"))
    return join(parts)


def _accepted_mark(x: float, top: float, width_px: float) -> Markup:
    if x > width_px - 96:
        return canvas.text(x - 5, top, "→ accepted", "e v r")
    return canvas.text(x + 5, top, "accepted →", "v r")


def draw_shift(rows: Sequence[FeatureShift], variant: Variant) -> Drawing:
    """Diverging bars, one per feature, in units of the population's spread."""
    known = [row for row in rows if np.isfinite(row.shift)][:MAX_SHIFTS]
    left, right, top = (136.0 if variant.is_narrow else 190.0), variant.width_px - 44.0, 22.0
    largest = max((abs(float(clean([row.shift])[0])) for row in known), default=1.0)
    step = nice_step(2 * max(largest, 0.5), 6)
    limit = float(np.ceil(max(largest, 0.5) / step) * step)
    x = Linear(-limit, limit, left + 34, right)
    bottom = top + len(known) * _SHIFT_ROW_PX
    parts = []
    room_px = canvas.text_width_px(print_value(-limit)) + 10
    for tick in nice_ticks(-limit, limit, int(min(6, max(1, (right - left) // room_px - 1)))):
        parts.append(
            canvas.line(x(tick), top - 4, x(tick), bottom, "axis" if tick == 0 else "grid")
        )
        parts.append(canvas.text(x(tick), top - 9, print_value(tick), "m r"))
    for idx, row in enumerate(known):
        parts.append(canvas.group(_shift_row(row, x, left), y=top + idx * _SHIFT_ROW_PX))
    return bottom + 6, join(parts)


def _shift_row(row: FeatureShift, x: Linear, left: float) -> Markup:
    zero, end = x(0.0), x(row.shift)
    label = canvas.fit(row.name.replace("_", " "), left - 4)
    value = print_signed(row.shift)
    outside = end + (5 if row.shift >= 0 else -5)
    return join(
        [
            canvas.text(left - 4, 15, label, "e r"),
            canvas.box(
                min(zero, end), 4, abs(end - zero), _SHIFT_ROW_PX - 8, "bar-ink", round_px=1
            ),
            canvas.text(outside, 15, value, "r v" if row.shift >= 0 else "e r v"),
        ]
    )
