"""Pictures of probability: over time, and against what was observed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from firmware_host.report import canvas, envelope
from firmware_host.report.canvas import Drawing, Variant
from firmware_host.report.markup import Markup, element, join
from firmware_host.report.model import (
    FloatArray,
    ProbabilityTrack,
    ReportData,
    Signal,
    Span,
)
from firmware_host.report.pauses import pauses_of
from firmware_host.report.scales import (
    Linear,
    clean,
)
from firmware_host.report.timeline import (
    Frame,
    frame_of,
    gap_marks,
    learn_marks,
    not_worn_shade,
    time_axis,
)

_PROBABILITY_PX = 180
_BAR_ROW_PX, _BAR_PX = 54, 13
_SHIFT_ROW_PX = 22
_N_BINS = 36
# Far more features than any bundle has.
MAX_SHIFTS = 60


def draw_probability(
    data: ReportData, track: ProbabilityTrack, reference: Sequence[Span], variant: Variant
) -> Drawing:
    """Stress probability without and with what was learned, threshold, learning instants."""
    pauses = pauses_of(data)
    data, reference = pauses.shorten(data), pauses.spans(reference)
    track = data.probability or track
    frame = frame_of(data, variant, pauses)
    top, bottom = 8.0, 8.0 + _PROBABILITY_PX
    scale = Linear(0.0, 1.0, bottom, top)
    ticks = [0.0, 0.25, 0.5, 0.75, 1.0]
    parts = [
        not_worn_shade(data.not_worn, frame, top, bottom),
        _stress_shade(reference, frame, top, bottom),
        time_axis(frame, top, bottom),
        canvas.value_grid(scale, ticks, [f"{v:g}" for v in ticks], frame.left_px, frame.right_px),
        _probability_line(track, clean(track.generic), frame, scale, "generic"),
    ]
    if track.personal is not None:
        parts.append(_probability_line(track, clean(track.personal), frame, scale, "personal"))
    if np.isfinite(track.threshold):
        y = scale(track.threshold)
        parts.append(canvas.line(frame.left_px, y, frame.right_px, y, "threshold"))
    parts.append(learn_marks(track.learned, frame, top, bottom))
    return bottom + 30, join(parts)


def _stress_shade(spans: Sequence[Span], frame: Frame, top: float, bottom: float) -> Markup:
    stress = [(a, b) for a, b, name in spans if name == "stress"]
    columns = envelope.gap_columns(stress, frame.start_utc, frame.end_utc, frame.n_columns)
    return join(
        canvas.box(frame.left_px + a, top, b - a, bottom - top, "b-stress") for a, b in columns
    )


def _probability_line(
    track: ProbabilityTrack, values: FloatArray, frame: Frame, scale: Linear, side: str
) -> Markup:
    signal = Signal(side, "", track.t_utc, values)
    curve = envelope.curve_of(signal, frame.start_utc, frame.end_utc)
    if not curve.t_utc.size:
        return Markup("")
    columns = envelope.columns_of(curve, frame.start_utc, frame.end_utc, frame.n_columns)
    gaps = envelope.gaps_of(signal, curve, frame.start_utc, frame.end_utc)
    x = frame.left_px + columns.idx + 0.5
    # By column, not by pixel: the first sample after a gap lies anywhere in its column.
    px_per_s = frame.n_columns / (frame.end_utc - frame.start_utc)
    after = [np.floor((b - frame.start_utc) * px_per_s) for _, b in gaps]
    breaks = np.searchsorted(columns.idx, after)
    pieces = [p for p in np.split(np.arange(x.size), np.unique(breaks)) if p.size]
    mean = scale.array(columns.mean)
    parts = [gap_marks(gaps, frame, scale(1.0), scale(0.0))] if side == "generic" else []
    if side == "personal" and curve.t_utc.size > 2 * columns.idx.size:
        upper, lower = scale.array(columns.high), scale.array(columns.low)
        parts.extend(_band(x[p], upper[p], lower[p]) for p in pieces)
    parts.extend(
        element("path", d=canvas.points(x[p], mean[p]), class_=f"c-{side}") for p in pieces
    )
    return join(parts)


def _band(x: FloatArray, upper: FloatArray, lower: FloatArray) -> Markup:
    outline = canvas.points(np.concatenate([x, x[::-1]]), np.concatenate([upper, lower[::-1]]))
    return element("path", d=f"{outline}z", class_="b-personal")


def draw_reliability(bins: Sequence[tuple[float, float, int]], variant: Variant) -> Drawing:
    """Predicted against observed share: a dot per bin, and the line of a perfect forecast."""
    size = float(min(variant.width_px - 60, 300))
    left, top = 46.0, 10.0
    x, y = Linear(0, 1, left, left + size), Linear(0, 1, top + size, top)
    ticks = [0.0, 0.25, 0.5, 0.75, 1.0]
    parts = [
        canvas.value_grid(y, ticks, [f"{v:g}" for v in ticks], left, left + size),
        *(canvas.text(x(v), top + size + 17, f"{v:g}", "m r") for v in ticks),
        canvas.line(left, top + size, left + size, top, "threshold"),
        canvas.text(left + size / 2, top + size + 34, "predicted probability of stress", "m r"),
    ]
    known = [b for b in bins if np.all(np.isfinite(b)) and b[2] > 0]
    largest = max((n for _, _, n in known), default=1)
    for predicted, observed, n in sorted(known):
        radius = 3 + 9 * float(np.sqrt(n / largest))
        tip = f"predicted {predicted:.2f}, observed {observed:.2f}, {n} windows"
        parts.append(
            element(
                "circle",
                element("title", tip),
                cx=x(predicted),
                cy=y(observed),
                r=radius,
                class_="flag",
            )
        )
    return top + size + 42, join(parts)
