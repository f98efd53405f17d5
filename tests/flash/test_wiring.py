"""The wiring picture says what the boards table says, and can be read."""

from __future__ import annotations

import itertools
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from firmware_host.errors import BoardFileError, ConfigError
from firmware_host.flash.app_files import SENSORS, config_bytes
from firmware_host.flash.boards import FOLDER, load_board, load_boards, read_board
from firmware_host.flash.parts_drawn import BOX_X
from firmware_host.flash.wired import addresses_of
from firmware_host.flash.wiring import RAILS_X, pin_words, wiring_svg

REPO = Path(__file__).resolve().parents[2]
SVG = "{http://www.w3.org/2000/svg}"
# What comes with nothing to wire says so instead.
WIRED = sorted(key for key, board in load_boards().items() if board.wired)
IN_DOCS = {path.stem.removeprefix("wiring-"): path for path in REPO.glob("docs/wiring-*.svg")}
# Advance of a character of a generic sans-serif font, in shares of its size: on the wide side.
ADVANCE, ADVANCE_BOLD = 0.58, 0.68
BATTERY = """
[battery]
pin = 2
ratio = 2.0
empty_v = 3.3
full_v = 4.15
reference_v = 3.1
[pins]"""

Box = tuple[float, float, float, float]


def with_everything(tmp_path: Path) -> Path:
    """A board of one's own: a divided battery, a second bus, no names of pins, one name of a stranger."""
    text = (FOLDER / "xiao-esp32-s3.toml").read_text().partition("[labels]")[0]
    text = text.replace("[pins]", BATTERY).replace('inside = ["button", "led"]', "")
    text = text.replace("[eda]", "[[i2c]]\nid = 1\nscl = 8\nsda = 7\nhz = 100_000\n[eda]")
    file = tmp_path / "mine.toml"
    file.write_text(text.replace("Seeed Studio XIAO ESP32-S3", "A <b> & 'c'"))
    return file


@pytest.fixture(params=[*WIRED, "everything"])
def drawn(request, tmp_path):
    """(board, root of its picture)."""
    key = request.param
    board = read_board(with_everything(tmp_path)) if key == "everything" else load_board(key)
    return board, ElementTree.fromstring(wiring_svg(board))


def words(root: ElementTree.Element) -> list[str]:
    return [text.text or "" for text in root.iter(f"{SVG}text")]


def extent(text: ElementTree.Element) -> Box:
    """Left, top, right, bottom of a line of words, in pixels."""
    px, x, y = (float(text.get(key, "nan")) for key in ("font-size", "x", "y"))
    advance = ADVANCE_BOLD if text.get("font-weight") else ADVANCE
    width = advance * px * len(text.text or "")
    left = x - {"start": 0.0, "middle": width / 2, "end": width}[text.get("text-anchor", "")]
    return left, y - 0.75 * px, left + width, y + 0.22 * px


def _segments(line: ElementTree.Element) -> list[Box]:
    points = [tuple(map(float, pair.split(","))) for pair in line.get("points", "").split()]
    return [(x0, y0, x1, y1) for (x0, y0), (x1, y1) in itertools.pairwise(points)]


def segments(root: ElementTree.Element) -> list[Box]:
    return [
        (min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1))
        for line in root.iter(f"{SVG}polyline")
        for x0, y0, x1, y1 in _segments(line)
    ]


