"""The family as rows: what a way costs, how far it is to one loss, and what it does for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from bench.learning.family_people import GOALS, Found, Reached, solve_macs, summary
from bench.learning.family_ways import Way
from bench.learning.workload import BATCH
from firmware_host.signals.stress import FEATURE_NAMES
from models.signatures import MICRO_BATCH

_MODEL = "stress"
# The functions that a step needs.
_FUNCTIONS = {
    "train": ("train",),
    "accumulate": ("accumulate", "apply"),
    "train_mezo": ("train_mezo",),
    "solve_bias": ("infer",),
    "solve_head": ("infer",),
}


def rows(
    ways: Sequence[Way],
    facts: Mapping[str, Any],
    costs: Mapping[str, Mapping[str, Mapping[str, float]]],
    people: Mapping[str, Found],
) -> list[dict[str, Any]]:
    """One row a way, of the stress network; without people only what it costs."""
    return [
        {
            "way": way.name,
            **cost_of(f"{_MODEL}.{way.backbone}", way.call, facts, costs),
            **_of_people(way, facts, people.get(way.same_as or way.name)),
        }
        for way in ways
    ]


def gait_rows(
    facts: Mapping[str, Any], costs: Mapping[str, Mapping[str, Mapping[str, float]]]
) -> list[dict[str, Any]]:
    """What a step costs in the gait network, by how the frozen weights are stored and by call."""
    found = []
    for name in costs:
        model, backbone, call = name.split(".")
        if model == "gait" and (call == "train" or backbone == "int8"):
            cost = cost_of(f"{model}.{backbone}", call, facts, costs)
            found.append({"way": f"{backbone}, {call}", **cost})
    return found


def cost_of(
    name: str,
    call: str,
    facts: Mapping[str, Any],
    costs: Mapping[str, Mapping[str, Mapping[str, float]]],
) -> dict[str, Any]:
    """Bytes of the file or files, working memory of the function, and each runtime's figures."""
    arenas = facts[name]["arena_kib"]
    return {
        "bytes": facts[name]["bytes"],
        "arena_kib": max(arenas[function] for function in _FUNCTIONS[call]),
        "runtimes": costs[f"{name}.{call}"],
    }


def _of_people(way: Way, facts: Mapping[str, Any], found: Found | None) -> dict[str, Any]:
    if found is None:
        return {"reached": {}, "people": {}}
    return {
        "reached": _reached(way, facts, found.reached),
        "people": summary(found.outcomes),
    }


def _reached(way: Way, facts: Mapping[str, Any], found: Sequence[Reached]) -> dict[str, Any]:
    """Goal -> people in reach, those who got there, their median steps and multiply-accumulates."""
    result = {}
    for goal in GOALS:
        there = [one for one in found if one.steps[goal] is not None]
        there = [one for one in there if not np.isnan(one.steps[goal])]
        n_missed = sum(one.steps[goal] is None for one in found)
        works = [_work(way, facts, one, one.steps[goal]) for one in there]
        result[goal] = {
            "n": len(there) + n_missed,
            "n_reached": len(there),
            "steps": float(np.median([one.steps[goal] for one in there])) if there else None,
            "macs": float(np.median(works)) if works else None,
        }
    return result


def _work(way: Way, facts: Mapping[str, Any], one: Reached, steps: float) -> float:
    known = facts[f"{_MODEL}.{way.backbone}"]
    if way.candidates[0].steps == 0:
        n_unknowns = 1 + len(FEATURE_NAMES) * (way.candidates[0].groups == "head")
        return solve_macs(one, infer_macs=known["macs"]["infer"], n_unknowns=n_unknowns)
    n_calls = BATCH // MICRO_BATCH if way.call == "accumulate" else 1
    return steps * (n_calls * known["macs"][way.call] + BATCH * known["beside_macs"])


def markdown(found: Sequence[Mapping[str, Any]]) -> list[str]:
    """Costs and results of the stress network."""
    protocols = sorted({key for row in found for key in row["people"]})
    runtimes = list(found[0]["runtimes"])
    heads = ["way", "files, bytes", "working memory, KiB", "process, MB", "step, ms"]
    heads += [f"to the {goal}'s loss: people, steps, 10^6 MACs" for goal in GOALS]
    heads += [f"{key}: gain, helped / hurt, worst" for key in protocols]
    lines = [f"Process and step: {' / '.join(runtimes)}.", ""]
    lines += [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}"]
    for row in found:
        cells = [row["way"], *cost_cells(row)]
        cells += [_reached_cell(row["reached"].get(goal)) for goal in GOALS]
        cells += [_people_cell(row["people"].get(key)) for key in protocols]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def cost_markdown(found: Sequence[Mapping[str, Any]]) -> list[str]:
    """Costs alone."""
    heads = ["frozen weights, call", "files, bytes", "working memory, KiB", "process, MB"]
    lines = [f"| {' | '.join([*heads, 'step, ms'])} |", f"|{'---|' * (len(heads) + 1)}"]
    return lines + [f"| {' | '.join([row['way'], *cost_cells(row)])} |" for row in found]


def cost_cells(row: Mapping[str, Any]) -> list[str]:
    """Bytes, KiB, MB and milliseconds, the last two by runtime."""
    each = row["runtimes"].values()
    return [
        f"{row['bytes']:,}",
        f"{row['arena_kib']:.1f}",
        " / ".join(f"{one['peak_mb']:.0f}" for one in each),
        " / ".join(f"{one['step_ms']:.3f}" for one in each),
    ]


def _reached_cell(one: Mapping[str, Any] | None) -> str:
    if one is None or not one["n"]:
        return "-"
    if one["steps"] is None:
        return f"0 of {one['n']}"
    return f"{one['n_reached']} of {one['n']}, {one['steps']:.0f}, {one['macs'] / 1e6:.2g}"


def _people_cell(one: Mapping[str, Any] | None) -> str:
    if one is None:
        return "-"
    return f"{one['gain']:+.3f}, {one['helped']} / {one['hurt']} of {one['n']}, {one['worst']:+.3f}"
