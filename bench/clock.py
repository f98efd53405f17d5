"""How well host time and drift are known, against a simulated truth: ``python -m bench.clock``.

Beside the clock of the host: what LSL does (each offset the middle of the fastest of 8 probes, a line
through the offsets, at its own pace), the same with our PINGs, and least squares through the arrivals.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence

import numpy as np

from bench.deliveries import KINDS, UTC0, Crystal, Delivery, deliveries
from bench.rows import Options, Row, main
from firmware_host.stream.clock import StreamClock, ping_every_s

PPM = 50.0
SETTLED_S = 60.0
# LSL's defaults: bursts of 8 probes, and one every 2 s (liblsl, api_config.cpp).
_LSL_PROBES, _LSL_EVERY_S = 8, 2.0
_REFIT_S = 5.0

Errors = tuple[list[float], list[float]]


def errors(crystal: Crystal, told: Sequence[Delivery]) -> Errors:
    """Errors after a minute of the host's clock at each message: of host time in ms, of skew in ppm."""
    clock = StreamClock(_ticks_us(told[0].board_s), UTC0 + told[0].arrival_s)
    time_ms, skew_ppm = [], []
    for board_s, true_s, arrival_s, sent_s in told[1:]:
        arrival_utc = UTC0 + arrival_s
        t_s = clock.unwrap(_ticks_us(board_s), arrival_utc)
        if math.isnan(sent_s):
            clock.observe(t_s, arrival_utc)
        else:
            clock.observe_round_trip(t_s, UTC0 + sent_s, arrival_utc)
        if true_s >= SETTLED_S:
            time_ms.append(1e3 * (clock.utc(t_s) - UTC0 - true_s))
            skew_ppm.append(clock.health().drift_ppm - _skew_ppm(crystal, true_s))
    return time_ms, skew_ppm


def errors_of_line(
    crystal: Crystal,
    told: Sequence[Delivery],
    points: Callable[[Sequence[Delivery]], list[tuple[float, float]]],
) -> Errors:
    """As `errors`, of a line by least squares through (board_s, delay_s), fitted anew every 5 s."""
    time_ms, skew_ppm, next_s, slope, at_zero = [], [], SETTLED_S, 0.0, 0.0
    for n, (board_s, true_s, *_) in enumerate(told):
        if true_s >= next_s:
            at, delay = np.array(points(told[:n])).T
            slope, at_zero = np.polyfit(at, delay, 1)
            next_s += _REFIT_S
        if true_s >= SETTLED_S:
            time_ms.append(1e3 * (board_s * (1 + slope) + at_zero - true_s))
            skew_ppm.append(-1e6 * slope / (1 + slope) - _skew_ppm(crystal, true_s))
    return time_ms, skew_ppm


def offsets(told: Sequence[Delivery], n_probes: int) -> list[tuple[float, float]]:
    """Of each burst of probes the fastest: when, and the middle of its way less the board's time."""
    probes = [one for one in told if not math.isnan(one.sent_s)]
    bursts = [probes[i : i + n_probes] for i in range(0, len(probes), n_probes)]
    fastest = [min(burst, key=lambda one: one.arrival_s - one.sent_s) for burst in bursts]
    return [(one.board_s, (one.sent_s + one.arrival_s) / 2 - one.board_s) for one in fastest]


def arrivals(told: Sequence[Delivery]) -> list[tuple[float, float]]:
    """Every message: when, and its delay."""
    return [(one.board_s, one.arrival_s - one.board_s) for one in told]


def rows(options: Options) -> list[Row]:
    n_seeds, duration_s = (2, 150.0) if options.quick else (8, 600.0)
    return [row for kind in KINDS for row in _rows_of(kind, n_seeds, duration_s)]


def _rows_of(kind: str, n_seeds: int, duration_s: float) -> list[Row]:
    found: dict[str, list[Errors]] = {"ours": [], "LSL": [], "our PINGs": [], "least squares": []}
    for seed in range(n_seeds):
        crystal, told = deliveries(
            kind, seed=seed, duration_s=duration_s, ppm=PPM, ping_every_s=ping_every_s
        )
        found["ours"].append(errors(crystal, told))
        found["our PINGs"].append(errors_of_line(crystal, told, lambda part: offsets(part, 1)))
        found["least squares"].append(errors_of_line(crystal, told, arrivals))
        crystal, told = deliveries(
            kind,
            seed=seed,
            duration_s=duration_s,
            ppm=PPM,
            ping_every_s=lambda _: _LSL_EVERY_S,
            n_probes=_LSL_PROBES,
        )
        told = [one for one in told if one.arrival_s < duration_s]
        found["LSL"].append(errors_of_line(crystal, told, lambda part: offsets(part, _LSL_PROBES)))
    return [
        _row(f"clock over {kind}: error of host time", "ms", found, 0),
        _row(f"clock over {kind}: error of drift", "ppm", found, 1),
        _first_row(kind, found["ours"]),
    ]


def _row(what: str, unit: str, found: dict[str, list[Errors]], which: int) -> Row:
    per_seed = {name: [_median(run[which]) for run in runs] for name, runs in found.items()}
    ours = statistics.median(per_seed["ours"])
    peers = {name: statistics.median(per_seed[name]) for name in per_seed if name != "ours"}
    lsl = peers.pop("LSL")
    beside = ", ".join(f"{name} {value:.3g}" for name, value in peers.items())
    note = f"median after a minute, worst seed {max(per_seed['ours']):.3g}"
    peer = f"LSL-like {lsl:.3g} ({beside})"
    return Row(what, ours, unit, peer, ours / lsl, note=note, is_speed=False)


def _first_row(kind: str, ours: list[Errors]) -> Row:
    first = [abs(skew_ppm[0]) for _, skew_ppm in ours]
    note = f"at 60 s, worst seed {max(first):.3g}"
    median = statistics.median(first)
    return Row(f"clock over {kind}: error of drift", median, "ppm", note=note, is_speed=False)


def _median(signed: Sequence[float]) -> float:
    return statistics.median(map(abs, signed))


def _skew_ppm(crystal: Crystal, true_s: float) -> float:
    return float(crystal.skew_ppm(np.float64(true_s)))


def _ticks_us(board_s: float) -> int:
    return round(board_s * 1e6) & 0xFFFFFFFF


if __name__ == "__main__":
    raise SystemExit(main(rows, "bench.clock"))
