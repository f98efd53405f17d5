"""One self-contained page: title, caveats, cards, sections. No script, nothing fetched."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from firmware_host.report.document import document_head
from firmware_host.report.markup import Markup, element, join
from firmware_host.report.tables import sentence

# What the host's page has no need of: warnings, thin lines of many people, figures of half width.
_RULES = (
    ".warn{border-left:5px solid var(--bad)}.warn li{margin:5px 0}"
    ".thin{fill:none;stroke:var(--generic);stroke-width:1;opacity:.45;stroke-linejoin:round}"
    ".c-third{fill:none;stroke:var(--moving);stroke-width:2;stroke-dasharray:7 3}"
    ".flag.pale{opacity:.55}"
    "@media print{.warn{padding-left:12px}}"
    ".clock{stroke:var(--bad);stroke-width:1.4;stroke-dasharray:2 3;fill:none}"
)


@dataclass(frozen=True, slots=True)
class Section:
    """One part of the page; without content, `empty` says why."""

    name: str
    heading: str
    content: Markup | None
    saying: str = ""
    empty: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    """Everything that is printed; `facts` (name, value), `cards` (name, value, note)."""

    title: str
    lead: str
    facts: Sequence[tuple[str, str]]
    caveats: Sequence[str]
    cards: Sequence[tuple[str, str, str]]
    sections: Sequence[Section]


def render(page: Page) -> str:
    """One HTML document; the same page gives the same text."""
    head = document_head(f"{page.title} · Signet evaluation", rules=_RULES)
    main = element(
        "main",
        _header(page),
        _cards(page.cards),
        _caveats(page.caveats),
        *(_section(section) for section in page.sections),
        element("footer", element("p", "Loads nothing, sends nothing. Not a medical device.")),
    )
    return f"<!DOCTYPE html>\n{element('html', head, element('body', main), lang='en')}\n"


def _header(page: Page) -> Markup:
    facts = (
        element("div", element("dt", name), element("dd", value)) for name, value in page.facts
    )
    links = (element("a", s.heading, href=f"#{s.name}") for s in page.sections)
    return element(
        "header",
        element("p", "Signet evaluation", class_="eyebrow"),
        element("h1", page.title),
        element("p", page.lead, class_="lead"),
        element("dl", *facts, class_="facts"),
        element("nav", *links, aria_label="Sections"),
    )


def _cards(cards: Sequence[tuple[str, str, str]]) -> Markup:
    each = (
        element(
            "div",
            element("dt", name),
            element("dd", value, element("small", note) if note else None),
        )
        for name, value, note in cards
    )
    return element("dl", *each, class_="cards")


def _caveats(caveats: Sequence[str]) -> Markup | None:
    if not caveats:
        return None
    return element(
        "section",
        element("h2", "Read this first", id="caveats-heading"),
        element("ul", *(element("li", words) for words in caveats)),
        class_="warn",
        aria_labelledby="caveats-heading",
    )


def _section(section: Section) -> Markup:
    body = section.content if section.content is not None else sentence(section.empty)
    saying = section.saying if section.content is not None else ""
    return element(
        "section",
        element("h2", section.heading, id=f"{section.name}-heading"),
        element("p", saying, class_="say") if saying else None,
        body,
        id=section.name,
        aria_labelledby=f"{section.name}-heading",
    )


def side_by_side(*children: Markup | None) -> Markup:
    """Two things in one row on a desk, under one another on a phone."""
    return element("div", *(element("div", child) for child in children if child), class_="half")


def stacked(*children: Markup | None) -> Markup:
    """One under another."""
    return join(children)
