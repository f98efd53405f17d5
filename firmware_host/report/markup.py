"""Elements as text. Plain strings are escaped by construction; only `Markup` passes as it is.

The result is well-formed XML and valid HTML5 at once, so a strict parser can check a whole page.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterable

_VOID = frozenset({"meta", "br", "hr", "rect", "line", "path", "circle", "col"})
_ESCAPES = {
    ord("&"): "&amp;",
    ord("<"): "&lt;",
    ord(">"): "&gt;",
    ord('"'): "&quot;",
    ord("'"): "&#39;",
}
# Long enough for a sentence, short enough that a hostile label cannot blow up the page.
_MAX_TEXT_CHARS = 400


class Markup(str):
    """Text that is already markup."""

    __slots__ = ()


Child = Markup | str | None


def escape(text: str) -> Markup:
    """Text made harmless.

    Specials are escaped; control, direction-turning and lone surrogate characters show as U+FFFD.
    """
    if not text.isprintable():
        text = "".join(_visible(character) for character in text)
    return Markup(text.translate(_ESCAPES))


def _visible(character: str) -> str:
    if character in "\t\n\r":
        return " "
    # Cc control, Cf format (bidi overrides), Cs lone surrogate, Cn/Co not a character.
    return (
        "\ufffd" if unicodedata.category(character) in {"Cc", "Cf", "Cs", "Cn", "Co"} else character
    )


def number(value: float) -> str:
    """A coordinate with at most one decimal, without trailing zeros.

    Raises
    ------
    ValueError
        For NaN or infinity: a coordinate must be decided before it is drawn.
    """
    if not math.isfinite(value):
        raise ValueError(f"coordinate: a finite number expected, got {value!r}")
    text = f"{value:.1f}"
    text = text[:-2] if text.endswith(".0") else text
    return "0" if text == "-0" else text


def element(tag: str, /, *children: Child, **attributes: str | float | None) -> Markup:
    """One element; attributes that are None are left out.

    `class_` stands for `class`; underscores become hyphens.
    """
    head = "".join(
        f' {_attribute_name(key)}="{_attribute_value(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    body = join(children)
    if not body and tag in _VOID:
        return Markup(f"<{tag}{head}/>")
    return Markup(f"<{tag}{head}>{body}</{tag}>")


def join(children: Iterable[Child]) -> Markup:
    """Children one after the other, plain strings escaped."""
    return Markup(
        "".join(
            child if isinstance(child, Markup) else escape(_shortened(child))
            for child in children
            if child is not None
        )
    )


def _shortened(text: str) -> str:
    return text if len(text) <= _MAX_TEXT_CHARS else f"{text[: _MAX_TEXT_CHARS - 1]}…"


def _attribute_name(key: str) -> str:
    # viewBox and the like are case sensitive and have no hyphen.
    return key.rstrip("_").replace("_", "-")


def _attribute_value(value: str | float) -> str:
    return escape(value) if isinstance(value, str) else number(value)
