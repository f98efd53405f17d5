"""Our decoder and its peers, each in processes of its own, in turns."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from bench.rows import REPO

OURS = "ours: frames checked, losses counted"
WHOLE = "ours, whole assembler: also SI units, clock, rate, gap events"
AIM = 5.0
_BLOCKS, _REPEATS = 20_000, 5
_QUICK_BLOCKS, _QUICK_REPEATS = 2_000, 2


@dataclass(frozen=True)
class Decoder:
    """Name in the table, module, which of its ways, and whether it needs the peers' environment."""

    name: str
    module: str
    who: str
    is_peer: bool = True


DECODERS = (
    Decoder(OURS, "ours", "decode", is_peer=False),
    Decoder(WHOLE, "ours", "assemble", is_peer=False),
    Decoder("pymavlink, recv_msg, 72 numbers", "mavlink", "numbers, recv_msg"),
    Decoder("pymavlink, recv_msg, bytes", "mavlink", "bytes, recv_msg"),
    Decoder("pymavlink, parse_buffer, 72 numbers", "mavlink", "numbers, parse_buffer"),
    Decoder("pymavlink, parse_buffer, bytes", "mavlink", "bytes, parse_buffer"),
    Decoder("package cobs (C) + zlib + struct", "by_hand", "cobs package"),
    Decoder("COBS + zlib + struct by hand", "by_hand", "by hand", is_peer=False),
)

# decoder's name -> what `probe` told, one a round.
Results = dict[str, list[dict[str, Any]]]


def measure(
    peers: str | None, *, n_rounds: int, quick: bool, told: Callable[[str], None]
) -> tuple[Results, dict[str, str]]:
    """Give what each decoder told in each round, and why one is not among them.

    The order turns around each round, so that a machine that slows down or speeds up meets
    everybody alike.

    Parameters
    ----------
    peers
        Interpreter of the peers' environment; None leaves them out.
    """
    blocks, repeats = (_QUICK_BLOCKS, _QUICK_REPEATS) if quick else (_BLOCKS, _REPEATS)
    results: Results = {}
    absent: dict[str, str] = {}
    for turn in range(n_rounds):
        for decoder in DECODERS if turn % 2 else DECODERS[::-1]:
            if decoder.name in absent:
                continue
            python = peers if decoder.is_peer else sys.executable
            if python is None:
                absent[decoder.name] = "no environment with the peers"
                continue
            told(f"round {turn + 1} of {n_rounds}: {decoder.name}")
            arguments = ["--who", decoder.who, "--blocks", str(blocks), "--repeats", str(repeats)]
            command = [python, "-m", f"bench.stream.{decoder.module}", *arguments]
            results.setdefault(decoder.name, []).append(_run(command))
    return results, absent


def _run(command: Sequence[str]) -> dict[str, Any]:
    env = {**os.environ, "PYTHONPATH": str(REPO), "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=REPO, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["nothing"])[-1]
        raise RuntimeError(f"{' '.join(command[1:3])}: {said}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def rows(results: Results) -> list[dict[str, Any]]:
    """One row for each decoder: medians over rounds, and its time over ours of the same round."""
    found = []
    for decoder in DECODERS:
        rounds = results.get(decoder.name, [])
        if not rounds:
            continue
        pairs = zip(rounds, results[OURS], strict=True)
        times = [theirs["us_per_frame"] / ours["us_per_frame"] for theirs, ours in pairs]
        row = {
            key: statistics.median(one[key] for one in rounds)
            for key in ("us_per_frame", "frames_per_s", "mb_per_s", "frame_bytes")
        }
        ratio = {"median": statistics.median(times), "least": min(times), "most": max(times)}
        found.append({"who": decoder.name, **row, "ratio": ratio, "version": rounds[0]["version"]})
    return found


def markdown(found: Sequence[dict[str, Any]]) -> list[str]:
    """The table."""
    lines = [
        "| decoder | frames/s | MB/s | µs a frame | bytes a frame | times as long as ours |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for row in found:
        ratio = row["ratio"]
        spread = f"{ratio['median']:.2f} ({ratio['least']:.2f} to {ratio['most']:.2f})"
        lines.append(
            f"| {row['who']} | {row['frames_per_s']:,.0f} | {row['mb_per_s']:.1f} "
            f"| {row['us_per_frame']:.2f} | {row['frame_bytes']:.0f} | {spread} |"
        )
    return lines
