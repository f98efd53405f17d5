"""Sections of what happened when: the time line, and the probability of stress."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from firmware_host.report import canvas, charts, envelope, timeline
from firmware_host.report.canvas import figure, swatch
from firmware_host.report.day import WalkingDay
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
    clean,
    local,
    print_count,
    print_duration,
    print_share,
    print_value,
    zone_name,
)
from firmware_host.report.tables import table
from firmware_host.words import counted

_DAY_S = 86_400.0
# As many as the tables beside are long.
_MAX_EVENTS = 25


def timeline_section(data: ReportData) -> Markup | None:
    """Signals, labels, states and events, with their tables; None without any of them."""
    if not (
        data.signals or data.states or data.labels or data.truth or data.activities or data.events
    ):
        return None
    keys = [
        canvas.hatch_swatch("key-timeline", "no data"),
        swatch(canvas.box(0, 0, 26, 12, "shade"), "off the wrist"),
    ]
    if any(_is_dense(signal) for signal in data.signals):
        band = join([canvas.box(0, 1, 26, 10, "band"), canvas.line(0, 6, 26, 6, "curve")])
        keys.append(swatch(band, "range and mean of each moment"))
    if data.probability and data.probability.learned:
        keys.append(_learn_key())
    picture = figure(
        "timeline",
        "Time line of signals, labels and model states",
        _describe_timeline(data),
        lambda variant: timeline.draw_timeline(data, variant),
        caption=f"Local time, {zone_name(data.tz_offset_s)}{_cut(data)}. In a lane with rows, full "
        "colour: the name that fills most of that moment; pale: it occurs.",
        keys=keys,
    )
    numbers = element("div", _signal_table(data), _event_table(data))
    spans = element("div", _span_table(data), _walking_table(data.walking))
    return join([picture, element("div", numbers, spans, class_="pair")])


def _cut(data: ReportData) -> str:
    return "; pauses of half an hour and more are cut short" if pauses_of(data).stretches else ""


def _is_dense(signal: Signal) -> bool:
    return signal.low is not None or np.size(signal.values) > canvas.WIDE_PX


def _learn_key() -> Markup:
    shape = join([canvas.line(13, 0, 13, 12, "learn"), canvas.diamond(13, 5, 4, "flag")])
    return swatch(shape, "learned, new adapter in use")


def _describe_timeline(data: ReportData) -> str:
    names = ", ".join(signal.name for signal in data.signals[:8]) or "no signals"
    length = print_duration(data.end_utc - data.start_utc)
    labels = counted(len(data.labels), "label")
    return f"{length}: {names}; {labels} by the wearer. Numbers in the tables below."


def _signal_table(data: ReportData) -> Markup | None:
    if not data.signals:
        return None
    heads = ("Signal", "Unit", "Lowest", "Median", "Highest", "Covered")
    rows = [_signal_row(signal, data) for signal in data.signals]
    return table("Signals in this time range", heads, rows, kinds=("", "", "n", "n", "n", "n"))


def _signal_row(signal: Signal, data: ReportData) -> list[str]:
    end_utc = max(data.end_utc, data.start_utc + 1.0)
    curve = envelope.curve_of(signal, data.start_utc, end_utc)
    if not curve.t_utc.size:
        return [signal.name, signal.unit, "–", "–", "–", print_share(0.0)]
    gaps = envelope.gaps_of(signal, curve, data.start_utc, end_utc)
    spans = envelope.clipped([(a, b, "") for a, b in gaps], data.start_utc, end_utc)
    missing = sum(b - a for a, b, _ in spans) / (end_utc - data.start_utc)
    values = (curve.low.min(), np.median(curve.values), curve.high.max())
    printed = [print_value(float(value)) for value in values]
    return [signal.name, signal.unit, *printed, print_share(max(0.0, 1.0 - missing))]


def _event_table(data: ReportData) -> Markup | None:
    """What the diamonds stand for; paper has no tool tips."""
    events = sorted(e for e in data.events if data.start_utc <= e[0] <= data.end_utc)
    if not events:
        return None
    days = data.end_utc - data.start_utc > _DAY_S
    clock = "%Y-%m-%d %H:%M:%S" if days else "%H:%M:%S"
    shown = events[-_MAX_EVENTS:]
    rows = [[local(t, data.tz_offset_s).strftime(clock), timeline.words(name)] for t, name in shown]
    caption = "Events" if len(shown) == len(events) else f"Events, the last of {len(events)}"
    return table(caption, ("Local time", "What"), rows, kinds=("t", "words"))


def _span_table(data: ReportData) -> Markup | None:
    lanes = (
        ("Ground truth", data.truth),
        ("Wearer's labels", data.labels),
        ("Model", data.states),
        ("Activity", data.activities),
    )
    rows = [row for lane, spans in lanes for row in _span_rows(lane, spans, data)]
    if not rows:
        return None
    return table(
        "Time in each state", ("Lane", "State", "Time", "Share"), rows, kinds=("", "", "n", "n")
    )


def _span_rows(lane: str, spans: Sequence[Span], data: ReportData) -> list[list[str]]:
    inside = envelope.clipped(spans, data.start_utc, max(data.end_utc, data.start_utc + 1.0))
    seconds = envelope.seconds_by_name(inside)
    total = sum(seconds.values())
    ordered = sorted(seconds.items(), key=lambda item: -item[1])
    return [
        [lane, timeline.words(name), print_duration(s), print_share(s / total)]
        for name, s in ordered
    ]


def _walking_table(days: Sequence[WalkingDay]) -> Markup | None:
    if not days:
        return None
    rows = [
        [
            one.day,
            print_count(one.n_walks),
            print_duration(one.seconds),
            print_count(one.steps),
            _spm(one.cadence_spm),
            f"{_spm(one.low_spm)} to {_spm(one.high_spm)}",
        ]
        for one in days[-_MAX_EVENTS:]
    ]
    heads = ("Day", "Walks", "Time", "Steps", "Steps a minute", "Nine in ten windows")
    caption = "Walking and running; steps on stairs are not counted"
    return table(caption, heads, rows, kinds=("t", "n", "n", "n", "n", "n"))


def _spm(value: float) -> str:
    return f"{value:.0f}" if np.isfinite(value) else "–"


def probability_section(data: ReportData) -> Markup | None:
    """Generic against personal probability, and what each says inside the labels."""
    track = data.probability
    if track is None or not np.size(track.t_utc):
        return None
    keys = [swatch(canvas.line(0, 6, 26, 6, "c-generic"), "generic model")]
    if track.personal is not None:
        keys.append(swatch(canvas.line(0, 6, 26, 6, "c-personal"), "with what was learned"))
    if np.isfinite(track.threshold):
        words = f"threshold {print_value(track.threshold)}"
        keys.append(swatch(canvas.line(0, 6, 26, 6, "threshold"), words))
    if track.learned:
        keys.append(_learn_key())
    reference, source = _reference(data)
    if any(name == "stress" for _, _, name in reference):
        keys.append(swatch(canvas.box(0, 0, 26, 12, "b-stress"), f"stress by {source}"))
    picture = figure(
        "probability",
        "Probability of stress over time",
        "Two lines, generic and personal model, with the threshold and the instants of learning.",
        lambda variant: charts.draw_probability(data, track, reference, variant),
        caption=f"Local time, {zone_name(data.tz_offset_s)}{_cut(data)}. Mean of each pixel column.",
        keys=keys,
    )
    return join([picture, _probability_table(data, track)])


def _reference(data: ReportData) -> tuple[Sequence[Span], str]:
    return (data.truth, "ground truth") if data.truth else (data.labels, "wearer's labels")


def _probability_table(data: ReportData, track: ProbabilityTrack) -> Markup | None:
    reference, source = _reference(data)
    t_utc = np.asarray(track.t_utc, dtype=np.float64).ravel()
    generic = clean(track.generic)
    personal = np.full(generic.shape, np.nan) if track.personal is None else clean(track.personal)
    learned = max((t for t, _ in track.learned), default=None)
    parts = [("whole recording", np.ones(t_utc.shape, dtype=np.bool_))]
    if learned is not None:
        parts = [("before learning", t_utc < learned), ("after learning", t_utc >= learned)]
    rows = []
    for name in dict.fromkeys(span[2] for span in reference):
        inside = _inside(t_utc, [span for span in reference if span[2] == name])
        for when, mask in parts:
            both = inside & mask
            if both.any():
                row = _probability_row(generic[both], personal[both], track.threshold)
                rows.append([timeline.words(name), when, *row])
    if not rows:
        return None
    heads = (
        "Label",
        "Windows",
        "Count",
        "Generic, mean",
        "Personal, mean",
        "Generic says stress",
        "Personal says stress",
    )
    caption = f"Windows that end inside a span by {source}; the last learning instant divides them"
    return table(caption, heads, rows, kinds=("", "", "n", "n", "n", "n", "n"))


def _inside(t_utc: FloatArray, spans: Sequence[Span]) -> npt.NDArray[np.bool_]:
    mask = np.zeros(t_utc.shape, dtype=np.bool_)
    for a, b, _ in spans:
        mask |= (t_utc > a) & (t_utc <= b)
    return mask


def _probability_row(generic: FloatArray, personal: FloatArray, threshold: float) -> list[str]:
    means, shares = [], []
    for values in (generic, personal):
        known = values[np.isfinite(values)]
        means.append(print_value(float(known.mean())) if known.size else "–")
        is_scored = known.size and np.isfinite(threshold)
        shares.append(print_share(float(np.mean(known >= threshold))) if is_scored else "–")
    return [print_count(generic.size), *means, *shares]
