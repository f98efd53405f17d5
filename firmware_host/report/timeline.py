"""The time line: signals, labels, truth, model states, activity and events over one clock."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from firmware_host.report import canvas, envelope
from firmware_host.report.canvas import Drawing, Variant
from firmware_host.report.markup import Markup, element, join
from firmware_host.report.model import FloatArray, Gap, ReportData, Signal, Span
from firmware_host.report.pauses import Pauses, pauses_of
from firmware_host.report.scales import (
    Linear,
    local,
    nice_ticks,
    print_duration,
    print_value,
    robust_range,
    time_ticks,
)
from firmware_host.report.style import ACTIVITY_ORDER, STATE_CLASSES

_HEADER_PX, _LANE_GAP_PX, _AXIS_PX = 20, 12, 30
_SIGNAL_PX, _STRIP_PX, _ROW_PX = 62, 20, 15
# Names that would not fit beside a lane.
_SHORT_WORDS = {"learning_baseline": "no baseline"}
_TICK_PX = 44.0
# One row per name the model can say, and some for names of a later version.
_MAX_ROWS = 8
# Tool tips are for reading single spans; a day of them would only be weight.
_MAX_TIPS = 400


@dataclass(frozen=True, slots=True)
class Frame:
    """Where time is drawn: limits in seconds and pixels, shared by all lanes of one drawing."""

    start_utc: float
    end_utc: float
    tz_offset_s: float
    left_px: int
    right_px: int
    prefix: str
    pauses: Pauses = field(default_factory=Pauses)

    @property
    def n_columns(self) -> int:
        """Pixel columns."""
        return self.right_px - self.left_px

    @property
    def x(self) -> Linear:
        """Time to pixel."""
        return Linear(self.start_utc, self.end_utc, self.left_px, self.right_px)

    def clock(self, t_utc: float) -> str:
        """Local time for tool tips."""
        return f"{local(self.pauses.true(t_utc), self.tz_offset_s):%H:%M:%S}"

    def tip(self, span: Span) -> str:
        """Name, limits and length of a span."""
        a, b, name = span
        return f"{words(name)}: {self.clock(a)} to {self.clock(b)} ({print_duration(b - a)})"


def frame_of(data: ReportData, variant: Variant, pauses: Pauses) -> Frame:
    """The time frame of one drawing; a recording of no length is drawn as one second.

    `data` is in drawn time, with `pauses` cut short.
    """
    left, right = (76, 8) if variant.is_narrow else (84, 14)
    end_utc = max(data.end_utc, data.start_utc + 1.0)
    return Frame(
        data.start_utc,
        end_utc,
        data.tz_offset_s,
        left,
        variant.width_px - right,
        variant.prefix,
        pauses,
    )


def words(name: str) -> str:
    """A state's name for people."""
    return _SHORT_WORDS.get(name, name.replace("_", " "))


def draw_timeline(data: ReportData, variant: Variant) -> Drawing:
    """All lanes, one under the other, over a common clock."""
    pauses = pauses_of(data)
    data = pauses.shorten(data)
    frame = frame_of(data, variant, pauses)
    lanes = _lanes(data, frame)
    # Room for the flags of learning above the first name.
    y, parts = 14.0, []
    for height, shapes in lanes:
        parts.append(canvas.group(shapes, y=y))
        y += height + _LANE_GAP_PX
    bottom = max(y - _LANE_GAP_PX, 10.0) + 4
    back = [not_worn_shade(data.not_worn, frame, 0, bottom), time_axis(frame, 0, bottom)]
    learned = data.probability.learned if data.probability else ()
    return bottom + _AXIS_PX, join([*back, *parts, learn_marks(learned, frame, 0, bottom)])


def _lanes(data: ReportData, frame: Frame) -> list[Drawing]:
    lanes = [_signal_lane(signal, frame) for signal in data.signals]
    if data.truth:
        lanes.append(_strip_lane("Ground truth", data.truth, frame))
    if data.labels:
        lanes.append(_strip_lane("Wearer's labels", data.labels, frame))
    if data.states:
        lanes.append(_row_lane("Model", data.states, tuple(STATE_CLASSES), frame))
    if data.activities:
        lanes.append(_row_lane("Activity", data.activities, ACTIVITY_ORDER, frame))
    if data.events:
        lanes.append(_event_lane(data.events, frame))
    return lanes


