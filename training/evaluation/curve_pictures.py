"""Pictures of curves and points: ROC, DET, reliability, by probe length, agreement."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from firmware_host.report import canvas
from firmware_host.report.canvas import Drawing, Variant
from firmware_host.report.charts import draw_reliability
from firmware_host.report.markup import Markup, element, join, number
from firmware_host.report.scales import Linear, nice_step, nice_ticks, print_value
from training.evaluation.curves import DET_FLOOR, FloatArray, normal_deviate, thinned

_DET_TICKS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4, 0.6)
_DET_HIGH = 0.6
_LEFT_PX, _TOP_PX = 56.0, 10.0
# Below the lower edge: far enough that the first label is clear of the lowest one beside the edge.
_TICK_PX, _TITLE_PX = 22.0, 40.0
# Shares this close are printed alike.
_SAME_LABEL = 5e-4


@dataclass(frozen=True, slots=True)
class Curve:
    """A named line through points; `kind` is its style class."""

    name: str
    kind: str
    x: FloatArray
    y: FloatArray


def draw_roc(curves: Sequence[Curve], variant: Variant) -> Drawing:
    """Recall against false alarms, in the order given: the last one lies on top."""
    size = _size(variant)
    x = Linear(0.0, 1.0, _LEFT_PX, _LEFT_PX + size)
    y = Linear(0.0, 1.0, _TOP_PX + size, _TOP_PX)
    ticks = [0.0, 0.25, 0.5, 0.75, 1.0]
    parts = [
        canvas.value_grid(y, ticks, [f"{v:g}" for v in ticks], x.px_low, x.px_high),
        *(canvas.text(x(v), y.px_low + _TICK_PX, f"{v:g}", "m r") for v in ticks),
        canvas.line(x.px_low, y.px_low, x.px_high, y.px_high, "threshold"),
        *(drawn := [_path(curve, x, y) for curve in curves]),
    ]
    if not any(drawn):
        parts.append(_words_inside("no curve: rest or stress is missing", x, y))
    words = "rest called stress (false alarms)"
    parts.append(canvas.text(_LEFT_PX + size / 2, y.px_low + _TITLE_PX, words, "m r"))
    return y.px_low + _TITLE_PX + 9, join(parts)


def draw_det(curves: Sequence[Curve], points: Sequence[tuple[float, float, str]],
             variant: Variant) -> Drawing:  # fmt: skip
    """False rejects against false accepts, both 0..1, on normal-deviate axes.

    Normal scores make a straight line there. `points` are (far, frr, words), marked and named.
    """
    size = _size(variant)
    low, high = (float(v) for v in normal_deviate([DET_FLOOR, _DET_HIGH]))
    x = Linear(low, high, _LEFT_PX, _LEFT_PX + size)
    y = Linear(low, high, _TOP_PX + size, _TOP_PX)
    at = normal_deviate(_DET_TICKS)
    names = [f"{100 * tick:g}" for tick in _DET_TICKS]
    parts = [
        canvas.value_grid(y, at.tolist(), names, x.px_low, x.px_high),
        *(canvas.line(x(v), y.px_high, x(v), y.px_low, "grid") for v in at),
        *(
            canvas.text(x(v), y.px_low + _TICK_PX, name, "m r")
            for v, name in zip(at, names, strict=True)
        ),
        canvas.line(x.px_low, y.px_low, x.px_high, y.px_high, "threshold"),
    ]
    drawn = []
    for curve in curves:
        inside = (curve.x >= DET_FLOOR) & (curve.y >= DET_FLOOR)
        far, frr = (normal_deviate(rate[inside]) for rate in (curve.x, curve.y))
        drawn.append(_path(Curve(curve.name, curve.kind, far, frr), x, y))
    # Without errors there is no place on such axes.
    marked = [one for one in points if max(one[:2]) >= DET_FLOOR]
    parts += drawn
    if not any(drawn) and not marked:
        parts.append(_words_inside("no errors", x, y))
    for far, frr, words in marked:
        px, py = x(float(normal_deviate(far))), y(float(normal_deviate(frr)))
        parts.append(
            element("circle", element("title", words), cx=px, cy=py, r=4.5, class_="event")
        )
    label = "others taken for the wearer, %"
    parts.append(canvas.text(_LEFT_PX + size / 2, y.px_low + _TITLE_PX, label, "m r"))
    return y.px_low + _TITLE_PX + 9, join(parts)


def draw_reliability_counts(bins: Sequence[tuple[float, float, int]], variant: Variant) -> Drawing:
    """Predicted against observed, and under it how many windows each bin holds."""
    height, dots = draw_reliability(bins, variant)
    size = float(min(variant.width_px - 60, 300))
    # The host's drawing sets this left edge and size; the counts stand under its axis.
    left, tall = 46.0, 60.0
    x = Linear(0.0, 1.0, left, left + size)
    base = height + tall + 14.0
    peak = max((n for _, _, n in bins), default=1)
    bars = []
    for predicted, _, n in bins:
        place = min(int(predicted * 10), 9) / 10
        bars.append(
            canvas.box(
                x(place) + 1,
                base - tall * n / peak,
                size / 10 - 2,
                tall * n / peak,
                "bar-ink",
                tip=f"{place:g} to {place + 0.1:.1g}: {n} windows",
            )
        )
    axis = canvas.line(left, base, left + size, base, "axis")
    label = canvas.text(left + size / 2, base + 16, "windows a bin", "m r")
    largest = canvas.text(left - 7, base - tall + 9, str(peak), "e r")
    return base + 24, join([dots, *bars, axis, largest, label])


def draw_by_length(
    seconds: Sequence[float], lines: Sequence[Curve], variant: Variant, *, words: str
) -> Drawing:
    """Figures by length of the probe; the steps between lengths are drawn equally wide."""
    left, right, tall = _LEFT_PX, variant.width_px - 40.0, 190.0
    highest = max((float(np.nanmax(line.y)) for line in lines if len(line.y)), default=1.0)
    step = nice_step(max(highest, 1e-3), 4)
    # Room above the highest dot for its label.
    high = float(np.ceil(1.12 * highest / step - 1e-9) * step) or 1.0
    y = Linear(0.0, high, _TOP_PX + tall, _TOP_PX)
    ticks = nice_ticks(0.0, high, 4)
    x = Linear(-0.35, len(seconds) - 0.65, left, right)
    parts = [canvas.value_grid(y, ticks, [f"{100 * v:g} %" for v in ticks], left, right)]
    for place, length_s in enumerate(seconds):
        parts.append(canvas.text(x(place), _TOP_PX + tall + 32, f"{length_s:g} s", "m r"))
    for idx, line in enumerate(lines):
        parts.append(_path(Curve(line.name, line.kind, np.arange(len(line.y)) * 1.0, line.y), x, y))
        parts += [
            _labelled_dot(x(place), y(value), value, is_lowest=_is_lowest(lines, place, value))
            for place, value in enumerate(line.y.tolist())
            if np.isfinite(value) and not _is_repeated(lines[:idx], place, value)
        ]
    parts.append(canvas.text((left + right) / 2, _TOP_PX + tall + 49, words, "m r"))
    return _TOP_PX + tall + 57, join(parts)


def _is_repeated(earlier: Sequence[Curve], place: int, value: float) -> bool:
    """Whether a dot of another line with the same label is there already."""
    return any(abs(line.y[place] - value) < _SAME_LABEL for line in earlier)


def _is_lowest(lines: Sequence[Curve], place: int, value: float) -> bool:
    """Whether a value stands below another line's, so that its label belongs under the dot."""
    others = [line.y[place] for line in lines if np.isfinite(line.y[place])]
    return len(others) > 1 and value <= min(others) and value < max(others)


