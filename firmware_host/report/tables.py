"""Tables: the numbers beside every picture, and the counts behind them."""

from __future__ import annotations

from collections.abc import Sequence

from firmware_host.report.markup import Markup, element, join
from firmware_host.report.scales import print_count

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
    return element(
        "div",
        element(
            "table",
            element("caption", caption),
            element("thead", head),
            element("tbody", body),
        ),
        element("p", f"{print_count(cut)} more rows are not printed.", class_="say")
        if cut > 0
        else None,
        class_="scroll",
        # Keyboards must reach what a narrow screen hides.
        tabindex="0",
        role="region",
        aria_label=caption,
    )


def _row(row: Sequence[Cell], kinds: Sequence[str]) -> Markup:
    first = element("th", row[0], scope="row", class_=kinds[0] or None)
    rest = [
        element("td", cell, class_=kind or None)
        for cell, kind in zip(row[1:], kinds[1:], strict=True)
    ]
    return element("tr", first, *rest)


def code(words: str) -> Markup:
    """A hash or a name as it is."""
    return element("code", words)


def mark(words: str, kind: str = "") -> Markup:
    """A verdict; `kind` is good, bad or empty. The words carry the meaning."""
    return element("span", words, class_=f"mark {kind}".strip())


def sentence(words: str) -> Markup:
    """The line that stands in for a section without data."""
    return element("p", words, class_="empty")
