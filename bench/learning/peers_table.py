"""The peers' results as rows, ratios and verdicts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from bench.learning.peers import CHECKED, OURS, RECIPE, Results

# Float32 sums in another order; a ReLU that flips near zero shows as up to 2e-3 in "conv".
TOLERANCE = {"stress": 1e-4, "conv": 2e-3}
# What we aim at against the recipe: at most this share of its value.
AIMS = {"peak_mb": 1 / 6, "first_step_s": 1 / 15, "step_cpu_ms": 1.0}
_WORDS = {"peak_mb": "memory", "first_step_s": "start to first step", "step_cpu_ms": "step"}


def rows(results: Results) -> list[dict[str, Any]]:
    """One row for each network and peer; medians over rounds, `*_min` the least of all."""
    found = []
    for network, peers in results.items():
        reference = np.array(next(iter(peers.values()))[0]["losses"])
        for name, rounds in peers.items():
            losses = np.array([one["losses"] for one in rounds])
            row = {
                "network": network,
                "peer": name,
                "step_ms": _median(rounds, "step_cpu_ms"),
                "step_ms_min": float(min(min(one["step_cpu_ms"]) for one in rounds)),
                "step_wall_ms": _median(rounds, "step_wall_ms"),
                "peak_mb": _median(rounds, "peak_mb"),
                "first_step_s": _median(rounds, "first_step_s"),
                "first_step_cpu_s": _median(rounds, "first_step_cpu_s"),
                "last_loss": float(losses[0, -1]),
                "loss_difference": float(np.abs(losses - reference).max()),
                "version": rounds[0]["versions"],
            }
            found.append(row)
    return found


def ratios(results: Results) -> list[dict[str, Any]]:
    """Ours over each peer, round by round: median and range.

    Memory and start are those of the host's own call, the step is the runtime's own call: the
    peers are not asked to check their inputs either.
    """
    found = []
    for network, peers in results.items():
        for bare in (name for name in OURS.values() if name in peers):
            others = (name for name in peers if name.removesuffix(CHECKED) not in OURS.values())
            for other in others:
                found.append({"network": network, "ours": bare, "peer": other})
                for key in AIMS:
                    mine = bare if key == "step_cpu_ms" else bare + CHECKED
                    found[-1][key] = _ratio(peers[mine], peers[other], key)
    return found


def verdicts(found: Sequence[Mapping[str, Any]]) -> list[str]:
    """One line for each aim against the recipe, network and runtime."""
    lines = []
    for row in found:
        for key, aim in AIMS.items() if row["peer"] == RECIPE else ():
            share, least = row[key]["median"], row[key]["least"]
            level = "level with it, within the spread" if least <= aim else "missed"
            word = "reached" if share <= aim else level
            lines.append(
                f"{row['network']}, {row['ours']}: {_WORDS[key]} {share:.3g} of the recipe's, "
                f"aim {aim:.3g}: {word}"
            )
    return lines


def disagreements(found: Sequence[Mapping[str, Any]]) -> list[str]:
    """Peers whose losses are not ours: they computed something else."""
    return [
        f"{row['network']}, {row['peer']}: losses differ by {row['loss_difference']:.1g}, "
        f"expected at most {TOLERANCE[row['network']]:g}"
        for row in found
        if not row["loss_difference"] <= TOLERANCE[row["network"]]
    ]


def markdown(found: Sequence[Mapping[str, Any]], shares: Sequence[Mapping[str, Any]]) -> list[str]:
    """Both tables."""
    lines = [
        "| network | who | step, ms: median | least | wall | memory, MB | start to first step, s "
        "| of it CPU | last loss | losses differ by |",
        "|---|---|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for row in found:
        figures = (f"{row[k]:.3g}" for k in ("step_ms", "step_ms_min", "step_wall_ms"))
        lines.append(
            f"| {row['network']} | {row['peer']} | {' | '.join(figures)} | {row['peak_mb']:.0f} "
            f"| {row['first_step_s']:.2f} | {row['first_step_cpu_s']:.2f} "
            f"| {row['last_loss']:.4f} | {row['loss_difference']:.0e} |"
        )
    lines += [
        "",
        "| network | ours / theirs | memory | start to first step | step |",
        "|---|---|---:|---:|---:|",
    ]
    for row in shares:
        cells = " | ".join(_spread(row[key]) for key in AIMS)
        lines.append(f"| {row['network']} | {row['ours']} / {row['peer']} | {cells} |")
    return lines


def _median(rounds: Sequence[Mapping[str, Any]], key: str) -> float:
    """Median over rounds, of a median over steps where there are several."""
    return float(np.median([np.median(one[key]) for one in rounds]))


def _ratio(
    mine: Sequence[Mapping[str, Any]], theirs: Sequence[Mapping[str, Any]], key: str
) -> dict[str, float]:
    each = [np.median(a[key]) / np.median(b[key]) for a, b in zip(mine, theirs, strict=True)]
    return {"median": float(np.median(each)), "least": min(each), "most": max(each)}


def _spread(ratio: Mapping[str, float]) -> str:
    return f"{ratio['median']:.3g} ({ratio['least']:.3g} to {ratio['most']:.3g})"
