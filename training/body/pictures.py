"""Bands and dots: every person's usual value, real above simulated, on one axis."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from firmware_host.report import canvas
from firmware_host.report.canvas import HALF_PX, Drawing, Variant
from firmware_host.report.markup import Markup, element, join
from firmware_host.report.scales import Linear, nice_ticks, print_value
from training.body.bands import Group, Row
from training.body.measures import CONDITION_WORDS, Measure

FloatArray = NDArray[np.float64]

_NAME_PX, _RIGHT_PX = 104.0, 16.0
_SIDE_PX, _ROW_PX = 17.0, 46.0
# A logarithmic axis has no zero; what is below this share of the median is drawn at its end.
_LOG_FLOOR = 1e-3
_LOG_STEPS = (1.0, 2.0, 5.0)
_MOST_TICKS = 7


def draw_measure(measure: Measure, rows: Sequence[Row]) -> Markup:
    """One figure of a measure with a pair of bands for each condition."""
    words = "; ".join(_told(row) for row in rows)
    unit = f" [{measure.unit}]" if measure.unit else ""
    return canvas.figure(
        f"m-{measure.name.replace('_', '-')}-{measure.conditions[0]}",
        measure.title,
        f"{words}.",
        lambda variant: _draw(measure, rows, variant),
        wide_px=HALF_PX,
        caption=f"{measure.title}{unit}",
    )


def _told(row: Row) -> str:
    real, ours = (np.percentile(one.people, 50) for one in (row.real, row.simulated))
    return (
        f"{CONDITION_WORDS[row.condition]}: real median {print_value(real)}, "
        f"simulated {print_value(ours)}"
    )


def _draw(measure: Measure, rows: Sequence[Row], variant: Variant) -> Drawing:
    place = _Axis(measure, rows, _NAME_PX, variant.width_px - _RIGHT_PX)
    bottom = len(rows) * _ROW_PX + 4.0
    parts = [place.grid(bottom)]
    for n, row in enumerate(rows):
        name = canvas.text(_NAME_PX - 10, 24.0, CONDITION_WORDS[row.condition], "e r")
        real = _side(row.real, place, 4.0, "f-rest", "real")
        ours = _side(row.simulated, place, 4.0 + _SIDE_PX, "f-stress", "simulated")
        parts.append(canvas.group(name, real, ours, y=n * _ROW_PX))
    return bottom + 22.0, join(parts)


def _side(group: Group, place: _Axis, top: float, kind: str, who: str) -> Markup:
    low, middle, high = place.px(np.percentile(group.people, (5, 50, 95))).tolist()
    thin_low, thin_high = place.px(np.percentile(group.windows, (5, 95))).tolist()
    mid = top + _SIDE_PX / 2
    ends = ", ".join(print_value(v) for v in np.percentile(group.people, (5, 50, 95)))
    parts = [
        canvas.line(thin_low, mid, thin_high, mid, "whisk"),
        element("g", canvas.box(low, top + 3, high - low, _SIDE_PX - 6, kind,
                                tip=f"{who}, 5, 50, 95 %: {ends}"), opacity=0.45),
        canvas.box(middle - 1.2, top + 1, 2.4, _SIDE_PX - 2, kind),
    ]  # fmt: skip
    # Neighbours at slightly different heights, so that equal values do not hide one another.
    for n, x in enumerate(np.sort(place.px(group.people)).tolist()):
        y = mid + (n % 3 - 1) * 3.2
        parts.append(element("circle", cx=x, cy=y, r=1.9, class_=kind))
    return join(parts)


class _Axis:
    """Values to pixels, linear or logarithmic, with its ticks."""

    def __init__(self, measure: Measure, rows: Sequence[Row], left: float, right: float) -> None:
        self._is_log = measure.is_log
        groups = [group for row in rows for group in (row.real, row.simulated)]
        people = np.concatenate([group.people for group in groups])
        edges = np.concatenate([np.percentile(group.windows, (5, 95)) for group in groups])
        self._floor = _LOG_FLOOR * max(float(np.median(people)), 1e-9)
        values = self._scaled(np.concatenate((people, edges)))
        pad = 0.03 * max(float(np.ptp(values)), 1e-6)
        self._scale = Linear(float(values.min()) - pad, float(values.max()) + pad, left, right)

    def _scaled(self, values: FloatArray) -> FloatArray:
        if not self._is_log:
            return values
        logs: FloatArray = np.log10(np.maximum(values, self._floor))
        return logs

    def px(self, values: FloatArray) -> FloatArray:
        """Pixels of values."""
        return self._scale.array(self._scaled(values))

    def grid(self, bottom: float) -> Markup:
        """Vertical lines with their values under them."""
        parts = []
        for tick in self._ticks():
            x = float(self.px(np.array([tick]))[0])
            parts.append(canvas.line(x, 0.0, x, bottom, "grid"))
            parts.append(canvas.text(x, bottom + 15.0, print_value(tick), "m r"))
        return join(parts)

    def _ticks(self) -> list[float]:
        low, high = self._scale.low, self._scale.high
        if not self._is_log:
            return nice_ticks(low, high, 6)
        powers = range(int(np.floor(low)), int(np.ceil(high)) + 1)
        ticks = [step * 10.0**power for power in powers for step in _LOG_STEPS]
        inside = [tick for tick in ticks if low <= np.log10(tick) <= high]
        only_tens = [tick for tick in inside if np.isclose(np.log10(tick) % 1.0, 0.0)]
        is_crowded = len(inside) > _MOST_TICKS and len(only_tens) > 1
        return only_tens if is_crowded else inside


def key_entries() -> list[Markup]:
    """Key of every figure here."""
    return [
        canvas.swatch(canvas.box(1, 1, 24, 10, "f-rest"), "real people"),
        canvas.swatch(canvas.box(1, 1, 24, 10, "f-stress"), "simulated people"),
    ]
