"""What every picture shares: two widths, title and description, shapes, text that fits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from firmware_host.report.markup import Child, Markup, element, join, number
from firmware_host.report.model import FloatArray
from firmware_host.report.scales import Linear

# One drawing for desks and paper, one for phones, where a scaled-down wide one could not be read.
WIDE_PX, NARROW_PX = 1000, 400
# The narrower place beside a table, drawn at its own size so that text is not blown up.
HALF_PX = 560
# Mean advance of the interface font at 12 px, on the safe side.
_PX_PER_CHARACTER = 6.6


@dataclass(frozen=True, slots=True)
class Variant:
    """One of the two drawings of a figure: width in pixels, and a prefix that keeps ids apart."""

    width_px: int
    prefix: str

    @property
    def is_narrow(self) -> bool:
        """Whether this is the drawing for phones."""
        return self.width_px <= NARROW_PX


Drawing = tuple[float, Markup]


def figure(
    name: str,
    title: str,
    description: str,
    draw: Callable[[Variant], Drawing],
    *,
    wide_px: int = WIDE_PX,
    caption: str = "",
    keys: Sequence[Markup] = (),
) -> Markup:
    """A figure in both widths; `draw` gives (height_px, shapes) for each."""
    wide = _svg(name, "wide", wide_px, title, description, draw)
    narrow = _svg(name, "narrow", NARROW_PX, title, description, draw)
    key_list = element("ul", *(element("li", key) for key in keys), class_="key") if keys else None
    return element(
        "figure", wide, narrow, key_list, element("figcaption", caption) if caption else None
    )


def _svg(
    name: str,
    kind: str,
    width_px: int,
    title: str,
    description: str,
    draw: Callable[[Variant], Drawing],
) -> Markup:
    prefix = f"{name}-{kind}"
    height_px, shapes = draw(Variant(width_px, prefix))
    return element(
        "svg",
        element("title", title, id=f"{prefix}-t"),
        element("desc", description, id=f"{prefix}-d"),
        element("defs", hatch(prefix)),
        shapes,
        viewBox=f"0 0 {width_px} {number(height_px)}",
        class_=kind,
        role="img",
        aria_labelledby=f"{prefix}-t {prefix}-d",
    )


def hatch(prefix: str) -> Markup:
    """The pattern of "no data", under an id of its own per drawing."""
    return element(
        "pattern",
        element("path", d="M-1 1L1 -1M0 6L6 0M5 7L7 5", class_="hatchline"),
        id=f"{prefix}-h",
        width=6,
        height=6,
        patternUnits="userSpaceOnUse",
    )


def swatch(shape: Markup, words: str) -> Markup:
    """One entry of a key: a 26 x 12 drawing and its words."""
    return join([element("svg", shape, viewBox="0 0 26 12", aria_hidden="true"), words])


def hatch_swatch(prefix: str, words: str) -> Markup:
    """Key entry of the "no data" pattern."""
    shape = join(
        [
            element("defs", hatch(prefix)),
            element("rect", x=0, y=0, width=26, height=12, fill=f"url(#{prefix}-h)"),
        ]
    )
    return swatch(shape, words)


def group(*children: Child, y: float) -> Markup:
    """Children moved down."""
    return element("g", *children, transform=f"translate(0 {number(y)})")


def text(x: float, y: float, words: str, kind: str = "") -> Markup:
    """Words at a base line; `kind` is one of the style sheet's text classes."""
    return element("text", words, x=x, y=y, class_=kind or None)


def line(x1: float, y1: float, x2: float, y2: float, kind: str) -> Markup:
    """A straight line."""
    return element("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=kind)


def box(
    x: float,
    y: float,
    width: float,
    height: float,
    kind: str,
    *,
    tip: str = "",
    round_px: float = 0,
) -> Markup:
    """A rectangle at least half a pixel wide, with a tool tip."""
    return element(
        "rect",
        element("title", tip) if tip else None,
        x=x,
        y=y,
        width=max(width, 0.5),
        height=max(height, 0.5),
        rx=round_px or None,
        class_=kind,
    )


def diamond(x: float, y: float, radius_px: float, kind: str, tip: str = "") -> Markup:
    """A diamond, for instants and controls."""
    r = number(radius_px)
    path = f"M{number(x)} {number(y - radius_px)}l{r} {r}l-{r} {r}l-{r} -{r}z"
    return element("path", element("title", tip) if tip else None, d=path, class_=kind)


def points(x: FloatArray, y: FloatArray) -> str:
    """Path data of a line through points; all must be finite."""
    pairs = zip(np.asarray(x).tolist(), np.asarray(y).tolist(), strict=True)
    return "M" + "L".join(f"{number(a)} {number(b)}" for a, b in pairs)


def fit(words: str, width_px: float) -> str:
    """Words cut to a width, with an ellipsis; empty when not even four letters fit."""
    n = int(width_px / _PX_PER_CHARACTER)
    if len(words) <= n:
        return words
    return words[: n - 1] + "…" if n >= 4 else ""


def text_width_px(words: str) -> float:
    """Width to keep free for words at 12 px."""
    return len(words) * _PX_PER_CHARACTER


def value_grid(
    scale: Linear, ticks: Sequence[float], labels: Sequence[str], left: float, right: float
) -> Markup:
    """Horizontal grid lines with their values in the left gutter."""
    return join(
        join([line(left, y, right, y, "grid"), text(left - 7, y + 4, label, "e r")])
        for y, label in ((scale(tick), label) for tick, label in zip(ticks, labels, strict=True))
    )
