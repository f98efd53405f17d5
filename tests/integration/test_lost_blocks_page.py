"""The figures of docs/lost-blocks.md, with the page's own command."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest
from command import REPO

from firmware_host.cli.main import main

PAGE = (REPO / "docs" / "lost-blocks.md").read_text()
# Size of the ring in KiB, by column.
RINGS = ("0", "64", "512")


def _command() -> list[str]:
    (line,) = re.findall(r"\(`(signet record .+?)`\)", PAGE)
    return shlex.split(line)[1:]


def _rows() -> list[tuple[str, list[str]]]:
    """(fault, missing samples by ring as the page writes them) of each row of the table."""
    table = PAGE.partition("| `fault=` |")[2].partition("\n\n")[0]
    rows = [[cell.strip() for cell in row.split("|")[1:-1]] for row in table.splitlines()[2:]]
    return [(cells[0].split("`")[1], cells[1:]) for cells in rows]


@pytest.mark.parametrize(("fault", "missing"), _rows(), ids=lambda value: str(value))
def test_page_says_what_is_missing_afterwards(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    fault: str,
    missing: list[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    found = []
    for ring in RINGS:
        words = [
            word.replace("=F&", f"={fault}&").replace("=KIB", f"={ring}") for word in _command()
        ]
        assert main(words) == 0
        summary = json.loads(capsys.readouterr().out.splitlines()[-1])
        found.append(f"{summary['missing_samples']:,}")
        (tmp_path / "x.mcap").unlink()
    assert found == missing


def test_page_has_a_row_for_each_kind_of_loss_and_a_column_for_each_ring() -> None:
    assert {fault.partition("=")[0] for fault, _ in _rows()} == {"unplug", "drop"}
    assert all(len(missing) == len(RINGS) for _, missing in _rows())
