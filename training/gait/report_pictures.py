"""Sections of a gait evaluation's page that are pictures: errors, scores, people, cadence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from firmware_host.report.bars import draw_gait
from firmware_host.report.canvas import HALF_PX, box, figure, line, swatch
from firmware_host.report.markup import Markup
from firmware_host.report.model import GaitScores
from training.evaluation.curve_pictures import Curve, draw_agreement, draw_by_length, draw_det
from training.evaluation.curves import DET_FLOOR, det_curve
from training.evaluation.page import Section, side_by_side, stacked
from training.evaluation.people_pictures import (
    Series,
    bar_key,
    draw_person_bars,
    draw_shares,
    line_key,
)
from training.evaluation.words import number, of_people, share, starred
from training.gait.figures import LENGTHS, NOBODY_ELSE, eer_points
from training.gait.identity import Scores
from training.gait.report_tables import rate_table

_KINDS = dict(zip(LENGTHS, ("curve", "c-third", "c-personal"), strict=True))
_SECONDS = tuple(float(length.rstrip("s")) for length in LENGTHS)
_NOBODY = "Nobody could be enrolled and tested here."


def error_section(result: Mapping[str, Any], scores: Mapping[str, Scores]) -> Section:
    """Error rates over all thresholds and by the length of the walk, with their table."""
    points = eer_points(scores)
    if not points:
        return Section("errors", "Error rates", None, empty=_why_no_errors(scores))
    curves = [
        Curve(_after(length, points), _KINDS[length], *det_curve(s.genuine, s.impostor))
        for length, s in scores.items()
        if length in points
    ]
    marked = [
        (far, frr, f"{length}: equal error {share((far + frr) / 2)}")
        for length, (far, frr) in points.items()
    ]
    det = figure(
        "det",
        "DET curves by length of the probe",
        "; ".join(words for _, _, words in marked) + ". Axes are normal deviates.",
        lambda variant: draw_det(curves, marked, variant),
        wide_px=HALF_PX,
        caption="The wearer taken for another, % upwards. Circles: where both errors are equal.",
        keys=[line_key(curve.kind, curve.name) for curve in curves],
    )
    lines = [
        Curve(words, kind, np.arange(len(LENGTHS)) * 1.0, _by_length(result, name))
        for name, words, kind in (("eer", "equal error rate", "c-personal"),
                                  ("rank1", "not first of all", "c-third"))
    ]  # fmt: skip
    lines[1] = Curve(lines[1].name, lines[1].kind, lines[1].x, 1.0 - lines[1].y)
    by_length = figure(
        "length",
        "Errors by length of the probe",
        f"Equal error rate and share of probes not ranked first among {result['gallery_size']}.",
        lambda variant: draw_by_length(_SECONDS, lines, variant, words="length of the probe"),
        wide_px=HALF_PX,
        caption=f"Not first: another of the {result['gallery_size']} people scores higher.",
        keys=[line_key(one.kind, one.name) for one in lines],
    )
    return Section(
        "errors", "Error rates", stacked(side_by_side(det, by_length), rate_table(result))
    )


def _why_no_errors(scores: Mapping[str, Scores]) -> str:
    is_alone = any(len(score.genuine) for score in scores.values())
    return f"No error rates: {NOBODY_ELSE.partition(': ')[2]}." if is_alone else _NOBODY


def _after(length: str, points: Mapping[str, tuple[float, float]]) -> str:
    words = f"after {length.rstrip('s')} s"
    return words if max(points[length]) >= DET_FLOOR else f"{words}: no error"


def _by_length(result: Mapping[str, Any], name: str) -> np.ndarray:
    values = [result[f"{name}_{length}"] for length in LENGTHS]
    return np.array([np.nan if v is None else v for v in values], float)


def score_section(result: Mapping[str, Any], scores: Mapping[str, Scores]) -> Section:
    """Histograms of scores by length of the walk; without enrolled people, why not."""
    pictures = [_score_figure(length, score, result) for length, score in scores.items()
                if length != "10s" and len(score.genuine)]  # fmt: skip
    return Section("scores", "Scores of the wearer and of others",
                   side_by_side(*pictures) if pictures else None, empty=_NOBODY)  # fmt: skip


def _score_figure(length: str, score: Scores, result: Mapping[str, Any]) -> Markup:
    data = GaitScores(
        wearer=score.genuine,
        others=score.impostor,
        unknown=np.zeros(0),
        threshold=result["threshold"],
        margin=result["margin"],
        probe="",
        truth_from="",
    )
    return figure(
        f"scores-{length}",
        f"Scores after {length.rstrip('s')} s of walking",
        "Histogram: wearers' scores upwards, other people's downwards, and the bundle's threshold.",
        lambda variant: draw_gait(data, variant),
        wide_px=HALF_PX,
        caption=f"After {length.rstrip('s')} s of walking, in per cent of each side.",
        keys=[
            swatch(box(0, 0, 26, 12, "bar-after"), "the wearer, upwards"),
            swatch(box(1, 1, 24, 10, "bar-others"), "others, downwards"),
            swatch(line(0, 6, 26, 6, "threshold"), "threshold"),
            swatch(box(0, 0, 26, 12, "shade"), "not sure"),
        ],
    )


def people_section(result: Mapping[str, Any]) -> Section:
    """Errors of every wearer after 5 s at the bundle's threshold, worst first."""
    people = [one for one in result["participants"] if one.get("frr_5s") is not None]
    if not people:
        return Section("people", "Person by person", None, empty=_NOBODY)
    people = sorted(people, key=lambda one: -(one["frr_5s"] + (one["far_5s"] or 0.0)))
    series = [
        Series("others taken for the wearer", "bar-before", of_people(people, "far_5s")),
        Series("the wearer taken for another", "bar-after", of_people(people, "frr_5s")),
    ]
    series = [one for one in series if np.isfinite(one.values).any()]
    highest = float(np.nanmax([v for one in series for v in one.values]))
    high = min(1.0, max(0.05, float(np.ceil(highest * 20) / 20)))
    names = [starred(one) for one in people]
    picture = figure(
        "people",
        "Errors of every person after 5 s, at the bundle's threshold",
        f"One row a person, worst first; worst {share(people[0]['frr_5s'])} rejected.",
        lambda variant: draw_person_bars(names, series, variant, high=high, percent=True),
        caption="The number is the share of the wearer's own walks taken for another's.",
        keys=[bar_key(one) for one in reversed(series)],
    )
    return Section("people", "Person by person", picture,
                   "After 5 s of walking, at the bundle's own threshold.")  # fmt: skip


