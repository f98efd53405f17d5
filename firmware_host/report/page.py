"""The page: head, title, cards, sections, foot. One string, no script, nothing fetched."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from firmware_host.report import accounts, days, scores, sections
from firmware_host.report.document import document_head
from firmware_host.report.envelope import clipped, seconds_by_name
from firmware_host.report.markup import Markup, element
from firmware_host.report.model import ReportData
from firmware_host.report.scales import finite, local, print_duration, print_share, zone_name
from firmware_host.report.tables import sentence

# Less than this between two runs is not worth a word.
_SHORT_PAUSE_S = 600.0

# id, heading, what it says, builder, the sentence of an empty section. In reading order.
_Section = tuple[str, str, str, Callable[[ReportData], Markup | None], str]
_SECTIONS: tuple[_Section, ...] = (
    (
        "privacy",
        "What left this host",
        "",
        accounts.privacy_section,
        "Not known: this run did not record what left the host.",
    ),
    (
        "days",
        "Day by day",
        "",
        days.days_section,
        "There is one day only: the time line below shows it.",
    ),
    (
        "timeline",
        "The recording",
        "",
        sections.timeline_section,
        "No signals, labels or states were recorded in this time range.",
    ),
    (
        "probability",
        "Probability of stress",
        "The same windows through the model as shipped, and with this wearer's adapter. Windows "
        "with too much movement are in here too; as a state they count as moving.",
        sections.probability_section,
        "No window was scored: there was no complete window with a worn, readable signal.",
    ),
    (
        "outcomes",
        "Before and after learning",
        "An update is kept only if it does not lose on the wearer's own later, held-back episodes.",
        scores.outcomes_section,
        "Nothing to compare: no update was tried on held-back episodes.",
    ),
    (
        "confusion",
        "Decision against truth",
        "",
        scores.confusion_section,
        "No truth to compare with: the recording has no labels inside scored windows.",
    ),
    (
        "gait",
        "Gait: is it this wearer?",
        "",
        scores.gait_section,
        "No gait scores: the wearer is not enrolled, or did not walk long enough.",
    ),
    (
        "baseline",
        "The wearer's own baseline",
        "Learned at rest, without labels.",
        scores.baseline_section,
        "No baseline yet: it needs a stretch of rest with readable signals.",
    ),
    (
        "ledger",
        "What was learned from what",
        "",
        accounts.ledger_section,
        "Nothing was learned: the ledger has no job.",
    ),
    (
        "stream",
        "Health of the stream",
        "",
        accounts.stream_section,
        "No stream counters were kept for this time range.",
    ),
    (
        "costs",
        "What it cost the host",
        "",
        accounts.costs_section,
        "Costs were not measured in this run.",
    ),
)


def render(data: ReportData) -> str:
    """The whole page as one HTML document; the same data gives the same text."""
    head = document_head(f"{data.title} · Signet report")
    body = element(
        "body",
        element(
            "main",
            _header(data),
            _cards(data),
            *(_section(s, data) for s in _SECTIONS),
            _footer(data),
        ),
    )
    return f"<!DOCTYPE html>\n{element('html', head, body, lang='en')}\n"


def _header(data: ReportData) -> Markup:
    facts = [("Wearer", data.wearer), ("Source", data.source), *data.facts]
    links = [element("a", heading, href=f"#{name}") for name, heading, *_ in _SECTIONS]
    return element(
        "header",
        element("p", "Signet report", class_="eyebrow"),
        element("h1", data.title),
        element("p", _time_range(data), class_="lead"),
        element(
            "dl",
            *(
                element("div", element("dt", name), element("dd", value))
                for name, value in facts
                if value
            ),
            class_="facts",
        ),
        element("nav", *links, aria_label="Sections"),
    )


def _time_range(data: ReportData) -> str:
    start, end = local(data.start_utc, data.tz_offset_s), local(data.end_utc, data.tz_offset_s)
    if start == end:
        return f"{start.day} {start:%B %Y, %H:%M}, local time ({zone_name(data.tz_offset_s)})"
    last = f"{end:%H:%M}" if start.date() == end.date() else f"{end.day} {end:%B %Y, %H:%M}"
    zone = zone_name(data.tz_offset_s)
    return f"{start.day} {start:%B %Y, %H:%M} to {last}, local time ({zone})"


def _cards(data: ReportData) -> Markup:
    cards = [
        _length_card(data),
        _stress_card(data),
        _label_card(data),
        _learned_card(data),
        _gait_card(data),
        _sent_card(data),
    ]
    return element(
        "dl",
        *(
            element(
                "div",
                element("dt", name),
                element("dd", value, element("small", note) if note else None),
            )
            for name, value, note in cards
        ),
        class_="cards",
    )


def _length_card(data: ReportData) -> tuple[str, str, str]:
    span_s = data.end_utc - data.start_utc
    length_s = data.recorded_s if math.isfinite(data.recorded_s) else span_s
    off = seconds_by_name(
        clipped([(a, b, "off") for a, b in data.not_worn], data.start_utc, data.end_utc)
    )
    notes = []
    if off and length_s > 0:
        notes.append(f"{print_duration(max(0.0, length_s - off['off']))} on the wrist")
    # Runs on several days: the axis is far longer than what there is to see.
    if span_s > 1.1 * length_s + _SHORT_PAUSE_S:
        notes.append(f"within {print_duration(span_s)}")
    return "Recorded", print_duration(length_s), ", ".join(notes)


def _stress_card(data: ReportData) -> tuple[str, str, str]:
    seconds = seconds_by_name(clipped(data.states, data.start_utc, data.end_utc))
    if not seconds:
        return "Model said stress", "–", "nothing scored"
    decided = seconds.get("stress", 0.0) + seconds.get("rest", 0.0)
    note = f"decided {print_share(decided / sum(seconds.values()))} of the time"
    return "Model said stress", print_duration(seconds.get("stress", 0.0)), note


def _label_card(data: ReportData) -> tuple[str, str, str]:
    n_stress = sum(name == "stress" for _, _, name in data.labels)
    note = f"{n_stress} of stress" if data.labels else ""
    return "Labels by the wearer", str(len(data.labels)), note


# What the ledger tells of besides learning jobs: rest of a day, a reference that follows.
_NO_JOB = ("done", "not taken")


def _learned_card(data: ReportData) -> tuple[str, str, str]:
    jobs = [entry for entry in data.ledger if entry.decision not in _NO_JOB]
    if not jobs:
        return "Last update", "none", "model as shipped"
    last = max(jobs, key=lambda entry: entry.t_utc)
    return "Last update", last.decision, last.what


def _gait_card(data: ReportData) -> tuple[str, str, str]:
    if data.gait is None or not math.isfinite(data.gait.threshold):
        return "Gait recognised", "–", "no walk was scored"
    known = finite(data.gait.wearer)
    values = known if known.size else finite(data.gait.unknown)
    if not values.size:
        return "Gait recognised", "–", "the wearer was not seen walking"
    share = float(np.mean(values >= data.gait.threshold + data.gait.margin))
    if known.size:
        note = "of the wearer's walking"
        others = finite(data.gait.others)
        if others.size:
            wrong = float(np.mean(others >= data.gait.threshold + data.gait.margin))
            note += f", and {print_share(wrong)} of others'"
        return "Gait recognised", print_share(share), note
    return "Gait: taken for the wearer", print_share(share), "of walking; not checked"


def _sent_card(data: ReportData) -> tuple[str, str, str]:
    if data.privacy is None:
        return "Left this host", "not known", ""
    total = sum(item.n_bytes for item in data.privacy.sent)
    if data.privacy.sent:
        return "Left this host", f"{total:,} B".replace(",", "\u202f"), "see below"
    return (
        "Left this host",
        "nothing",
        "evidence below" if data.privacy.evidence else "no evidence collected",
    )


def _section(section: _Section, data: ReportData) -> Markup:
    name, heading, saying, build, empty = section
    saying = data.section_notes.get(name, saying)
    content = build(data)
    if content is None:
        saying, content = "", sentence(data.empty_reasons.get(name) or empty)
    kind = f"seal {accounts.verdict(data.privacy)[1]}".strip() if name == "privacy" else None
    return element(
        "section",
        element("h2", heading, id=f"{name}-heading"),
        element("p", saying, class_="say") if saying else None,
        content,
        id=name,
        aria_labelledby=f"{name}-heading",
        class_=kind,
    )


def _footer(data: ReportData) -> Markup:
    made = [f"by {data.made_by}"] if data.made_by else []
    if data.made_utc is not None:
        made.append(f"on {local(data.made_utc, data.tz_offset_s):%Y-%m-%d %H:%M}")
    return element(
        "footer",
        element("p", f"Made {' '.join(made)}.") if made else None,
        element(
            "p",
            "This file is personal data in plain text; the vault's encryption does not cover it. "
            "It loads nothing and sends nothing when opened. Not a medical device.",
        ),
    )
