"""Tables: the numbers beside every picture, and the counts behind them."""

from __future__ import annotations

import math
from collections.abc import Sequence

from firmware_host.report.markup import Markup, element, join
from firmware_host.report.scales import print_count, print_share

Cell = Markup | str
# Longer tables are cut, and say so: a page must stay a page.
MAX_ROWS = 200


def table(
    caption: str, heads: Sequence[str], rows: Sequence[Sequence[Cell]], *, kinds: Sequence[str] = ()
) -> Markup:
    """A table whose first column names its row.

    Parameters
    ----------
    kinds
        Class of each column: "n" numbers, "words" long text, "t" no wrapping, "" plain.
    """
    kinds = [*kinds, *[""] * (len(heads) - len(kinds))]
    head = element(
        "tr",
        *(
            element("th", h, scope="col", class_=k or None)
            for h, k in zip(heads, kinds, strict=True)
        ),
    )
    body = join(_row(row, kinds) for row in rows[:MAX_ROWS])
    cut = len(rows) - MAX_ROWS
    more = f"{print_count(cut)} more rows are not printed."
    note = element("p", more, class_="say") if cut > 0 else None
    return _scrolled(caption, _framed(caption, head, body), note)


def _framed(caption: str, head: Markup, body: Markup, *, kind: str | None = None) -> Markup:
    return element(
        "table",
        element("caption", caption),
        element("thead", head),
        element("tbody", body),
        class_=kind,
    )


def _scrolled(caption: str, *children: Markup | None) -> Markup:
    """A part that scrolls sideways; keyboards must reach what a narrow screen hides."""
    return element(
        "div", *children, class_="scroll", tabindex="0", role="region", aria_label=caption
    )


def _row(row: Sequence[Cell], kinds: Sequence[str]) -> Markup:
    first = element("th", row[0], scope="row", class_=kinds[0] or None)
    rest = [
        element("td", cell, class_=kind or None)
        for cell, kind in zip(row[1:], kinds[1:], strict=True)
    ]
    return element("tr", first, *rest)


def heat_table(
    caption: str, heads: Sequence[str], rows: Sequence[tuple[str, Sequence[int]]]
) -> Markup:
    """Counts by truth (a row) and decision (a column): share of the row, tinted, count below."""
    corner = element("td", "", class_="x")
    head = element("tr", corner, *(element("th", name, scope="col") for name in heads))
    body = [
        element("tr", element("th", name, scope="row"), *_heat_cells(name, heads, counts))
        for name, counts in rows
    ]
    return _scrolled(caption, _framed(caption, head, join(body), kind="heat"))


def _heat_cells(truth: str, heads: Sequence[str], counts: Sequence[int]) -> list[Markup]:
    total = sum(counts)
    return [
        element(
            "td",
            print_share(count / total if total else math.nan),
            element("small", print_count(count)),
            class_="hit" if head == truth else None,
            style=_tint(count, total) if total else None,
        )
        for head, count in zip(heads, counts, strict=True)
    ]


def _tint(count: int, total: int) -> str:
    return f"background:color-mix(in srgb,var(--ink) {round(35 * count / total)}%,var(--card))"


def code(words: str) -> Markup:
    """A hash or a name as it is."""
    return element("code", words)


def mark(words: str, kind: str = "") -> Markup:
    """A verdict; `kind` is good, bad or empty. The words carry the meaning."""
    return element("span", words, class_=f"mark {kind}".strip())


def sentence(words: str) -> Markup:
    """The line that stands in for a section without data."""
    return element("p", words, class_="empty")
