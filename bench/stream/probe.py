"""What a decoder's process tells: how long it takes, and that it found what was sent and lost."""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

from bench.stream.workload import BLOCK_BYTES, n_lost

# Wire -> (blocks found, blocks known to be missing).
Decode = Callable[[bytes], tuple[int, int]]


@dataclass(frozen=True)
class Contestant:
    """A way to decode: the framed stream for a number of blocks, and the decoder itself."""

    wire: Callable[[int], bytes]
    decode: Decode
    version: str


def main(contestants: dict[str, Contestant]) -> int:
    """Time one contestant, named on the command line; one JSON object on standard output.

    Raises
    ------
    RuntimeError
        If it found another number of blocks, or of losses, than there are.
    """
    parser = argparse.ArgumentParser()
    parser.add_argument("--who", choices=contestants, required=True)
    parser.add_argument("--blocks", type=int, required=True)
    parser.add_argument("--repeats", type=int, required=True)
    args = parser.parse_args()
    who = contestants[args.who]
    wire = who.wire(args.blocks)
    lost = n_lost(args.blocks)
    expected = (args.blocks - lost, lost)
    if (found := who.decode(wire)) != expected:
        raise RuntimeError(f"{args.who}: expected blocks and losses {expected}, got {found}")
    took_s = statistics.median(_cpu_s(who.decode, wire) for _ in range(args.repeats))
    told = {
        "us_per_frame": took_s / expected[0] * 1e6,
        "frames_per_s": expected[0] / took_s,
        "mb_per_s": len(wire) / took_s / 1e6,
        "samples_mb_per_s": expected[0] * BLOCK_BYTES / took_s / 1e6,
        "frame_bytes": len(wire) / expected[0],
        "version": who.version,
    }
    print(json.dumps(told))
    return 0


def _cpu_s(decode: Decode, wire: bytes) -> float:
    start = time.process_time()
    decode(wire)
    return time.process_time() - start
