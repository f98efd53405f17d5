"""Tables of an ablation: as JSON, as Markdown and as a page."""

from __future__ import annotations

import argparse
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from firmware_host.report.markup import Markup, element
from training.evaluation.options import seed
from training.evaluation.output import (
    plain,
    require_different,
    require_writable,
    write_json,
    write_text,
)
from training.evaluation.page import Page, Section, render


@dataclass(frozen=True)
class Table:
    """Rows of one question.

    `columns` name -> heading, the first is the name of the row; `rows` have a value for each
    column, None where nothing can be said. `words` say how to read it.
    """

    name: str
    title: str
    words: str
    columns: Mapping[str, str]
    rows: Sequence[Mapping[str, Any]]

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        known: dict[str, Any] = plain({"title": self.title, "rows": list(self.rows)})
        return known

    def cells(self) -> list[list[str]]:
        """Every row as text, in the order of the columns."""
        return [[_text(name, row.get(name)) for name in self.columns] for row in self.rows]


def add_common(parser: argparse.ArgumentParser) -> None:
    """Add the options of every ablation."""
    parser.add_argument("--data", required=True, type=Path, help="folder that holds the datasets")
    parser.add_argument("--json", type=Path, metavar="OUT", help="write every figure to this file")
    parser.add_argument("--markdown", type=Path, metavar="OUT", help="write the tables as Markdown")
    parser.add_argument("--html", type=Path, metavar="OUT", help="write the tables as a page")
    parser.add_argument("--seed", type=seed, default=0)


def check_output(arguments: argparse.Namespace) -> None:
    """Refuse places that cannot be written, before the long work."""
    places = {f"--{name}": getattr(arguments, name) for name in ("json", "markdown", "html")}
    require_different(places)
    for option, path in places.items():
        require_writable(option, path)


def finish(
    arguments: argparse.Namespace, task: str, tables: Sequence[Table], facts: Mapping[str, Any]
) -> dict[str, Any]:
    """Write what was asked for; gives what standard output shows."""
    known: dict[str, Any] = plain(dict(facts))
    result = {
        "task": task,
        "command": "ablate",
        **known,
        "tables": {table.name: table.as_dict() for table in tables},
    }
    if arguments.json:
        write_json(arguments.json, result)
    if arguments.markdown:
        write_text(arguments.markdown, markdown(task, tables, known))
    if arguments.html:
        write_text(arguments.html, page(task, tables, known))
    return result


def command_line(task: str) -> str:
    """The line that makes these tables."""
    return f"python -m training ablate --task {task} --data DIR --json OUT --markdown OUT"


def markdown(task: str, tables: Sequence[Table], facts: Mapping[str, Any]) -> str:
    """All tables with the command on top."""
    lines = [f"# Ablation: {task}", "", "```", command_line(task), "```", ""]
    lines += [f"- {name.replace('_', ' ')}: {value}" for name, value in facts.items()]
    for table in tables:
        lines += ["", f"## {table.title}", "", table.words, ""]
        lines.append("| " + " | ".join(table.columns.values()) + " |")
        lines.append("|" + " --- |" * len(table.columns))
        lines += ["| " + " | ".join(cells) + " |" for cells in table.cells()]
    return "\n".join(lines) + "\n"


def page(task: str, tables: Sequence[Table], facts: Mapping[str, Any]) -> str:
    """All tables as one self-contained page."""
    sections = [Section(t.name, t.title, _html(t), saying=t.words) for t in tables]
    named = [(name.replace("_", " "), str(value)) for name, value in facts.items()]
    return render(Page(f"Ablation: {task}", command_line(task), named, (), (), sections))


def _html(table: Table) -> Markup:
    head = element("tr", *(element("th", name, scope="col") for name in table.columns.values()))
    body = [
        element(
            "tr",
            element("th", cells[0], scope="row"),
            *(element("td", cell) for cell in cells[1:]),
        )
        for cells in table.cells()
    ]
    return element(
        "div",
        element("table", element("thead", head), element("tbody", *body)),
        class_="scroll",
        tabindex="0",
        role="region",
        aria_label=table.title,
    )


def _text(name: str, value: Any) -> str:
    if value is None:
        return "–"
    if not isinstance(value, float):
        return str(value)
    if math.isnan(value):
        return "–"
    if "gain" in name or "change" in name:
        return f"{value:+.3f}".replace("-", "−")
    if name.startswith(("eer", "far", "frr", "rank1", "recall", "f1")):
        return f"{100 * value:.1f} %"
    return f"{value:.3f}" if abs(value) >= 0.001 or value == 0 else f"{value:.0e}"
