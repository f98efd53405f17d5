"""A sheet of wires, boxes and words that becomes an SVG: text as text, readable by day and by night."""

from __future__ import annotations

from xml.etree import ElementTree

from firmware_host.errors import printable

Point = tuple[float, float]

FONT_PX = 13.0
SMALL_PX = 12.0
TITLE_PX = 15.0
# Colours by day and by night. What each stands for is written beside it as well.
_COLOURS = {
    "paper": ("#ffffff", "#16181d"),
    "panel": ("#f3f5f8", "#22262e"),
    "ink": ("#1c2128", "#e6e9ee"),
    "faint": ("#57606a", "#a4adb8"),
    "v33": ("#c4281b", "#ff7b6b"),
    "gnd": ("#1c2128", "#e6e9ee"),
    "sda": ("#0b63c5", "#6cb2ff"),
    "scl": ("#8a5a00", "#f0b23e"),
    "signal": ("#1a7f37", "#56d364"),
    "analogue": ("#8250df", "#c297ff"),
    "warn": ("#9a3412", "#ffa657"),
}
_FILLED = ("paper", "panel")
_EDGE = "faint"
_SHAPES = "polyline,.part{fill:none;stroke-width:2}.panel{stroke-width:1.2}"


class Sheet:
    """What was drawn so far; coordinates in pixels, y downwards."""

    def __init__(self, width: float) -> None:
        self._width = width
        self._shapes: list[ElementTree.Element] = []

    def box(self, x: float, y: float, width: float, height: float) -> None:
        """A part's outline."""
        self._add("rect", "panel", x=x, y=y, width=width, height=height, rx=8)

    def wire(self, kind: str, *points: Point) -> None:
        """A wire through points."""
        listed = " ".join(f"{x:g},{y:g}" for x, y in points)
        self._add("polyline", kind, points=listed)

    def joint(self, kind: str, x: float, y: float) -> None:
        """Wires that touch here, or the end of one at a part."""
        self._add("circle", f"{kind} full", cx=x, cy=y, r=4)

    def ring(self, kind: str, x: float, y: float, radius: float) -> None:
        """A round part."""
        self._add("circle", f"{kind} part", cx=x, cy=y, r=radius)

    def resistor(self, kind: str, x: float, y: float, *, upright: bool) -> None:
        """A resistor with its middle here; wires end at its short sides, 14 px away."""
        width, height = (12, 28) if upright else (28, 12)
        self._add(
            "rect", f"{kind} part", x=x - width / 2, y=y - height / 2, width=width, height=height
        )

    def triangle(self, kind: str, *points: Point, full: bool = True) -> None:
        """An arrow head, a diode's body or a warning sign."""
        listed = " ".join(f"{x:g},{y:g}" for x, y in points)
        self._add("polygon", f"{kind} {'full' if full else 'part'}", points=listed)

    def text(
        self,
        x: float,
        y: float,
        words: str,
        *,
        kind: str = "ink",
        anchor: str = "start",
        px: float = FONT_PX,
        bold: bool = False,
    ) -> None:
        """One line of words; ``y`` is the line they stand on."""
        options = {"text-anchor": anchor, "font-size": f"{px:g}"}
        if bold:
            options["font-weight"] = "bold"
        shape = self._add("text", kind, x=x, y=y, **options)
        # A name may come from a stranger's file.
        shape.text = printable(words)

    def svg(self, height: float, title: str, description: str) -> str:
        """The whole picture."""
        root = ElementTree.Element(
            "svg",
            xmlns="http://www.w3.org/2000/svg",
            viewBox=f"0 0 {self._width:g} {height:g}",
            width=f"{self._width:g}",
            height=f"{height:g}",
            role="img",
        )
        root.set("font-family", "sans-serif")
        for tag, words in (("title", title), ("desc", description), ("style", _style())):
            ElementTree.SubElement(root, tag).text = printable(words) if tag != "style" else words
        paper = {"class": "paper", "width": f"{self._width:g}", "height": f"{height:g}"}
        ElementTree.SubElement(root, "rect", paper)
        root.extend(self._shapes)
        ElementTree.indent(root)
        return ElementTree.tostring(root, encoding="unicode") + "\n"

    def _add(self, tag: str, kind: str, **attributes: float | str) -> ElementTree.Element:
        told = {
            key: value if isinstance(value, str) else f"{value:g}"
            for key, value in attributes.items()
        }
        shape = ElementTree.Element(tag, {"class": kind, **told})
        self._shapes.append(shape)
        return shape


def _style() -> str:
    day, night = (
        "".join(_rules(name, colours[i]) for name, colours in _COLOURS.items()) for i in (0, 1)
    )
    return f"{_SHAPES}{day}@media(prefers-color-scheme:dark){{{night}}}"


def _rules(name: str, colour: str) -> str:
    if name in _FILLED:
        return f".{name}{{fill:{colour}}}"
    edge = f".panel{{stroke:{colour}}}" if name == _EDGE else ""
    lines = f"polyline.{name},.{name}.part{{stroke:{colour}}}"
    return f"{lines}text.{name},.{name}.full{{fill:{colour}}}{edge}"