def time_axis(frame: Frame, top: float, bottom: float) -> Markup:
    """Vertical lines at round local times, their clock under the lowest lane."""
    if frame.pauses.stretches:
        ticks = _broken_ticks(frame)
    else:
        ticks = time_ticks(
            frame.start_utc, frame.end_utc, frame.tz_offset_s, max(2, frame.n_columns // 62)
        )
    parts = [canvas.line(frame.left_px, bottom, frame.right_px, bottom, "axis")]
    for t_utc, label, is_midnight in ticks:
        x = frame.x(t_utc)
        parts.append(canvas.line(x, top, x, bottom + 4, "day" if is_midnight else "grid"))
        # The outermost labels would stick out of the drawing.
        x_text = min(max(x, 18.0), frame.right_px - 8.0)
        parts.append(canvas.text(x_text, bottom + 18, label, "m v" if is_midnight else "m"))
    return join(parts)


def _broken_ticks(frame: Frame) -> list[tuple[float, str, bool]]:
    """Each stretch says at its beginning which day it is, or of which hour, and round times after."""
    ticks: list[tuple[float, str, bool]] = []
    day = None
    for a, b in frame.pauses.stretches:
        # It began at a round minute, give or take the board's clock.
        begins = local(a + 30.0, frame.tz_offset_s)
        is_new, day = begins.date() != day, begins.date()
        words = f"{begins.day} {begins:%b}" if is_new else f"{begins:%H:%M}"
        room_px = int((b - a) / (frame.end_utc - frame.start_utc) * frame.n_columns / _TICK_PX)
        inner = time_ticks(a, b, frame.tz_offset_s, room_px) if room_px else []
        for t_utc, label, is_day in [(a, words, is_new), *inner]:
            drawn_utc = float(frame.pauses.drawn(np.array([t_utc]))[0])
            _add_tick(ticks, (drawn_utc, label, is_day), frame)
    return ticks


def _add_tick(
    ticks: list[tuple[float, str, bool]], tick: tuple[float, str, bool], frame: Frame
) -> None:
    """Labels that would touch: the name of a day stays, else the earlier one."""
    last = next((i for i in reversed(range(len(ticks))) if ticks[i][1]), None)
    is_free = last is None or frame.x(tick[0]) - frame.x(ticks[last][0]) >= _TICK_PX
    if not is_free and last is not None and tick[2] and not ticks[last][2]:
        ticks[last] = (ticks[last][0], "", False)
        is_free = True
    if is_free or tick[2]:
        ticks.append(tick if is_free else (tick[0], "", True))


def not_worn_shade(spans: Sequence[Gap], frame: Frame, top: float, bottom: float) -> Markup:
    """Shade over all lanes wherever the board was off the wrist."""
    columns = envelope.gap_columns(spans, frame.start_utc, frame.end_utc, frame.n_columns)
    return join(
        canvas.box(frame.left_px + a, top, b - a, bottom - top, "shade") for a, b in columns
    )


def learn_marks(
    learned: Sequence[tuple[float, str]], frame: Frame, top: float, bottom: float
) -> Markup:
    """Dashed lines with a flag where a new adapter was taken into use."""
    inside = [(t, note) for t, note in learned if frame.start_utc <= t <= frame.end_utc]
    parts = []
    for t_utc, note in inside[:_MAX_TIPS]:
        x = frame.x(t_utc)
        parts.append(canvas.line(x, top, x, bottom, "learn"))
        tip = f"{frame.clock(t_utc)} {note}"
        parts.append(canvas.diamond(x, top + 6, 5, "flag", tip))
    return join(parts)


def _header(title: str, note: str, frame: Frame) -> Markup:
    room = frame.right_px - frame.left_px - canvas.text_width_px(title) * 1.15 - 8
    fitted = canvas.fit(note, room)
    tail = element("tspan", f"\u2002{fitted}") if fitted else None
    shown = canvas.fit(title, frame.right_px - frame.left_px)
    return element("text", shown, tail, x=frame.left_px, y=13, class_="h")


def _signal_lane(signal: Signal, frame: Frame) -> Drawing:
    curve = envelope.curve_of(signal, frame.start_utc, frame.end_utc)
    top, bottom = float(_HEADER_PX), float(_HEADER_PX + _SIGNAL_PX)
    low, high = robust_range(curve.low, curve.high)
    scale = Linear(low, high, bottom - 3, top + 3)
    gaps = envelope.gaps_of(signal, curve, frame.start_utc, frame.end_utc)
    ticks = nice_ticks(low, high, 3)
    parts = [
        _header(signal.name, _signal_note(signal, curve, low, high), frame),
        gap_marks(gaps, frame, top, bottom),
        canvas.value_grid(
            scale, ticks, [print_value(v) for v in ticks], frame.left_px, frame.right_px
        )
        if curve.t_utc.size
        else None,
        _curve_shapes(curve, gaps, frame, scale),
        canvas.line(frame.left_px, bottom, frame.right_px, bottom, "axis"),
    ]
    return bottom, join(parts)


def _signal_note(signal: Signal, curve: envelope.Curve, low: float, high: float) -> str:
    if not curve.t_utc.size:
        return "no samples in this time range"
    notes = [signal.unit, signal.note]
    if float(curve.high.max()) > high:
        notes.append(f"cut off, highest {print_value(float(curve.high.max()))}")
    if float(curve.low.min()) < low:
        notes.append(f"cut off, lowest {print_value(float(curve.low.min()))}")
    return " · ".join(note for note in notes if note)


def gap_marks(gaps: Sequence[Gap], frame: Frame, top: float, bottom: float) -> Markup:
    """Hatching wherever there are no samples."""
    columns = envelope.gap_columns(gaps, frame.start_utc, frame.end_utc, frame.n_columns)
    return join(
        element(
            "rect",
            x=frame.left_px + a,
            y=top,
            width=b - a,
            height=bottom - top,
            fill=f"url(#{frame.prefix}-h)",
        )
        for a, b in columns
    )


def _curve_shapes(
    curve: envelope.Curve, gaps: Sequence[Gap], frame: Frame, scale: Linear
) -> Markup:
    if curve.t_utc.size > 2 * frame.n_columns or not np.array_equal(curve.low, curve.high):
        return _envelope_shapes(curve, frame, scale)
    x, y = frame.x.array(curve.t_utc), scale.array(curve.values)
    starts = np.searchsorted(curve.t_utc, [b for _, b in gaps])
    pieces = np.split(np.arange(x.size), np.unique(starts))
    return join(_piece(x[piece], y[piece]) for piece in pieces if piece.size)


def _piece(x: FloatArray, y: FloatArray) -> Markup:
    if x.size == 1:
        return element("circle", cx=float(x[0]), cy=float(y[0]), r=1.6, class_="dot")
    return element("path", d=canvas.points(x, y), class_="curve")


def _envelope_shapes(curve: envelope.Curve, frame: Frame, scale: Linear) -> Markup:
    columns = envelope.columns_of(curve, frame.start_utc, frame.end_utc, frame.n_columns)
    pieces = np.split(np.arange(columns.idx.size), np.flatnonzero(np.diff(columns.idx) > 2) + 1)
    parts = []
    for piece in pieces:
        if not piece.size:
            continue
        x = frame.left_px + columns.idx[piece] + 0.5
        upper, lower = scale.array(columns.high[piece]), scale.array(columns.low[piece])
        outline = canvas.points(np.concatenate([x, x[::-1]]), np.concatenate([upper, lower[::-1]]))
        parts.append(element("path", d=f"{outline}z", class_="band"))
        parts.append(_piece(x, scale.array(columns.mean[piece])))
    return join(parts)


def _strip_lane(title: str, spans: Sequence[Span], frame: Frame) -> Drawing:
    inside = envelope.clipped(spans, frame.start_utc, frame.end_utc)
    runs = envelope.main_name_columns(inside, frame.start_utc, frame.end_utc, frame.n_columns)
    bottom = float(_HEADER_PX + _STRIP_PX)
    parts = [
        _header(title, "" if inside else "none in this time range", frame),
        canvas.line(frame.left_px, bottom, frame.right_px, bottom, "axis"),
    ]
    for a, b, name in runs:
        x, width = frame.left_px + a, b - a
        kind = f"f-{STATE_CLASSES.get(name, 'poor')}"
        parts.append(
            canvas.box(x, _HEADER_PX, width, _STRIP_PX - 3, kind, tip=_run_tip(a, b, name, frame))
        )
        label = canvas.fit(words(name), width - 8)
        if label:
            parts.append(canvas.text(x + 5, _HEADER_PX + 13, label, "on"))
    return bottom, join(parts)


def _run_tip(first: int, last: int, name: str, frame: Frame) -> str:
    seconds_per_px = (frame.end_utc - frame.start_utc) / frame.n_columns
    a, b = frame.start_utc + first * seconds_per_px, frame.start_utc + last * seconds_per_px
    return frame.tip((a, b, name))


def _row_lane(title: str, spans: Sequence[Span], order: Sequence[str], frame: Frame) -> Drawing:
    inside = envelope.clipped(spans, frame.start_utc, frame.end_utc)
    runs = envelope.main_name_columns(inside, frame.start_utc, frame.end_utc, frame.n_columns)
    present = envelope.seconds_by_name(inside)
    rows = [name for name in order if name in present]
    rows = (rows + [name for name in present if name not in order])[:_MAX_ROWS]
    bottom = float(_HEADER_PX + _ROW_PX * max(len(rows), 1))
    parts = [_header(title, _row_note(len(rows), len(present)), frame)]
    for idx, name in enumerate(rows):
        y = _HEADER_PX + idx * _ROW_PX
        parts.append(canvas.line(frame.left_px, y + 7, frame.right_px, y + 7, "grid"))
        label = canvas.fit(words(name), frame.left_px - 2)
        parts.append(canvas.text(frame.left_px - 7, y + 11, label, "e r"))
        parts.append(_pale_row(name, inside, y, frame))
    row = {name: idx for idx, name in enumerate(rows)}
    with_tip = len(runs) <= _MAX_TIPS
    parts.extend(_row_run(run, row, frame, with_tip=with_tip) for run in runs if run[2] in row)
    parts.append(canvas.line(frame.left_px, bottom, frame.right_px, bottom, "axis"))
    return bottom, join(parts)


def _row_note(n_rows: int, n_names: int) -> str:
    if not n_rows:
        return "nothing in this time range"
    return f"{n_names - n_rows} more names are in the table only" if n_names > n_rows else ""


def _pale_row(name: str, spans: Sequence[Span], y: float, frame: Frame) -> Markup:
    """Wherever a name occurs at all; else seconds of a rare state would vanish from a day."""
    own = [(a, b) for a, b, other in spans if other == name]
    columns = envelope.gap_columns(own, frame.start_utc, frame.end_utc, frame.n_columns)
    kind = f"f-{STATE_CLASSES[name]} pale" if name in STATE_CLASSES else "bar-ink pale"
    return join(canvas.box(frame.left_px + a, y + 2, b - a, _ROW_PX - 4, kind) for a, b in columns)


def _row_run(
    run: tuple[int, int, str], row: dict[str, int], frame: Frame, *, with_tip: bool
) -> Markup:
    a, b, name = run
    kind = STATE_CLASSES.get(name)
    tip = _run_tip(a, b, name, frame) if with_tip else ""
    y = _HEADER_PX + row[name] * _ROW_PX + 2
    return canvas.box(
        frame.left_px + a, y, b - a, _ROW_PX - 4, f"f-{kind}" if kind else "bar-ink", tip=tip
    )


def _event_lane(events: Sequence[tuple[float, str]], frame: Frame) -> Drawing:
    y = _HEADER_PX + 8
    by_column: dict[int, list[tuple[float, str]]] = {}
    for t_utc, name in sorted(events):
        if frame.start_utc <= t_utc <= frame.end_utc:
            by_column.setdefault(int(frame.x(t_utc)) // 4, []).append((t_utc, name))
    parts = [
        _header("Events", f"{sum(map(len, by_column.values()))} in all", frame),
        canvas.line(frame.left_px, y, frame.right_px, y, "grid"),
    ]
    for entries in by_column.values():
        tip = "; ".join(f"{frame.clock(t)} {words(name)}" for t, name in entries[:5])
        parts.append(canvas.diamond(frame.x(entries[0][0]), y, 4.5, "event", tip))
    return y + 8.0, join(parts)
