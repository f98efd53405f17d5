"""A board that only prints, through the command: record, replay, convert, run."""

from __future__ import annotations

import csv
import os
import subprocess
import threading
import time
import tty
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from command import ENV, Wearer, command, one_line, signet

from firmware_host.protocol.messages import Hello
from firmware_host.recording.mcap_file import McapReader

VIRTUAL = "text+synthetic:?scenario=short&seed=8"
LIMIT_S = 60.0


class Printer:
    """The board's end of a pseudo-terminal; prints numbers until told to stop."""

    def __init__(self, link: Path) -> None:
        self.link = link
        self.lines: list[str] = []
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, line: Callable[[int], str], rate_hz: float) -> None:
        master, slave = os.openpty()
        tty.setraw(slave)
        self.link.unlink(missing_ok=True)
        self.link.symlink_to(os.ttyname(slave))
        self._stop.clear()
        self._thread = threading.Thread(target=self._print, args=(master, slave, line, rate_hz))
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def _print(self, master: int, slave: int, line: Callable[[int], str], rate_hz: float) -> None:
        os.set_blocking(master, False)
        began_s = time.monotonic()
        n = 0
        while not self._stop.wait(max(0.0, began_s + n / rate_hz - time.monotonic())):
            text = line(n)
            n += 1
            try:
                os.write(master, text.encode() + b"\r\n")
            except BlockingIOError:
                # Nobody listens yet.
                continue
            self.lines.append(text)
        os.close(master)
        os.close(slave)


@pytest.fixture
def printer(tmp_path: Path) -> Iterator[Printer]:
    printer = Printer(tmp_path / "tty")
    yield printer
    printer.stop()


def _wait(is_so: Callable[[], bool]) -> None:
    end_s = time.monotonic() + LIMIT_S
    while not is_so():
        assert time.monotonic() < end_s
        time.sleep(0.05)


def _table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def _line(n: int) -> str:
    return f"boot {n}" if n % 50 == 7 else f"{n * 10},{n % 19 - 9.5:.2f},{n}.125,3,{n / 1000:.3f}"


def test_what_was_printed_is_what_the_converted_recording_holds(
    printer: Printer, tmp_path: Path
) -> None:
    printer.start(_line, 100.0)
    url = f"text:{printer.link}?columns=t_ms,acc.x,acc.y,acc.z,eda&units=acc:m/s2,eda:uS"
    out = tmp_path / "a.mcap"
    done = signet("record", "--device", url, "--out", out, "--seconds", "6", "--json").check()
    printer.stop()
    lines = done.json["lines"]
    assert lines["readings"] > 300
    assert lines["words"] > 3
    signet("convert", out, tmp_path / "a.csv").check()
    rows = _table(tmp_path / "a.csv")
    assert list(rows[0])[1:5] == [f"acc_{a}[m/s2]@100Hz" for a in "xyz"] + ["eda[uS]@100Hz"]
    got = [[float(cell) for cell in list(row.values())[1:5]] for row in rows]
    printed = [list(map(float, t.split(",")))[1:] for t in printer.lines if t[0] != "b"]
    first = printed.index(got[0])
    assert got == printed[first : first + len(got)]
    notes = [e for e in signet("replay", out, "--json").check().events if e["kind"] == "stream"]
    assert notes[0]["detail"]["firmware"] == "text, t_ms clock"
    assert len(got) == lines["readings"]
    # Each boot message took the place of a reading, and the board's own clock knows.
    gaps = [
        e["detail"]["missing_samples"] for e in notes if (e["what"], e["channel"]) == ("gap", "acc")
    ]
    assert set(gaps) == {1}
    assert len(gaps) == pytest.approx(lines["words"], abs=1)


def test_a_board_that_is_plugged_in_again_goes_on_at_once(printer: Printer, tmp_path: Path) -> None:
    printer.start(lambda n: f"{n};{n}", 100.0)
    out = tmp_path / "b.mcap"
    child = subprocess.Popen(
        command("record", "--device", f"text:{printer.link}", "--out", out, "--json"),
        env=ENV,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    _wait(lambda: out.exists() and out.stat().st_size > 4000)
    printer.stop()
    time.sleep(0.2)
    printer.lines.clear()
    printer.start(lambda n: f"{n};{n}", 100.0)
    size = out.stat().st_size
    _wait(lambda: out.stat().st_size > size + 4000)
    child.terminate()
    text, _ = child.communicate(timeout=LIMIT_S)
    assert '"links_lost": 1' in text
    signet("convert", out, tmp_path / "b.csv").check()
    replayed = signet("replay", out, "--json")
    # Nothing that a model can use, said in one line; it was recorded all the same.
    assert replayed.code == 5
    assert "no model can run on this board" in replayed.err.strip().splitlines()[-1]
    assert len(_table(tmp_path / "b.csv")) > 300


def test_models_run_on_printed_numbers_and_a_replay_says_the_same(
    wearer: Wearer, tmp_path: Path
) -> None:
    url = VIRTUAL + "&hours=0.08"
    out = tmp_path / "c.mcap"
    live = wearer.signet("run", "--device", url, "--no-learn", "--json", "--record", out).check()
    found = {(e["kind"], e.get("activity")) for e in live.events}
    assert ("activity", "walk") in found
    assert any(kind == "stress" for kind, _ in found)
    assert live.json["channels"]["acc"]["measured_hz"] == pytest.approx(50.0, rel=1e-3)
    again = signet("replay", out, "--json").check()
    assert [e for e in again.events if e["kind"] == "activity"] == [
        e for e in live.events if e["kind"] == "activity"
    ]


@pytest.mark.parametrize(
    ("query", "code", "words"),
    [
        ("columns=a,a", 2, "expected each name once"),
        ("rate=fast", 2, "expected a number above zero"),
        ("columns=a,b,c", 3, "the URL names 3 columns, the board prints 2"),
    ],
)
def test_a_wrong_url_is_one_line_and_an_exit_code(printer, tmp_path, query, code, words) -> None:
    printer.start(lambda n: f"{n},{n}", 50.0)
    url = f"text:{printer.link}?{query}"
    done = signet("record", "--device", url, "--out", tmp_path / "x.mcap")
    assert done.code == code
    assert words in one_line(done)
    assert not (tmp_path / "x.mcap").exists()


def test_board_that_changes_its_columns_is_told_and_taken_up(printer, tmp_path) -> None:
    began: list[int] = []

    def line(n: int) -> str:
        began.append(n)
        return f"{n},1.5" if len(began) < 450 else f"{n},1.5,7"

    printer.start(line, 100.0)
    out = tmp_path / "a.mcap"
    done = signet("record", "--device", f"text:{printer.link}", "--out", out, "--seconds", "10")
    assert done.check().err.count("the board prints 3 columns now, 2 were expected") == 1
    assert "the board's 3 columns are taken up as a new session" in done.err
    assert "no data for" not in done.err
    reader = McapReader(out)
    hellos = [message for _, message in reader.messages() if isinstance(message, Hello)]
    assert [len(hello.channels) for hello in hellos] == [2, 3]
    assert [text for _, text in reader.markers()] == [
        "columns printed 3 expected 2 is_taken 0",
        "columns printed 3 is_taken 1",
    ]
    signet("convert", out, tmp_path / "a.csv").check()
    assert "ch3" in (tmp_path / "a.csv").read_text().splitlines()[0]