def coverage_section(result: Mapping[str, Any]) -> Section | None:
    """Share of each person's walking windows that the host uses; None if nobody walked."""
    people = [one for one in result["participants"] if one.get("coverage") is not None]
    if not people:
        return None
    people = sorted(people, key=lambda one: -one["coverage"])
    names = [starred(one) for one in people]
    used = of_people(people, "coverage")
    parts = [
        Series("used", "bar-ink", used),
        Series("not clearly walking, or steps too uneven", "f-off", [1.0 - v for v in used]),
    ]
    picture = figure(
        "coverage",
        "Walking windows that the host uses",
        f"One bar a person; on average {share(result['coverage'])} is used.",
        lambda variant: draw_shares(names, parts, variant),
        keys=[bar_key(part) for part in parts],
    )
    return Section("coverage", "Walking windows used", picture,
                   "Of the rest nothing is said about who walks.")  # fmt: skip


def cadence_section(result: Mapping[str, Any]) -> Section | None:
    """Cadence against the reference; None where none was asked for."""
    pairs = result.get("agreement") or []
    if not pairs:
        if result["protocol"] != "cadence":
            return None
        return Section(
            "cadence", "Cadence", None, empty=result["reasons"].get("cadence_mae_spm", "")
        )
    reference = np.array([pair["reference"] for pair in pairs], float)
    measured = np.array([pair["measured"] for pair in pairs], float)
    bias = float((measured - reference).mean())
    picture = figure(
        "cadence",
        "Cadence against the reference",
        f"A dot a walk: difference against mean; bias {number(bias)} steps a minute.",
        lambda variant: draw_agreement(reference, measured, "steps a minute", variant),
        caption="Difference upwards: host minus reference. Dashed: 1.96 standard deviations.",
    )
    return Section("cadence", "Cadence", picture, f"{len(pairs)} walks with a reference.")
