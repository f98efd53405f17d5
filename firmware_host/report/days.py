"""Days as rows under one clock: worn when, said what, who walked, and what was learned in between."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from firmware_host.report import canvas, envelope
from firmware_host.report.canvas import Drawing, Variant, figure, swatch
from firmware_host.report.day import DayStory
from firmware_host.report.markup import Markup, element, join
from firmware_host.report.model import ReportData, Span
from firmware_host.report.scales import local, print_duration, zone_name
from firmware_host.report.style import STATE_CLASSES
from firmware_host.report.tables import table

_DAY_S, _HOUR_S = 86_400.0, 3600.0
# The clock is cut to quarters of an hour in which the band sent something on any day.
_BIN_S = 900.0
_BREAK_PX = 16.0
_TICK_PX = 46.0
_TICK_STEPS_S = (900.0, 1800.0, 3600.0, 7200.0, 10_800.0, 21_600.0)
_TOP_PX, _ROW_PX, _AXIS_PX = 6.0, 62.0, 24.0
_LABEL_PX, _STATE_PX, _WALK_PX = 4.0, 18.0, 7.0
_SIGN_PX = 13.0
# A page must stay a page.
_MAX_DAYS, _MAX_LINES = 21, 12
# Kind of happening -> (sign, words for the key). The lines below say each in words.
_SIGNS = {
    "waits": ("…", "learning waits"),
    "paused": ("‖", "paused"),
    "resumed": ("▸", "goes on"),
    "kept": ("✓", "update kept"),
    "not_kept": ("–", "update not kept"),
    "warning": ("!", "needs a look"),
}
_BAD = ("warning",)
# Worn, and nothing said yet.
_NO_STATE = "f-poor pale"


@dataclass(frozen=True, slots=True)
class Clock:
    """Seconds of a local day to pixels; hours that nobody wore the band are left out."""

    pieces: tuple[tuple[float, float], ...]
    left_px: float
    right_px: float

    @property
    def px_per_s(self) -> float:
        """Scale, the same for all pieces."""
        room_px = self.right_px - self.left_px - _BREAK_PX * (len(self.pieces) - 1)
        return max(room_px, 1.0) / sum(b - a for a, b in self.pieces)

    def start_px(self, idx: int) -> float:
        """Left edge of a piece."""
        before_s = sum(b - a for a, b in self.pieces[:idx])
        return self.left_px + before_s * self.px_per_s + idx * _BREAK_PX

    def x(self, second: float) -> float | None:
        """Pixel of a second of the day; None in an hour left out."""
        for idx, (a, b) in enumerate(self.pieces):
            if a <= second <= b:
                return self.start_px(idx) + (second - a) * self.px_per_s
        return None


def days_section(data: ReportData) -> Markup | None:
    """One row a day with its table; None for a single day, which the time line shows."""
    if len(data.days) < 2:
        return None
    shown = data.days[-_MAX_DAYS:]
    caption = f"Local time, {zone_name(data.tz_offset_s)}; hours without the band on any day are left out."
    if len(shown) < len(data.days):
        caption += f" The last {len(shown)} of {len(data.days)} days."
    picture = figure(
        "days",
        "Day by day",
        f"{len(shown)} rows, one a day, under a common clock. The table and the lines below say the same in words.",
        lambda variant: _draw(data, shown, variant),
        caption=caption,
        keys=_keys(data, shown),
    )
    return join([picture, _table(data, shown), _stories(data, shown)])


def _draw(data: ReportData, days: Sequence[DayStory], variant: Variant) -> Drawing:
    left, right = (58.0, 8.0) if variant.is_narrow else (104.0, 14.0)
    clock = Clock(_pieces(data, days), left, variant.width_px - right)
    bottom = _TOP_PX + _ROW_PX * len(days)
    rows = [
        canvas.group(_row(data, day, clock, variant), y=_TOP_PX + _ROW_PX * idx)
        for idx, day in enumerate(days)
    ]
    return bottom + _AXIS_PX, join([_axis(clock, bottom), *rows])


def _pieces(data: ReportData, days: Sequence[DayStory]) -> tuple[tuple[float, float], ...]:
    n_bins = int(_DAY_S / _BIN_S)
    used = set()
    for day in days:
        for a, b, _ in envelope.clipped(data.states, day.midnight_utc, day.midnight_utc + _DAY_S):
            first, last = ((t - day.midnight_utc) / _BIN_S for t in (a, b - 1e-6))
            used |= set(range(int(first), min(int(last), n_bins - 1) + 1))
    pieces: list[tuple[float, float]] = []
    for idx in sorted(used) or range(n_bins):
        joins = bool(pieces) and pieces[-1][1] == idx * _BIN_S
        start_s = pieces.pop()[0] if joins else idx * _BIN_S
        pieces.append((start_s, (idx + 1) * _BIN_S))
    return tuple(pieces)


def _axis(clock: Clock, bottom: float) -> Markup:
    step_s = next((s for s in _TICK_STEPS_S if s * clock.px_per_s >= _TICK_PX), _TICK_STEPS_S[-1])
    parts = []
    for idx, (a, b) in enumerate(clock.pieces):
        x0 = clock.start_px(idx)
        end_px = x0 + (b - a) * clock.px_per_s
        parts.append(canvas.line(x0, bottom, end_px, bottom, "axis"))
        is_last = idx == len(clock.pieces) - 1
        if not is_last:
            parts.append(canvas.text(end_px + _BREAK_PX / 2, bottom + 4, "⋯", "m"))
        # The last time of a piece would run into the first of the next one.
        ticks = [a, *(k * step_s for k in range(int(a // step_s) + 1, int(-(-b // step_s))))]
        ticks += [b] if is_last and b % step_s == 0 else []
        free_px = 0.0
        for second in ticks:
            x = x0 + (second - a) * clock.px_per_s
            parts.append(canvas.line(x, 0, x, bottom + 4, "grid"))
            if x >= free_px and (is_last or end_px + _BREAK_PX - x >= _TICK_PX - 12 or second == a):
                parts.append(
                    canvas.text(min(x, clock.right_px - 12), bottom + 17, _hm(second), "m")
                )
                free_px = x + _TICK_PX - 8
    return join(parts)


def _hm(second: float) -> str:
    return f"{int(second // _HOUR_S):02d}:{int(second % _HOUR_S // 60):02d}"


def _row(data: ReportData, day: DayStory, clock: Clock, variant: Variant) -> Markup:
    y = 6.0
    # Phones have room for the day alone.
    name = day.name.split(" ")[0] if variant.is_narrow else day.name
    worn = print_duration(_worn_s(data, day))
    parts = [
        canvas.text(0, y + _LABEL_PX + 13, name, "h"),
        canvas.text(0, y + _LABEL_PX + 28, worn if worn != "0 s" else "not worn", "r"),
        _strip(data.labels, day, clock, y, _LABEL_PX - 1),
        _strip(data.states, day, clock, y + _LABEL_PX, _STATE_PX, data.tz_offset_s),
        _walked(day, clock, y + _LABEL_PX + _STATE_PX + 2, data.tz_offset_s),
        _signs(day, clock, y + _LABEL_PX + _STATE_PX + _WALK_PX + 16, data.tz_offset_s),
        canvas.line(0, _ROW_PX, clock.right_px, _ROW_PX, "grid"),
    ]
    return join(parts)


def _strip(
    spans: Sequence[Span],
    day: DayStory,
    clock: Clock,
    y: float,
    height: float,
    tz_offset_s: float | None = None,
) -> Markup:
    """Spans of a day by pixel column; with a time zone, tool tips."""
    parts = []
    for idx, (a, b) in enumerate(clock.pieces):
        start, end = day.midnight_utc + a, day.midnight_utc + b
        n_px = max(1, round((b - a) * clock.px_per_s))
        inside = envelope.clipped(spans, start, end)
        for first, last, name in envelope.main_name_columns(inside, start, end, n_px):
            tip = ""
            if tz_offset_s is not None:
                at = [start + k * (end - start) / n_px for k in (first, last)]
                tip = _tip(at[0], at[1], name, tz_offset_s)
            kind = f"f-{STATE_CLASSES[name]}" if name in STATE_CLASSES else _NO_STATE
            x = clock.start_px(idx) + first
            parts.append(canvas.box(x, y, last - first, height, kind, tip=tip))
    return join(parts)


def _tip(a: float, b: float, name: str, tz_offset_s: float) -> str:
    clock = f"{local(a, tz_offset_s):%H:%M} to {local(b, tz_offset_s):%H:%M}"
    return f"{name.replace('_', ' ')}: {clock} ({print_duration(b - a)})"


def _walked(day: DayStory, clock: Clock, y: float, tz_offset_s: float) -> Markup:
    kinds = {"wearer": "bar-ink", "other": "walk-other", "unsure": "bar-ink pale"}
    said = {"wearer": "the wearer walks", "other": "somebody else walks", "unsure": "not sure who"}
    parts = []
    for a, b, who in day.walks:
        x0, x1 = (clock.x(t - day.midnight_utc) for t in (a, b))
        if x0 is not None and x1 is not None:
            tip = _tip(a, b, said.get(who, who), tz_offset_s)
            width = max(x1 - x0, 2.0)
            parts.append(canvas.box(x0, y, width, _WALK_PX, kinds.get(who, "shade"), tip=tip))
    return join(parts)


def _signs(day: DayStory, clock: Clock, y: float, tz_offset_s: float) -> Markup:
    """Signs of what happened, moved apart so that each can be read."""
    parts, free_px = [], clock.left_px
    for t_utc, kind, words in day.happened:
        x = clock.x(t_utc - day.midnight_utc)
        if kind not in _SIGNS or x is None:
            continue
        x = max(x, free_px)
        if x > clock.right_px:
            break
        free_px = x + _SIGN_PX
        tip = f"{local(t_utc, tz_offset_s):%H:%M} {words}"
        parts.append(
            element(
                "text",
                element("title", tip),
                _SIGNS[kind][0],
                x=x,
                y=y,
                class_="sign bad" if kind in _BAD else "sign",
            )
        )
    return join(parts)


def _keys(data: ReportData, days: Sequence[DayStory]) -> list[Markup]:
    present = {name for _, _, name in data.states}
    keys = [
        swatch(canvas.box(0, 1, 26, 10, f"f-{kind}"), name.replace("_", " "))
        for name, kind in STATE_CLASSES.items()
        if name in present
    ]
    if present - set(STATE_CLASSES):
        keys.append(swatch(canvas.box(0, 1, 26, 10, _NO_STATE), "learning the day's rest"))
    if data.labels:
        keys.append(swatch(canvas.box(0, 4, 26, 3, "f-stress"), "thin, above: wearer's labels"))
    whose = {who for day in days for _, _, who in day.walks}
    for who, kind, words in (
        ("wearer", "bar-ink", "below: the wearer walks"),
        ("unsure", "bar-ink pale", "not sure who walks"),
        ("other", "walk-other", "somebody else walks"),
    ):
        if who in whose:
            keys.append(swatch(canvas.box(1, 3, 24, 6, kind), words))
    happened = {kind for day in days for _, kind, _ in day.happened}
    for kind, (sign, words) in _SIGNS.items():
        if kind in happened:
            shape = element("text", sign, x=8, y=10, class_="sign bad" if kind in _BAD else "sign")
            keys.append(swatch(shape, words))
    return keys


def _table(data: ReportData, days: Sequence[DayStory]) -> Markup:
    heads = ("Day", "Worn", "Stress", "Rest", "Exercise", "Walks")
    rows = [_table_row(data, day) for day in days]
    caption = "Each day in numbers; stress, rest and exercise as the model said"
    return table(caption, heads, rows, kinds=("t", "n", "n", "n", "n", "words"))


def _table_row(data: ReportData, day: DayStory) -> list[Markup | str]:
    seconds = envelope.seconds_by_name(_of_day(data.states, day))
    said = [
        print_duration(seconds[n]) if n in seconds else "–" for n in ("stress", "rest", "exercise")
    ]
    return [day.name, print_duration(_worn_s(data, day)), *said, _who(day)]


def _stories(data: ReportData, days: Sequence[DayStory]) -> Markup | None:
    """What happened on each day, line by line."""
    told = [day for day in days if day.happened]
    if not told:
        return None
    return element("dl", *(_story(data, day) for day in told), class_="story")


def _story(data: ReportData, day: DayStory) -> Markup:
    lines = [_line(data, row) for row in day.happened[:_MAX_LINES]]
    if len(day.happened) > _MAX_LINES:
        lines.append(element("dd", f"and {len(day.happened) - _MAX_LINES} more"))
    return element("div", element("dt", day.name), *lines)


def _line(data: ReportData, row: tuple[float, str, str]) -> Markup:
    t_utc, kind, words = row
    at = element("small", f"{local(t_utc, data.tz_offset_s):%H:%M}")
    if kind not in _SIGNS:
        return element("dd", at, f" {words}")
    sign = element("b", _SIGNS[kind][0], class_="bad" if kind in _BAD else None)
    return element("dd", at, " ", sign, f" {words}")


def _who(day: DayStory) -> str:
    seconds = envelope.seconds_by_name(day.walks)
    words = {"wearer": "the wearer", "other": "somebody else", "unsure": "not sure"}
    said = [f"{words.get(who, who)} {print_duration(s)}" for who, s in seconds.items()]
    return ", ".join(said) or "–"


def _of_day(spans: Sequence[Span], day: DayStory) -> list[Span]:
    return envelope.clipped(spans, day.midnight_utc, day.midnight_utc + _DAY_S)


def _worn_s(data: ReportData, day: DayStory) -> float:
    seconds = envelope.seconds_by_name(_of_day(data.states, day))
    return sum(s for name, s in seconds.items() if name != "not_worn")
