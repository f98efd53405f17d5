"""Two days through the commands of the product, with a night without power, held against what was true."""

from __future__ import annotations

from pathlib import Path

import pytest

from sim.week import main

# Plugged in when the first labels are in, and so warm that the job pauses; cool the next morning.
SCENARIO = """
start_utc = 2026-05-04T08:00:00Z
answers_cues = true

[host]
case_k_per_w = 14
battery_percent = 60
change = [
    { minutes = 0, mains = false },
    { minutes = 23, mains = true, ambient_c = 33 },
    { minutes = 26, ambient_c = 15 },
]
"""
MONDAY = (
    ("rest", 4, "b"), ("stress", 4, "b"), ("rest", 4, "b"), ("stress", 4, "b"), ("rest", 4, "b"),
    ("walk", 2, ""), ("other", 6, ""), ("off", 0.5, ""), ("charging", 1411.5, ""),
)  # fmt: skip
TUESDAY = (
    ("rest", 8, ""), ("walk", 2, ""), ("rest", 3, ""), ("stress", 4, ""), ("rest", 3, ""),
    ("off", 0.5, ""), ("charging", 400, ""),
    ("other_person", 10.5, "still"), ("other_person", 2.5, "walk"), ("off", 0.5, ""),
)  # fmt: skip


def _scenario(path: Path) -> Path:
    rows = []
    for label, minutes, how in MONDAY + TUESDAY:
        rows.append(f'[[bout]]\nlabel = "{label}"\nminutes = {minutes}')
        rows.append('buttons = "on_time"' if how == "b" else f'activity = "{how}"' if how else "")
    path.write_text(SCENARIO + "\n".join(rows), encoding="ascii")
    return path


def test_a_scenario_that_is_not_there_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--scenario", "nowhere", "--out", str(tmp_path / "out")]) == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert "scenario" in told
    occupied = tmp_path / "mine"
    occupied.mkdir()
    (occupied / "letter.txt").write_text("dear")
    assert main(["--out", str(occupied)]) == 2
    assert (occupied / "letter.txt").exists()


def test_two_days_keep_every_claim(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scenario = _scenario(tmp_path / "two.toml")
    out = tmp_path / "out"
    # A wearer with enough of everything in two days: a response, readable pulse, an even walk.
    code = main(["--scenario", str(scenario), "--seed", "161", "--out", str(out)])
    told = capsys.readouterr().out
    assert code == 0, told
    assert "13 of 13 claims hold." in told
    assert "2 rests, and 1 of somebody else" in told
    assert "paused 1, resumed 1" in told
    page = (out / "report.html").read_text()
    for words in ("Mon 4 May", "Tue 5 May", "learning paused", "rest set aside"):
        assert words in page
