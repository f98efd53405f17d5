"""The picture of what is wired to a board, from the same table that makes the board's own settings.

One column of rows: the board at the left has a pin beside each part that needs one, four rails in
between carry power, ground and the bus. A wire that ends on a rail has a dot there.
"""

from __future__ import annotations

from collections.abc import Iterator

from firmware_host.errors import ConfigError
from firmware_host.flash.parts_drawn import BOX_X
from firmware_host.flash.sheet import SMALL_PX, TITLE_PX, Sheet
from firmware_host.flash.values import Board, Pin
from firmware_host.flash.wired import Row, Tap, rows_of

WIDTH = 1100.0
_BOARD_X, _BOARD_RIGHT, _BOARD_Y = 24.0, 316.0, 64.0
RAILS_X = {"v33": 366.0, "gnd": 414.0, "sda": 462.0, "scl": 510.0}
_RAIL_NAMES = {"v33": "3.3 V", "gnd": "GND", "sda": "SDA", "scl": "SCL"}
_FIRST_ROW_Y, _GAP = 216.0, 16.0
_LINE = 19.0
# As many characters of a board's name as the title has room for.
_MAX_NAME = 60


def wiring_svg(board: Board) -> str:
    """The picture as SVG.

    Raises
    ------
    ConfigError
        If nothing is wired to this board.
    """
    rows = list(rows_of(board))
    if not rows:
        raise ConfigError("--board", "a board that something is wired to", board.key)
    sheet = Sheet(WIDTH)
    sheet.text(_BOARD_X, 34, f"Wiring: {_short(board.name)}", px=20, bold=True)
    inside = list(_inside_lines(board))
    top = max(_FIRST_ROW_Y, _BOARD_Y + 64 + _LINE * len(inside))
    bottom = top + sum(row.height + _GAP for row in rows) - _GAP
    sheet.box(_BOARD_X, _BOARD_Y, _BOARD_RIGHT - _BOARD_X, bottom - _BOARD_Y + 12)
    _draw_head(sheet, board, inside)
    _draw_rows(sheet, board, rows, top)
    _draw_notes(sheet, bottom + 42)
    words = ", ".join(sorted({tap.job for row in rows for tap in row.taps if tap.job}))
    return sheet.svg(bottom + 104, f"Wiring of {board.name}", f"Pins of the board for {words}.")


def pin_words(board: Board, pin: Pin) -> tuple[str, str]:
    """A pin as the maker calls it, and as MicroPython does; the first is empty if nobody told."""
    number = pin if isinstance(pin, str) and pin.startswith("channel") else f"Pin({pin!r})"
    return board.labels.get(str(pin), ""), str(number).replace("'", '"')


def _inside_lines(board: Board) -> Iterator[str]:
    """What is on the board as it comes, below a line that says so; then what it can have besides."""
    there = []
    for bus in board.buses:
        if bus.inside:
            scl, sda = (pin_words(board, pin)[1] for pin in (bus.scl, bus.sda))
            there.append(f"{', '.join(board.onboard)}: SCL {scl}, SDA {sda}")
    for part in board.inside:
        words = ", ".join(filter(None, pin_words(board, board.pins[part])))
        there.append(f"{'LED' if part == 'led' else part}: {words}")
    if there:
        yield "on the board, no wire needed:"
        yield from there
    if "led" in board.pins and "led" not in board.inside:
        words = ", ".join(filter(None, pin_words(board, board.pins["led"])))
        yield f"LED, if you add one: {words}"


def _draw_head(sheet: Sheet, board: Board, lines: list[str]) -> None:
    x, y = _BOARD_X + 14, _BOARD_Y + 26
    sheet.text(x, y, board.chip.name, px=TITLE_PX, bold=True)
    sheet.text(_BOARD_RIGHT - 14, y, "USB to the host", kind="faint", anchor="end", px=SMALL_PX)
    for i, line in enumerate(lines):
        sheet.text(x, y + 26 + _LINE * i, line, px=SMALL_PX)


