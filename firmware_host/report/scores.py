"""Sections about how well it works: before and after, truth, gait, baseline shift."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from firmware_host.report import bars, canvas, charts
from firmware_host.report.canvas import figure, swatch
from firmware_host.report.markup import Markup, element, join
from firmware_host.report.model import (
    BeforeAfter,
    Confusion,
    FloatArray,
    GaitScores,
    ReportData,
)
from firmware_host.report.scales import (
    clean,
    finite,
    print_count,
    print_share,
    print_signed,
    print_value,
)
from firmware_host.report.tables import heat_table, mark, table

# Shares closer than this are one and the same to a reader.
_SAME_SHARE = 0.005


def outcomes_section(data: ReportData) -> Markup | None:
    """Bar pairs before and after adaptation."""
    rows = data.outcomes
    if not rows:
        return None
    keys = [
        swatch(canvas.box(1, 1, 24, 10, "bar-before"), "before"),
        swatch(canvas.box(0, 0, 26, 12, "bar-after"), "after"),
    ]
    if any(row.before_interval or row.after_interval for row in rows):
        keys.append(
            swatch(element("path", d="M4 6v-3v6m18 0v-6v3M4 6h18", class_="whisk"), "interval")
        )
    if any(row.control is not None for row in rows):
        keys.append(swatch(canvas.diamond(13, 6, 5, "control"), "control"))
    own_scale = "" if bars.has_common_scale(rows) else "Each score has a scale of its own, from 0."
    picture = figure(
        "outcomes",
        "Scores before and after adaptation",
        "Pairs of bars with intervals; the table beside gives the same numbers.",
        lambda variant: bars.draw_outcomes(rows, variant),
        caption=" ".join(note for note in (data.outcomes_note, own_scale) if note),
        keys=keys,
    )
    return join([picture, _outcome_table(rows)])


def _outcome_table(rows: Sequence[BeforeAfter]) -> Markup:
    printed = [
        [
            row.name,
            _with_interval(row.before, row.before_interval),
            _with_interval(row.after, row.after_interval),
            _change(row),
            "–" if row.control is None else print_value(row.control),
            row.n,
        ]
        for row in rows
    ]
    heads = ("Score", "Before", "After", "Change", "Control", "Over")
    return table(
        "Same held-back data on both sides", heads, printed, kinds=("", "n", "n", "n", "n", "words")
    )


def _with_interval(value: float, interval: tuple[float, float] | None) -> Markup:
    printed = join([print_value(value)])
    if interval is None:
        return printed
    limits = f"{print_value(interval[0])} to {print_value(interval[1])}"
    return join([printed, element("br"), element("small", limits)])


def _change(row: BeforeAfter) -> Markup:
    change = row.after - row.before
    if not np.isfinite(change):
        return mark("–")
    if abs(change) < _SAME_SHARE and bars.has_common_scale([row]):
        return mark("same")
    printed = ("+" if change > 0 else "") + print_value(change, 2)
    is_clear = _is_clear(row)
    if is_clear is None:
        return mark(printed)
    if not is_clear:
        return mark(f"{printed}, no clear difference")
    better = (change > 0) == row.higher_is_better
    return mark(f"{printed} {'better' if better else 'worse'}", "good" if better else "bad")


def _is_clear(row: BeforeAfter) -> bool | None:
    """Whether the change is beyond what chance does; None if nobody measured that."""
    if row.gain_interval is not None:
        low, high = row.gain_interval
        # Of an unknown interval both comparisons are false.
        return low > 0 or high < 0
    if row.before_interval is not None:
        return not row.before_interval[0] <= row.after <= row.before_interval[1]
    return None


def gait_section(data: ReportData) -> Markup | None:
    """Score histogram and what was decided, by who walked as far as that is known."""
    scores = data.gait
    if scores is None or not (
        np.size(scores.wearer) or np.size(scores.others) or np.size(scores.unknown)
    ):
        return None
    picture = figure(
        "gait",
        "Gait verification scores",
        _describe_gait(scores),
        lambda variant: bars.draw_gait(scores, variant),
        wide_px=canvas.HALF_PX,
        keys=_gait_keys(scores),
    )
    return element("div", picture, _gait_table(scores), class_="pair")


def _describe_gait(scores: GaitScores) -> str:
    if bars.knows_who_walked(scores):
        return (
            "Histogram: the wearer's scores upwards, other people's downwards, and the threshold."
        )
    return "Histogram of all scores and the threshold; nobody said who walked."


def _gait_keys(scores: GaitScores) -> list[Markup]:
    if bars.knows_who_walked(scores):
        keys = [
            swatch(canvas.box(0, 0, 26, 12, "bar-after"), "this wearer, upwards"),
            swatch(canvas.box(1, 1, 24, 10, "bar-others"), "other people, downwards"),
        ]
    else:
        keys = [swatch(canvas.box(0, 0, 26, 12, "bar-ink"), "walking, whose is not known")]
    keys.append(swatch(canvas.line(0, 6, 26, 6, "threshold"), "threshold"))
    if scores.margin > 0:
        keys.append(swatch(canvas.box(0, 0, 26, 12, "shade"), "not sure"))
    return keys


def _gait_table(scores: GaitScores) -> Markup:
    columns = [
        (name, finite(values))
        for name, values in (
            ("This wearer", scores.wearer),
            ("Others", scores.others),
            ("Not known who", scores.unknown),
        )
        if np.size(values)
    ]
    low, high = scores.threshold - scores.margin, scores.threshold + scores.margin
    known = bool(np.isfinite(scores.threshold))
    rows = [
        ["Scores", *(print_count(v.size) for _, v in columns)],
        ["Taken for the wearer", *(_share(v >= high, known=known) for _, v in columns)],
        *(
            [["Not sure", *(_share((v >= low) & (v < high), known=known) for _, v in columns)]]
            if scores.margin > 0
            else []
        ),
        ["Taken for another", *(_share(v < low, known=known) for _, v in columns)],
        ["Median score", *(_median(v) for _, v in columns)],
    ]
    caption = [f"At the threshold in use, {print_value(scores.threshold)}."]
    if scores.probe:
        caption.append(f"A score is the {scores.probe}.")
    caption.append(
        f"Who walked: {scores.truth_from}."
        if bars.knows_who_walked(scores) and scores.truth_from
        else ""
    )
    heads = ("Decision", *(name for name, _ in columns))
    return table(
        " ".join(part for part in caption if part), heads, rows, kinds=("", *"n" * len(columns))
    )


def _share(mask: npt.NDArray[np.bool_], *, known: bool) -> str:
    return print_share(float(np.mean(mask))) if mask.size and known else "–"


def _median(values: FloatArray) -> str:
    return print_value(float(np.median(values))) if values.size else "–"


def confusion_section(data: ReportData) -> Markup | None:
    """Confusion table and reliability picture."""
    confusion = data.confusion
    if confusion is None or not len(confusion.names):
        return None
    reliability = None
    if confusion.reliability:
        bins = confusion.reliability
        reliability = figure(
            "reliability",
            "Predicted probability against observed share",
            "A dot per bin; on the dashed diagonal a probability can be taken at its word.",
            lambda variant: charts.draw_reliability(bins, variant),
            wide_px=420,
            caption="Observed share of stress, upwards. Area of a dot: windows.",
        )
    numbers = [_confusion_table(confusion), _reliability_table(confusion) if reliability else None]
    return element("div", element("div", *numbers), reliability, class_="half")


def _confusion_table(confusion: Confusion) -> Markup:
    counts = np.nan_to_num(clean(confusion.counts), nan=0.0).clip(min=0.0).round().astype(int)
    rows = zip(confusion.names, counts.reshape(len(confusion.names), -1).tolist(), strict=True)
    caption = "Truth in rows, decision in columns, share of the row, windows below"
    if confusion.truth_from:
        caption += f". Truth: {confusion.truth_from}"
    return heat_table(caption, confusion.names, list(rows))


def _reliability_table(confusion: Confusion) -> Markup:
    bins = [b for b in confusion.reliability if np.all(np.isfinite(b)) and b[2] > 0]
    total = sum(n for _, _, n in bins)
    error = sum(n * abs(observed - predicted) for predicted, observed, n in bins) / max(total, 1)
    rows = [[f"{p:.2f}", f"{o:.2f}", print_count(int(n))] for p, o, n in bins]
    caption = f"Reliability: on average {print_value(error, 2)} apart, weighted by windows"
    return table(caption, ("Predicted", "Observed", "Windows"), rows, kinds=("n", "n", "n"))


def baseline_section(data: ReportData) -> Markup | None:
    """How this wearer at rest differs from the population."""
    rows = sorted(data.baseline, key=lambda row: -abs(row.shift) if np.isfinite(row.shift) else 1.0)
    if not rows:
        return None
    picture = figure(
        "baseline",
        "Shift of this wearer's resting features",
        "A bar per feature, largest first: wearer minus population, in typical deviations.",
        lambda variant: bars.draw_shift(rows, variant),
        wide_px=canvas.HALF_PX,
        caption="0: what people are like at rest. 1: as far as one person usually moves between "
        "rest and stress.",
    )
    heads = ("Feature", "Shift", "Wearer", "People", "Unit")
    printed = [
        [
            row.name,
            print_signed(row.shift),
            print_value(row.wearer),
            print_value(row.population),
            row.unit,
        ]
        for row in rows
    ]
    numbers = table("Largest shift first", heads, printed, kinds=("", "n", "n", "n", ""))
    return element("div", picture, numbers, class_="pair")
