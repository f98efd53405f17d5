"""The head of every page we write, and what a page may load: nothing."""

from __future__ import annotations

from firmware_host.report.markup import Markup, element
from firmware_host.report.style import STYLE_SHEET

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


def document_head(title: str, *, rules: str = "") -> Markup:
    """The <head> of a self-contained page; `rules` is CSS of its own, written by us."""
    return element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("meta", name="referrer", content="no-referrer"),
        element("title", title),
        # Ours alone, nothing of the data goes into it: no escaping needed inside <style>.
        element("style", Markup(STYLE_SHEET + rules)),
    )
