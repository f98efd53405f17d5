"""The page of the comparison: what agrees, what does not, and a picture of everything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from firmware_host.report.markup import Markup, element
from firmware_host.report.tables import table
from training.body.bands import Row
from training.body.measures import CONDITION_WORDS, SECTIONS, Measure
from training.body.pictures import draw_measure, key_entries
from training.evaluation.page import Page, Section, render, side_by_side, stacked
from training.evaluation.words import number, share


def body_page(result: Mapping[str, Any], rows: Sequence[Row]) -> str:
    """One page; `result` are the figures as JSON knows them, `rows` what they come from."""
    summary = result["summary"]
    return render(
        Page(
            title="The simulated wearer beside real people",
            lead="Every measure through the same code; the bands are of people's medians.",
            facts=[(name, str(n)) for name, n in result["people"].items()],
            caveats=CAVEATS,
            cards=[
                ("Medians inside", f"{summary['n_medians_inside']} of {summary['n_rows']}",
                 "the simulated median in the real 5 to 95 %"),
                ("People inside", share(summary["share_of_people_inside"]),
                 "of simulated people, mean over rows; real people: 90 %"),
                ("Told apart, real", share(result["telling_apart"]["real"]["equal_error_5s"])
                 if result["telling_apart"]["real"] else "–", "equal error of a plain comparison"),
                ("Told apart, simulated",
                 share(result["telling_apart"]["simulated"]["equal_error_5s"]),
                 "the same comparison"),
            ],
            sections=[*_sections(rows), _all_figures(result)],
        )
    )  # fmt: skip


CAVEATS = (
    "Bands of a dozen to four dozen people are rough at their ends. A measure inside its band can "
    "still go together with others as it never does in life: only single measures are compared.",
    "Real exercise is cycling in a laboratory, warm-up and breaks included; simulated exercise is "
    "what the scenario says.",
    "The wearer was tuned on these very recordings. Agreement here says that it is a fair body to "
    "test with, not that a figure measured on it holds for people.",
)
_HOW_TO_READ = (
    "A dot is a person's median. Bars: 5 to 95 % of people, with their median. Thin lines: 5 to 95 % "
    "of windows."
)


def _sections(rows: Sequence[Row]) -> list[Section]:
    made = []
    for heading, measures in SECTIONS.items():
        pictures = [
            draw_measure(measure, mine)
            for measure in measures
            if (mine := [row for row in rows if _shows(measure, row)])
        ]
        pairs = [side_by_side(*pictures[i : i + 2]) for i in range(0, len(pictures), 2)]
        key = element("ul", *(element("li", one) for one in key_entries()), class_="key")
        content = stacked(key, *pairs) if pairs else None
        empty = "No recording of this is in the folder."
        name = heading.lower().replace(" ", "-")
        made.append(Section(name, heading, content, saying=_HOW_TO_READ, empty=empty))
    return made


def _shows(measure: Measure, row: Row) -> bool:
    return row.measure == measure.name and row.condition in measure.conditions


def _all_figures(result: Mapping[str, Any]) -> Section:
    by_key = {(m.name, c): m for ms in SECTIONS.values() for m in ms for c in m.conditions}
    rows = result["agreement"]
    cells = [_cells(by_key[row["measure"], row["condition"]], row) for row in rows]
    heads = ("measure", "in", "real", "simulated", "median", "people", "windows", "width")
    content = table(
        "5, 50 and 95 % of people's medians; whether the simulated median is inside the real band; "
        "shares of simulated people and windows inside; width of the simulated band over the real one",
        heads,
        cells,
        kinds=("", "", "n", "n", "n", "n", "n", "n"),
    )
    return Section(
        "figures", "All figures", content if cells else None, empty="Nothing to compare."
    )


def _cells(measure: Measure, row: Mapping[str, Any]) -> list[Markup | str]:
    unit = f" [{measure.unit}]" if measure.unit else ""
    return [
        f"{measure.title}{unit}",
        CONDITION_WORDS[row["condition"]],
        _three(row["real"]["people"]),
        _three(row["simulated"]["people"]),
        "inside" if row["median_inside"] else "outside",
        share(row["share_of_people_inside"]),
        share(row["share_of_windows_inside"]),
        number(row["width_ratio"]),
    ]


def _three(values: Sequence[float]) -> str:
    return ", ".join(number(float(value)) for value in values)
