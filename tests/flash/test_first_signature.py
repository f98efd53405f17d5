"""What the pages for newcomers say to type is what works, on the virtual board and an empty state."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import pytest

from firmware_host.cli.main import build_parser
from firmware_host.errors import FlashError, LinkError
from firmware_host.flash import esptool
from firmware_host.flash.app_files import MAIN, app_files
from firmware_host.flash.boards import load_board, load_boards
from firmware_host.flash.drives import explain_no_drive
from firmware_host.flash.finding import find_target
from firmware_host.host.ports import PortInfo
from tests.flash.conftest import program

REPO = Path(__file__).resolve().parents[2]
PAGES = ("first-signature.md", "hardware.md", "boards.md")
FIRST = (REPO / "docs" / "first-signature.md").read_text()
# Walking from the first second on: nobody waits for it.
WALK = """
about = "a walk"
start_utc = 2026-05-04T08:00:00Z
[[bout]]
label = "walk"
minutes = 5
"""
# The wearer of the virtual board, at the simulator's own pace: four minutes of sitting still are a second.
SAME_WEARER = "synthetic:?seed=7&scenario=short"
TIMEOUT_S = 100.0


def commands(page: str) -> list[str]:
    """Lines in fenced blocks that call us, without remarks and redirections."""
    blocks = re.findall(r"^```\w*\n(.+?)^```$", page, flags=re.MULTILINE | re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    return [re.split(r"\s+[#>] ", line)[0] for line in lines if line.startswith("signet ")]


ALL = sorted({line for page in PAGES for line in commands((REPO / "docs" / page).read_text())})


@pytest.mark.parametrize("line", ALL)
def test_command_parses(line: str) -> None:
    build_parser().parse_args(shlex.split(line)[1:])


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    folder = REPO / "docs"
    for target in re.findall(r"\]\((?!https?://)([^)]+)\)", (folder / page).read_text()):
        name, _, anchor = target.partition("#")
        path = folder / name if name else folder / page
        assert path.exists(), target
        if anchor:
            heads = re.findall(r"^#+ (.+)$", path.read_text(), flags=re.MULTILINE)
            slugs = [re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-") for head in heads]
            assert anchor in slugs, target


def test_the_way_is_whole() -> None:
    """Each step of the way is on the page, in its order."""
    said = [shlex.split(line) for line in commands(FIRST)]
    verbs = list(dict.fromkeys(words[1] for words in said))
    way = "doctor, board, flash, enrol, run, label, status, explain, learn, report"
    assert ", ".join(verbs) == way


def quoted() -> list[str]:
    table = FIRST.partition("## If something fails")[2].partition("\n\n##")[0]
    cells = re.findall(r"^\| `(.+?)`", table, flags=re.MULTILINE)
    assert len(cells) >= 8
    return cells


def _refused(port: PortInfo | None) -> str:
    boards, pico = load_boards(), load_board("pico")
    with pytest.raises(LinkError) as caught:
        find_target(boards, [port] if port else [], board=pico if port else None, device=None)
    return str(caught.value)


def _port(*, may_open: bool, holders: tuple[str, ...] = ()) -> PortInfo:
    return PortInfo("/dev/ttyACM0", None, "2e8a:0005", None, "RP2040", "dialout", may_open, holders)


def _esptool_failed() -> str:
    def run(*_: object, **__: object) -> str:
        raise FlashError("esptool: Failed to connect to ESP32-S3: No serial data received.")

    stub = SimpleNamespace(run=run)
    image = SimpleNamespace(path=Path("image.bin"))
    board = load_board("xiao-esp32-s3")
    with pytest.raises(FlashError) as caught:
        esptool.write_image(stub, board, "/dev/null", image, say=print, progress=print)
    return str(caught.value)


def test_errors_on_the_page_are_the_products(tmp_path: Path) -> None:
    """Lines made of parts are provoked, the others stand in the sources."""
    said = [
        _refused(None),
        _refused(_port(may_open=False)),
        _refused(_port(may_open=True, holders=("minicom (12)",))),
        _esptool_failed(),
        str(explain_no_drive(load_board("pico").enter, tmp_path)),
        *(path.read_text() for path in (REPO / "firmware_host").rglob("*.py")),
    ]
    for words in quoted():
        assert any(words in text for text in said), words


@dataclass
class Newcomer:
    """Somebody with an empty home and a board at ``port``."""

    home: Path
    port: Path

    def type(self, line: str, *more: object, device: str = "") -> subprocess.CompletedProcess[str]:
        """Run a command of the page as it stands, but for the port."""
        port = device or str(self.port)
        words = [port if word == "auto:" else word for word in shlex.split(line)[1:]]
        done = subprocess.run(
            [sys.executable, "-m", "firmware_host", *words, *map(str, more)],
            cwd=self.home,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
        assert done.returncode == 0, (line, done.stdout, done.stderr)
        return done

    @property
    def _environment(self) -> dict[str, str]:
        folders = {f"XDG_{kind}_HOME": str(self.home / kind) for kind in ("STATE", "CONFIG")}
        machine = {"SIGNET_HOST_ROOT": str(self.home)}
        return {**os.environ, "PYTHONPATH": str(REPO), "NO_COLOR": "1", **folders, **machine}


@pytest.fixture
def newcomer(tmp_path: Path) -> Iterator[Newcomer]:
    program("mpremote")
    walk, flash, link = tmp_path / "walk.toml", tmp_path / "flash", tmp_path / "ttyBoard"
    walk.write_text(WALK)
    # All but the last file is there: that a whole app arrives is another test's business.
    for file in app_files(load_board("virtual")):
        if file.name != MAIN:
            (flash / file.name).parent.mkdir(parents=True, exist_ok=True)
            (flash / file.name).write_bytes(file.data)
    words = ["--bare", "--pty", link, "--flash", flash, "--scenario", walk]
    process = subprocess.Popen(
        [sys.executable, "-m", "sim.micropython", *map(str, words)],
        cwd=REPO,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline().startswith("pty")
    yield Newcomer(tmp_path, link)
    process.terminate()
    process.wait(60)
    process.stdout.close()


@pytest.mark.needs_node
@pytest.mark.needs_flash_tools
def test_from_a_bare_board_to_a_first_signature(newcomer: Newcomer) -> None:
    """The page's own lines, in its order, on an empty state; only the minutes of enrolment are simulated ones."""
    lines = commands(FIRST)

    def only(start: str) -> str:
        return next(line for line in lines if line.startswith(start))

    newcomer.type(only("signet doctor"))
    plan = newcomer.type(only("signet flash --app-only --dry-run"), "--device", newcomer.port)
    assert plan.stdout.startswith("board: Virtual board")
    flashed = newcomer.type("signet flash --app-only", "--device", newcomer.port)
    assert "1 to copy" in flashed.stderr
    assert "acc: 100 Hz" in flashed.stdout
    assert "lsm6ds3: works" in newcomer.type(only("signet board logs"), "--seconds", 0.1).stdout

    for what in ("gait", "baseline"):
        enrolled = newcomer.type(only(f"signet enrol {what}"), device=SAME_WEARER)
        assert f"{what} enrolled" in enrolled.stderr
    # A dozen decisions on who it is: a single one may be unsure, and a busy machine makes few.
    run = newcomer.type(only("signet run"), "--seconds", 40, "--json")
    events = [json.loads(line) for line in run.stdout.splitlines()]
    assert events[-1]["bad_frames"] == 0
    assert "walk" in [event["activity"] for event in events if event["kind"] == "activity"]
    assert "wearer" in [event["wearer"] for event in events if event["kind"] == "wearer"]

    status = newcomer.type(only("signet status")).stdout
    assert "gait        enrolled for wrist" in status
    assert "labels      0 stress, 0 rest" in status
    assert "learning waits for" in newcomer.type(only("signet learn --why")).stdout
