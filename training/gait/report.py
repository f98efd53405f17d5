"""The page of a gait evaluation: error rates, scores, the gate, cadence, everybody's figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from firmware_host.report.bars import draw_gait
from firmware_host.report.canvas import HALF_PX, box, figure, line, swatch
from firmware_host.report.markup import Markup
from firmware_host.report.model import GaitScores
from firmware_host.report.tables import heat_table, table
from training.evaluation.curve_pictures import Curve, draw_agreement, draw_by_length, draw_det
from training.evaluation.curves import DET_FLOOR, det_curve
from training.evaluation.page import Page, Section, render, side_by_side, stacked
from training.evaluation.people_pictures import (
    Series,
    bar_key,
    draw_person_bars,
    draw_shares,
    line_key,
)
from training.evaluation.words import (
    TRAINED_ON_GAIT,
    interval,
    left_out_words,
    number,
    share,
    short_name,
)
from training.gait.figures import LENGTHS, NOBODY_ELSE, eer_points
from training.gait.identity import Scores

_KINDS = dict(zip(LENGTHS, ("curve", "c-third", "c-personal"), strict=True))
_SECONDS = tuple(float(length.rstrip("s")) for length in LENGTHS)
_NOBODY = "Nobody could be enrolled and tested here."


def gait_page(result: Mapping[str, Any], scores: Mapping[str, Scores]) -> str:
    """The page of one evaluation; `result` are its figures as JSON knows them.

    `scores` by length of the probe are those behind the figures on top; empty without walks.
    """
    about_wearers = [] if result["protocol"] == "cadence" else [
        _error_section(result, scores),
        _score_section(result, scores),
        _people_section(result),
        _gate_section(result),
        _coverage_section(result),
    ]  # fmt: skip
    sections = [*about_wearers, _cadence_section(result), _table_section(result)]
    return render(
        Page(
            title=f"Gait: {result['dataset']}",
            lead=f"{_sentence(result['protocol_means'])}.",
            facts=_facts(result),
            caveats=_caveats(result),
            cards=_cards(result),
            sections=[section for section in sections if section is not None],
        )
    )


def _sentence(words: str) -> str:
    return words[:1].upper() + words[1:]


def _facts(result: Mapping[str, Any]) -> list[tuple[str, str]]:
    n_all, n_seen = len(result["participants"]), result["n_seen_in_training"]
    facts = [
        ("People", f"{n_all}, of them {n_seen} in the model's training"),
        ("Figures are of", result["scored_people"]),
    ]
    if result.get("placement"):
        facts.append(("Worn on", f"the {result['placement']}"))
    if result["protocol"] == "cadence":
        facts.append(("Model", "none: cadence is measured, not learned"))
    elif "bundle" in result:
        facts.append(("Bundle", f"{result['bundle']}, {result['bundle_sha256'][:16]}"))
    else:
        facts.append(("Model", "trained anew without each group of people"))
    return facts


def _caveats(result: Mapping[str, Any]) -> list[str]:
    caveats = []
    if result["n_seen_in_training"] and result["scored_people"] != "unseen":
        caveats.append(f"{_sentence(TRAINED_ON_GAIT)}.")
    n = result.get("gallery_size") or 0
    if n > 1:
        at_threshold = "false accepts and rejects at the model's own threshold"
        is_unseen = result["scored_people"] == "unseen"
        caveats.append(
            f"Rank 1 is among {n} people and grows easier with fewer. The equal error rate uses a "
            "threshold fitted to these very scores"
            + (f"; {at_threshold} are what a wearer gets." if is_unseen else ".")
        )
        caveats.append(
            f"The host judges {share(result['coverage'])} of walking windows, the even ones the gate is "
            f"sure of. With every window, the equal error rate after 5 s is "
            f"{share(result['all_windows']['eer_5s'])}."
        )
    caveats += left_out_words(result.get("not_enrolled", []), "not enrolled")
    caveats += [f"Not measured: {names}: {why}." for names, why in _by_reason(result["reasons"])]
    if result["protocol"] != "cadence":
        caveats.append(
            "One session a person: nobody came back on another day, in other shoes. It tells a "
            "household apart and is no access control."
        )
    return caveats


def _by_reason(reasons: Mapping[str, str]) -> list[tuple[str, str]]:
    """Reasons with the names of the figures they take away."""
    grouped: dict[str, list[str]] = {}
    for name, why in reasons.items():
        grouped.setdefault(why, []).append(name)
    return [(", ".join(names), why) for why, names in grouped.items()]


def _cards(result: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    if result["protocol"] == "cadence":
        return _cadence_cards(result)
    spans = result.get("intervals_95", {})
    n = result.get("gallery_size")
    return [
        *(
            (
                f"Equal error, {length.rstrip('s')} s",
                share(result[f"eer_{length}"]),
                interval(spans.get(f"eer_{length}"), share),
            )
            for length in LENGTHS
        ),
        *(
            (
                f"Rejected, {length.rstrip('s')} s",
                share(result[f"frr_{length}"]),
                f"the wearer; others accepted {share(result[f'far_{length}'])}; both at the "
                "model's own threshold",
            )
            for length in (LENGTHS[0], LENGTHS[-1])
        ),
        ("Rank 1, 30 s", share(result["rank1_30s"]), f"among {n}" if n else ""),
        (
            "Activity, macro F1",
            number(result["gate_macro_f1"]),
            f"walk {share((result['gate_recall'] or {}).get('walk'))}",
        ),
        (
            "Cadence error",
            _spm(result["cadence_mae_spm"]),
            "mean absolute" if result["cadence_mae_spm"] is not None else "no reference here",
        ),
    ]


def _cadence_cards(result: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    error = result["step_count_error"]
    return [
        (
            "Cadence error",
            _spm(result["cadence_mae_spm"]),
            f"mean absolute, {result['cadence_over']}",
        ),
        ("Everybody", _spm(result["cadence_mae_spm_everybody"]), "mean absolute, all walks"),
        ("Bias", _spm(result["cadence_bias_spm"]), "host minus reference"),
        ("Worst walk", _spm(result["cadence_worst_spm"]), ""),
        ("Walks", number(result["n_bouts"]), f"{result['n_bouts_answered']} with an answer"),
        ("Steps", share(error), "counted too many, or too few" if error is not None else ""),
    ]


def _spm(value: float | None) -> str:
    return "–" if value is None else f"{number(value)} spm"


def _error_section(result: Mapping[str, Any], scores: Mapping[str, Scores]) -> Section:
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
        "errors", "Error rates", stacked(side_by_side(det, by_length), _rate_table(result))
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


def _rate_table(result: Mapping[str, Any]) -> Markup:
    spans = result.get("intervals_95", {})
    rows = []
    for length in LENGTHS:
        rows.append(
            [
                f"{length.rstrip('s')} s",
                share(result[f"eer_{length}"]),
                interval(spans.get(f"eer_{length}"), share),
                share(result[f"frr_{length}"]),
                share(result[f"far_{length}"]),
                share(result[f"rank1_{length}"]),
                *(share((result.get(name) or {}).get(f"eer_{length}"))
                  for name in ("enrolled_60s", "all_windows")),
            ]
        )  # fmt: skip
    heads = ("Probe", "Equal error", "Over people", "Wearer rejected", "Other accepted", "Rank 1",
             "Enrolled on 60 s", "No window left out")  # fmt: skip
    caption = "Rejected and accepted at the bundle's own threshold; the last two are equal error"
    return table(caption, heads, rows, kinds=("", *"nnnnnnn"))


def _score_section(result: Mapping[str, Any], scores: Mapping[str, Scores]) -> Section:
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


def _people_section(result: Mapping[str, Any]) -> Section:
    people = [one for one in result["participants"] if one.get("frr_5s") is not None]
    if not people:
        return Section("people", "Person by person", None, empty=_NOBODY)
    people = sorted(people, key=lambda one: -(one["frr_5s"] + (one["far_5s"] or 0.0)))
    series = [
        Series("others taken for the wearer", "bar-before", _of(people, "far_5s")),
        Series("the wearer taken for another", "bar-after", _of(people, "frr_5s")),
    ]
    series = [one for one in series if np.isfinite(one.values).any()]
    highest = float(np.nanmax([v for one in series for v in one.values]))
    high = min(1.0, max(0.05, float(np.ceil(highest * 20) / 20)))
    names = [_name(one) for one in people]
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


def _gate_section(result: Mapping[str, Any]) -> Section:
    labels, counts = result.get("gate_labels"), result.get("gate_confusion")
    if not labels or result["gate_macro_f1"] is None:
        return Section(
            "gate", "What the wearer does", None, empty="No activities are labelled here."
        )
    rows = [(name, row) for name, row in zip(labels, counts, strict=True) if sum(row)]
    content = heat_table("Truth in rows, the host's word in columns, share of the row",
                         labels, rows)  # fmt: skip
    saying = (
        f"Macro F1 {number(result['gate_macro_f1'])} with still counted as other, "
        f"{number(result.get('gate_macro_f1_five'))} of all five; smoothed as on the host, in "
        "shuffled bouts of 45 s."
    )
    return Section("gate", "What the wearer does", content, saying)


def _coverage_section(result: Mapping[str, Any]) -> Section | None:
    people = [one for one in result["participants"] if one.get("coverage") is not None]
    if not people:
        return None
    people = sorted(people, key=lambda one: -one["coverage"])
    names = [_name(one) for one in people]
    used = _of(people, "coverage")
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


def _cadence_section(result: Mapping[str, Any]) -> Section | None:
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


def _table_section(result: Mapping[str, Any]) -> Section:
    columns = (
        ("Equal error 5 s", "eer_5s", share),
        ("Equal error 30 s", "eer_30s", share),
        ("Rejected 5 s", "frr_5s", share),
        ("Rejected 30 s", "frr_30s", share),
        ("Accepted 5 s", "far_5s", share),
        ("Accepted 30 s", "far_30s", share),
        ("Windows used", "coverage", share),
        ("Probes", "n_probes_5s", number),
        ("Activity F1", "gate_macro_f1", number),
        ("Walk found", "gate_walk_recall", share),
        ("Walks", "n_bouts", number),
        ("Cadence error, spm", "cadence_mae_spm", number),
        ("Bias, spm", "cadence_bias_spm", number),
        ("Worst, spm", "cadence_worst_spm", number),
        ("Steps, reference", "n_steps_reference", number),
        ("Steps, too many", "step_count_error", share),
    )
    people = result["participants"]
    used = [c for c in columns if any(one.get(c[1]) is not None for one in people)]
    rows = [[_name(one), *(words(one.get(name)) for _, name, words in used)] for one in people]
    caption = "Everybody; * in the training" if result["n_seen_in_training"] else "Everybody"
    content = table(caption, ("Person", *(head for head, *_ in used)), rows,
                    kinds=("", *"n" * len(used)))  # fmt: skip
    return Section("table", "Every person", content if rows else None, empty="Nobody is here.")


def _name(one: Mapping[str, Any]) -> str:
    return short_name(one["id"]) + ("*" if one.get("seen_in_training") else "")


def _of(people: Sequence[Mapping[str, Any]], name: str) -> list[float]:
    return [np.nan if one.get(name) is None else one[name] for one in people]
