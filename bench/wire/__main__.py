"""What is guaranteed on the wire, computed, and what was tried: ``python -m bench.wire``, or ``make proof-wire``.

Ends with 1 if a damaged line gave a frame that nobody sent.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import permutations
from math import comb
from random import Random

from bench.wire import damage, hamming
from bench.wire.damage import Count, Frame, Line
from bench.wire.samples import frames, is_longest, simulated_frames
from firmware_host.protocol import frame

_SEED = 20260105
_ROW = "{:<54} {:>10} {:>10} {:>7} {:>7} {:>5} {:>4}"
Lines = Iterable[tuple[tuple[Frame, ...], Iterable[bytes]]]


def main() -> int:
    """Compute, try, print."""
    parser = argparse.ArgumentParser(prog="python -m bench.wire", description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="a fiftieth of what is many, in seconds"
    )
    said = parser.parse_args()
    print_distances()
    print()
    return print_damage(50 if said.quick else 1)


def print_distances() -> None:
    """Hamming distance at the lengths of our bodies, and where it falls."""
    print("CRC-32 of a body: how many flips are always seen, and the fewest that can go unseen")
    for n_bits, what in (
        (8 * frame.MIN_BODY_BYTES, "shortest body"),
        (300, "last length where 5 flips are always seen"),
        (301, ""),
        (8 * frame.MAX_BODY_BYTES, "longest body"),
        (3006, "last length where 4 flips are always seen"),
        (3007, ""),
    ):
        found = hamming.lightest_unseen(n_bits)
        seen = f"{len(found) - 1}" if found else "5 or more"
        unseen = f"{len(found)}, at bits {found}" if found else "none up to 5"
        print(f"{n_bits:>6} bits: {seen:<9} {unseen:<38} {what}".rstrip())


def print_damage(share: int) -> int:
    """Try every kind of damage, or one line in ``share`` of the kinds with many, one row each."""
    print(_ROW.format("damaged lines", "lines", "lost", "twice", "as sent", "wrong", "s"))
    total = Count()
    for what, lines in kinds_of_damage(share, Random(_SEED)):
        began = time.perf_counter()
        count = Count()
        for sent, wires in lines:
            _add(count, damage.judge(sent, wires))
        _add(total, count)
        _print_row(what, count, f"{time.perf_counter() - began:.0f}")
    _print_row("together", total, "")
    for wire in total.wrong[:5]:
        print(f"WRONG: {wire.hex()}")
    return 1 if total.wrong else 0


def kinds_of_damage(share: int, rng: Random) -> Iterator[tuple[str, Lines]]:
    """Name and lines of each kind; ``share`` above 1 samples what is many."""
    coded = frames()
    lines = {name: damage.line(code) for name, code in coded.items()}
    longest = [name for name, code in coded.items() if is_longest(code)]
    others = [name for name in lines if name not in longest]
    n = 20_000 // share

    def each(make: Callable[[Line], Iterable[bytes]], names: Iterable[str] = lines) -> Lines:
        return ((lines[name].sent, make(lines[name])) for name in names)

    def every(at: Line, n_flips: int) -> Iterator[bytes]:
        n_patterns = comb(8 * (at.end - at.start), n_flips)
        if share == 1 or n_patterns < n:
            return damage.flips(at, n_flips)
        return damage.some_flips(at, n_flips, n_patterns // share, rng)

    yield "1 flip, every place, every kind of frame", each(lambda at: damage.flips(at, 1))
    yield "2 flips, every pair, shorter frames", each(lambda at: every(at, 2), others)
    for name in longest:
        yield f"2 flips, every pair, {name}", each(lambda at: every(at, 2), [name])
    yield "3 flips, every three, PING", each(lambda at: every(at, 3), ["PING"])
    wearer = [damage.line(code) for code in simulated_frames(20.0 if share == 1 else 1.0)]
    yield (
        f"1 flip, every place, {len(wearer)} frames of a simulated wearer",
        ((at.sent, damage.flips(at, 1)) for at in wearer),
    )
    yield (
        "2 flips, anywhere, the same frames",
        ((at.sent, damage.some_flips(at, 2, n // 4, rng)) for at in wearer),
    )
    for k in (3, 4, 5, 6, 8, 16):
        yield f"{k} flips, anywhere", each(lambda at, k=k: damage.some_flips(at, k, n, rng))
    yield (
        "bursts of 2 to 32 bits, from every bit on",
        each(lambda at: damage.bursts(at, max(1, 40 // share), rng)),
    )
    yield "one byte as any other", each(damage.changed_bytes)
    yield (
        "1 to 4 bytes too many, at every place",
        each(lambda at: damage.insertions(at, 256 // share, rng)),
    )
    yield "a stretch swallowed, from any byte to any", each(damage.cuts)
    yield "a stretch twice, from any byte to any", each(damage.repeats)
    yield "neighbouring stretches in each other's place", each(damage.swaps)
    yield "the beginning of one frame and the end of another", _splices(longest[: 2 + 2 // share])
    yield "bytes of chance", [((), damage.garbage(50 * n, rng))]


def _splices(names: Iterable[str]) -> Lines:
    for a, b in permutations(names, 2):
        first, second = frames()[a], frames()[b]
        sent = tuple(frame.FrameDecoder().feed(first + b"\0" + second + b"\0"))
        yield sent, damage.splices(first, second)


def _add(total: Count, count: Count) -> None:
    total.tried += count.tried
    total.lost += count.lost
    total.repeated += count.repeated
    total.as_sent += count.as_sent
    total.wrong += count.wrong


def _print_row(what: str, count: Count, took: str) -> None:
    numbers = (count.tried, count.lost, count.repeated, count.as_sent, len(count.wrong))
    print(_ROW.format(what, *(f"{n:,}" for n in numbers), took), flush=True)


if __name__ == "__main__":
    sys.exit(main())