def _labelled_dot(x: float, y: float, value: float, *, is_lowest: bool) -> Markup:
    dot = element("circle", cx=x, cy=y, r=3.5, class_="dot")
    label = canvas.text(x + 8, y + (16 if is_lowest else -7), f"{100 * value:.1f} %", "r v")
    return join([dot, label])


def draw_agreement(
    reference: FloatArray, measured: FloatArray, unit: str, variant: Variant
) -> Drawing:
    """Difference against mean (Bland and Altman 1986), with the bias and 1.96 deviations.

    Both (n,) in `unit`, finite; at least one.
    """
    mean, difference = (reference + measured) / 2, measured - reference
    bias = float(difference.mean())
    spread = 1.96 * float(difference.std(ddof=1)) if len(difference) > 1 else 0.0
    reach = max(abs(bias) + spread, float(np.abs(difference).max()), 1.0) * 1.1
    tall, top = 220.0, _TOP_PX + 18.0
    left, right = _LEFT_PX, variant.width_px - 70.0
    pad = max(2.0, 0.05 * float(np.ptp(mean)))
    x = Linear(float(mean.min()) - pad, float(mean.max()) + pad, left, right)
    y = Linear(-reach, reach, top + tall, top)
    ticks = nice_ticks(-reach, reach, 5)
    parts = [canvas.value_grid(y, ticks, [print_value(v) for v in ticks], left, right)]
    parts.append(canvas.text(left, 12.0, f"host minus reference, {unit}", "r"))
    for tick in nice_ticks(x.low, x.high, 6):
        parts.append(canvas.text(x(tick), top + tall + _TICK_PX, print_value(tick), "m r"))
    for value, kind in (
        (bias, "whisk"),
        (bias - spread, "threshold"),
        (bias + spread, "threshold"),
    ):
        parts.append(canvas.line(left, y(value), right, y(value), kind))
        parts.append(canvas.text(right + 6, y(value) + 4, f"{value:+.1f}".replace("-", "−"), "r v"))
    for a, b in zip(x.array(mean).tolist(), y.array(difference).tolist(), strict=True):
        parts.append(element("circle", cx=a, cy=b, r=3, class_="flag pale"))
    words = f"mean of both, {unit}"
    parts.append(canvas.text((left + right) / 2, top + tall + _TITLE_PX, words, "m r"))
    return top + tall + _TITLE_PX + 9, join(parts)


def _words_inside(words: str, x: Linear, y: Linear) -> Markup:
    """Why a picture is empty, in the middle of its upper half: the diagonal stays readable."""
    return canvas.text((x.px_low + x.px_high) / 2, y.px_high + (y.px_low - y.px_high) / 4, words,
                       "m r")  # fmt: skip


def _size(variant: Variant) -> float:
    return float(min(variant.width_px - _LEFT_PX - 20, 360))


def _path(curve: Curve, x: Linear, y: Linear) -> Markup | None:
    known = np.isfinite(curve.x) & np.isfinite(curve.y)
    if known.sum() < 2:
        return None
    px, py = thinned(x.array(curve.x[known]), y.array(curve.y[known]))
    moves = "L".join(f"{number(a)} {number(b)}" for a, b in zip(px, py, strict=True))
    return element("path", element("title", curve.name), d=f"M{moves}", class_=curve.kind)
