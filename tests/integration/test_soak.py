"""Forty virtual minutes with every fault there is, through the command of the product."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from sim.soak import main
from sim.soak_day import soak_stretches
from tests.integration.command import REPO, Wearer, one_line, signet

HOURS = 2 / 3


def test_every_fault_is_counted_as_it_was_injected(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main(["--hours", str(HOURS), "--ring", "with", "--out", str(tmp_path), "--json"])
    told = json.loads(capsys.readouterr().out)
    wrong = [row for row in told["rows"] if not row["holds"]]
    assert not wrong
    assert (code, told["holds"]) == (0, True)
    rows = {row["name"]: row for row in told["rows"]}
    assert {stretch.name for stretch in soak_stretches(HOURS)} <= set(rows)
    # Each of them did something.
    for name in ("drop", "duplicate", "corrupt", "unplug"):
        assert not rows[f"fault-{name}"]["injected"].startswith("0 samples")
    assert "recording stopped 1, resumed 1" in rows["fault-full-disk"]["seen"]
    assert "vault full 1, room 1" in rows["fault-full-disk"]["seen"]
    assert int(rows["bad frames"]["seen"]) > 50
    assert int(rows["sessions"]["seen"]) > 8


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--hours", "0.1"], "expected 0.667 to 1000, got '0.1'"),
        (["--hours", "day"], "got 'day'"),
        (["--ring", "maybe"], "invalid choice"),
    ],
)
def test_mistake_is_said(
    arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert says in capsys.readouterr().err


def test_unknown_fault_of_a_scenario_is_one_line_of_the_command(tmp_path: Path) -> None:
    scenario = tmp_path / "mine.toml"
    scenario.write_text('life = "short"\n[[fault]]\nkind = "drop"\nrate = 1\n')
    done = Wearer(tmp_path).signet("run", "--device", f"synthetic:?scenario={scenario}")
    assert done.code == 2
    assert "fault 1 (drop): expected only the keys kind, at_s" in one_line(done)


def test_list_names_every_scenario() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "sim", "--list"],
        cwd=REPO,
        capture_output=True,
        text=True,
        check=True,
    )
    lines = {line.split()[0]: line for line in done.stdout.splitlines()}
    assert "bytes lost on the line" in lines["fault-drop"]
    assert {"day", "short", "everything"} <= set(lines)
    assert signet("run", "--device", "synthetic:?scenario=fault-lightning").code == 2