def _draw_rows(sheet: Sheet, board: Board, rows: list[Row], top: float) -> None:
    """Parts, their wires to rails and to the board, and then the rails themselves."""
    reach: dict[str, list[float]] = {}
    y = top
    for row in rows:
        sheet.box(BOX_X, y, WIDTH - 24 - BOX_X, row.height)
        row.draw(sheet, y)
        for tap in row.taps:
            _draw_tap(sheet, board, tap, y + tap.y)
            if tap.kind in RAILS_X and not _is_direct(tap):
                reach.setdefault(tap.kind, []).append(y + tap.y)
        y += row.height + _GAP
    _draw_rails(sheet, reach, top)


def _is_direct(tap: Tap) -> bool:
    """Whether it goes straight to a pin of its own, past the rails."""
    return tap.pin is not None and tap.job not in ("SDA", "SCL")


def _draw_tap(sheet: Sheet, board: Board, tap: Tap, y: float) -> None:
    comes_from_board = bool(tap.job)
    start = _BOARD_RIGHT if comes_from_board else RAILS_X[tap.kind]
    sheet.wire(tap.kind, (start, y), (BOX_X, y))
    sheet.joint(tap.kind, BOX_X, y)
    if not _is_direct(tap):
        sheet.joint(tap.kind, RAILS_X[tap.kind], y)
    if tap.name:
        sheet.text(BOX_X + 12, y + 4.5, tap.name, bold=True)
    if not comes_from_board:
        return
    sheet.joint(tap.kind, _BOARD_RIGHT, y)
    label, number = _board_words(board, tap)
    sheet.text(_BOARD_RIGHT - 12, y + 4.5, label or number, anchor="end", bold=True)
    left = f"{tap.job} · {number}" if label and number else tap.job
    sheet.text(_BOARD_X + 14, y + 4.5, left, kind="faint", px=SMALL_PX)


def _board_words(board: Board, tap: Tap) -> tuple[str, str]:
    if tap.pin is None:
        return board.labels.get({"v33": "3v3", "gnd": "gnd"}[tap.kind], _RAIL_NAMES[tap.kind]), ""
    return pin_words(board, tap.pin)


def _draw_rails(sheet: Sheet, reach: dict[str, list[float]], top: float) -> None:
    pull_up_y = top - 92
    has_bus = "sda" in reach
    for kind, ys in reach.items():
        x = RAILS_X[kind]
        start = pull_up_y if kind == "v33" else top - 44
        sheet.wire(kind, (x, start), (x, max(ys)))
        beside = kind != "v33"
        at = (x - 8, top - 30) if beside else (x, start - 8)
        anchor = "end" if beside else "middle"
        sheet.text(*at, _RAIL_NAMES[kind], kind=kind, anchor=anchor, bold=True)
    if has_bus:
        _draw_pull_ups(sheet, pull_up_y)


def _draw_pull_ups(sheet: Sheet, y: float) -> None:
    sda, scl = RAILS_X["sda"], RAILS_X["scl"]
    sheet.wire("v33", (RAILS_X["v33"], y), (scl, y), (scl, y + 10))
    sheet.wire("v33", (sda, y), (sda, y + 10))
    sheet.joint("v33", sda, y)
    for kind, x in (("sda", sda), ("scl", scl)):
        sheet.resistor(kind, x, y + 24, upright=True)
        sheet.wire(kind, (x, y + 38), (x, y + 48))
    sheet.text(scl + 18, y + 20, "2 pull-ups of 4.7 kΩ", bold=True)
    sheet.text(
        scl + 18, y + 37, "unless a breakout has its own: most do", kind="faint", px=SMALL_PX
    )


def _short(name: str) -> str:
    return name if len(name) <= _MAX_NAME else f"{name[: _MAX_NAME - 1]}…"


def _draw_notes(sheet: Sheet, y: float) -> None:
    lines = (
        "A dot joins wires; wires that cross without one do not touch. All parts run on 3.3 V; no pin stands more.",
        "Bold: the maker's name of a pin. Pin(...): the same pin for MicroPython. A part that is left out is no fault.",
        "Drawn by signet board wiring from the board's TOML file; draw it again when that changes.",
    )
    for i, line in enumerate(lines):
        sheet.text(_BOARD_X, y + i * _LINE, line, kind="faint", px=SMALL_PX)