def meet(a: Box, b: Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def test_every_pin_and_address_of_the_table_is_written(drawn) -> None:
    board, root = drawn
    said = "\n".join(words(root))
    pins = [pin for bus in board.buses for pin in (bus.scl, bus.sda)]
    pins += [*board.pins.values(), *([board.eda.pin] if board.eda else [])]
    pins += [board.battery.pin] if board.battery else []
    for pin in pins:
        label, number = pin_words(board, pin)
        assert number in said
        assert label in said
    for names, gives in SENSORS.items():
        for driver in names.split("|") if gives & set(board.wired) else ():
            for address in addresses_of(driver):
                assert f"0x{address:02X}" in said
    if board.eda is not None:
        assert f"full scale at {board.eda.full_scale_usiemens:g} µS" in said
        assert f"up to {board.eda.full_scale_usiemens / 2:g} µA go through the skin" in said
    assert ("a pin cannot drive a motor" in said) == ("haptic" in board.pins)


def test_words_neither_overlap_nor_leave_the_sheet_nor_lie_on_a_wire(drawn) -> None:
    _board, root = drawn
    width, height = map(float, root.get("viewBox", "").split()[2:])
    texts = [(text.text, extent(text)) for text in root.iter(f"{SVG}text")]
    for said, box in texts:
        assert box[0] >= 0, said
        assert box[1] >= 0, said
        assert box[2] <= width, said
        assert box[3] <= height, said
    for (said, box), (other, its) in itertools.combinations(texts, 2):
        assert not meet(box, its), (said, other)
    for wire in segments(root):
        for said, box in texts:
            assert not meet(wire, box), (said, wire)


def test_words_lie_inside_one_box_or_outside_all(drawn) -> None:
    _board, root = drawn
    boxes = []
    for rect in root.iter(f"{SVG}rect"):
        if rect.get("class") == "panel":
            x, y, width, height = (float(rect.get(k, "")) for k in ("x", "y", "width", "height"))
            boxes.append((x, y, x + width, y + height))
    assert len(boxes) > 2
    for text in root.iter(f"{SVG}text"):
        left, top, right, bottom = extent(text)
        for x0, y0, x1, y1 in boxes:
            inside = x0 <= left and right <= x1 and y0 <= top and bottom <= y1
            assert inside or not meet((left, top, right, bottom), (x0, y0, x1, y1)), text.text


def nets(root: ElementTree.Element, kind: str) -> list[set[tuple[float, float]]]:
    """Ends of wires of one kind, by what is joined: at an end, or where a dot is."""
    wires = [_segments(line) for line in root.iter(f"{SVG}polyline") if line.get("class") == kind]
    dots = [
        (float(dot.get("cx", "")), float(dot.get("cy", "")))
        for dot in root.iter(f"{SVG}circle")
        if dot.get("class") == f"{kind} full"
    ]
    found: list[set[tuple[float, float]]] = []
    for wire in wires:
        ends = {point for x0, y0, x1, y1 in wire for point in ((x0, y0), (x1, y1))}
        ends |= {dot for dot in dots if any(_is_on(dot, piece) for piece in wire)}
        touched = [net for net in found if net & ends]
        found = [net for net in found if not net & ends] + [ends.union(*touched)]
    return found


def _is_on(point: tuple[float, float], piece: Box) -> bool:
    (x, y), (x0, y0, x1, y1) = point, piece
    return min(x0, x1) <= x <= max(x0, x1) and min(y0, y1) <= y <= max(y0, y1)


def test_power_ground_and_bus_are_one_wire_each(drawn) -> None:
    board, root = drawn
    n_buses = len([bus for bus in board.buses if not bus.inside])
    counts = {kind: len(nets(root, kind)) for kind in ("v33", "gnd", "sda", "scl")}
    assert counts == {"v33": 1, "gnd": 1, "sda": n_buses, "scl": n_buses}


def test_each_signal_goes_from_one_pin_of_the_board_to_one_part(drawn) -> None:
    _board, root = drawn
    edge = max(x for net in nets(root, "gnd") for x, _ in net if x < RAILS_X["v33"])
    for kind in ("signal", "analogue"):
        # Electrodes hang on their amplifier, beyond the edge of a part.
        joined = [net for net in nets(root, kind) if any(x <= BOX_X for x, _ in net)]
        assert joined or kind == "analogue"
        for net in joined:
            assert len([x for x, _ in net if x == edge]) == 1
            assert len([x for x, _ in net if x == BOX_X]) == 1


def test_a_strangers_name_is_text(tmp_path: Path) -> None:
    svg = wiring_svg(read_board(with_everything(tmp_path)))
    assert "<b>" not in svg
    assert "A &lt;b&gt; &amp; 'c'" in svg


def test_picture_brings_all_it_needs_and_both_lights() -> None:
    svg = wiring_svg(load_board("pico"))
    for outside in ("href", "url(", "@import", "<script", "<image"):
        assert outside not in svg
    assert "prefers-color-scheme:dark" in svg
    assert 'font-family="sans-serif"' in svg


@pytest.mark.parametrize("key", ["microbit-v2", "virtual"])
def test_board_without_wires_is_refused_in_one_line(key) -> None:
    with pytest.raises(ConfigError, match="expected a board that something is wired to"):
        wiring_svg(load_board(key))


def test_pictures_in_the_docs_are_those_that_are_drawn_now() -> None:
    assert {"xiao-esp32-s3", "pico"} <= set(IN_DOCS)
    for key, path in IN_DOCS.items():
        command = [sys.executable, "-m", "firmware_host", "board", "wiring", "--board", key]
        done = subprocess.run(command, cwd=REPO, capture_output=True, text=True, check=True)
        again = f"signet board wiring --board {key} > {path.relative_to(REPO)}"
        assert done.stdout == path.read_text(), f"draw it again: {again}"


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('5 = "D4"', '5 = ""', "labels.5 as 1 to 16 characters"),
        ('5 = "D4"', "5 = 4", "labels.5 as a string, got 4"),
        ('5 = "D4"', r'5 = "\u001b"', "labels.5 as 1 to 16 characters"),
        ('inside = ["button", "led"]', 'inside = ["eda"]', "pins.inside as a list of button"),
        ('inside = ["button", "led"]', "inside = true", "pins.inside as a list of strings"),
        ("hz = 400_000", "hz = 400_000\ninside = 1", "inside as true or false"),
    ],
)
def test_wrong_words_for_the_picture_are_refused(tmp_path: Path, old, new, says) -> None:
    text = (FOLDER / "xiao-esp32-s3.toml").read_text()
    assert old in text
    file = tmp_path / "mine.toml"
    file.write_text(text.replace(old, new))
    with pytest.raises(BoardFileError, match=says):
        read_board(file)


@pytest.mark.parametrize("key", sorted(load_boards()))
def test_words_for_the_picture_do_not_reach_the_board(key) -> None:
    told = config_bytes(load_board(key))
    assert b"inside" not in told
    assert b"labels" not in told
