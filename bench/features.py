"""Stress features with our filters and with scipy's: ``python -m bench.features``."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.rows import Options, Row, cpu_s, import_cost, main
from firmware_host.signals import bvp, eda
from firmware_host.signals.filters import Section, SosFilter
from firmware_host.signals.stress import HOP_S, WINDOW_S, StressFeatures

_RATES_HZ = {"bvp": 64.0, "eda": 4.0, "temp": 4.0, "acc": 32.0}
_PEER = "the same with scipy.signal.sosfilt"

Signals = dict[str, NDArray[np.float64]]


class ScipyFilter(SosFilter):
    """Our filter's interface on scipy's loop in C."""

    def __init__(self, sections: Sequence[Section]) -> None:
        super().__init__(sections)
        self._scipy: Any = importlib.import_module("scipy.signal")
        self._sos = np.array([(s.b0, s.b1, s.b2, 1.0, s.a1, s.a2) for s in sections])

    def process(self, values: Iterable[float]) -> list[float]:
        """As the filter it stands for."""
        x = np.asarray(list(values))
        if not len(x):
            return []
        if self._state is None:
            self._state = self._settled(float(x[0]))
        y, state = self._scipy.sosfilt(self._sos, x, zi=np.array(self._state))
        self._state = [(float(a), float(b)) for a, b in state]
        out: list[float] = y.tolist()
        return out


def rows(options: Options) -> list[Row]:
    minutes = 6 if options.quick else 60
    signals = _signals(minutes)
    ours_s = cpu_s(lambda: extract(signals), repeats=options.repeats)
    what = "stress features of one hour, fed second by second"
    per_hour_s = ours_s * 60 / minutes
    if importlib.util.find_spec("scipy") is None:
        return [
            Row(what, per_hour_s, "s", f"{_PEER}: not installed"),
            Row("memory after importing scipy.signal", None, "MB", note="not installed"),
        ]
    with scipy_filters():
        theirs_s = cpu_s(lambda: extract(signals), repeats=options.repeats)
    filters_mb, scipy_mb = (
        import_cost(name).peak_mb for name in ("firmware_host.signals.stress", "scipy.signal")
    )
    return [
        Row(what, per_hour_s, "s", _PEER, ours_s / theirs_s),
        Row(
            "memory after importing the stress features",
            filters_mb,
            "MB",
            f"importing scipy.signal: {scipy_mb:.0f} MB",
            filters_mb / scipy_mb,
        ),
    ]


def extract(signals: Signals) -> NDArray[np.float32]:
    """(n_windows, 26) features as the host computes them."""
    features = StressFeatures(_RATES_HZ)
    n_seconds = len(signals["eda"]) // 4
    found = []
    for second in range(n_seconds):
        for name, rate_hz in _RATES_HZ.items():
            n = int(rate_hz)
            features.feed(name, float(second), signals[name][second * n : (second + 1) * n])
        end_s = second + 1.0
        if end_s >= WINDOW_S and end_s % HOP_S == 0:
            found.append(features.compute(end_s).features)
    return np.array(found)


@contextmanager
def scipy_filters() -> Iterator[None]:
    """Let the extractors take scipy's filters for a while."""
    importlib.import_module("scipy.signal")
    modules: tuple[Any, ...] = (bvp, eda)
    for module in modules:
        module.SosFilter = ScipyFilter
    try:
        yield
    finally:
        for module in modules:
            module.SosFilter = SosFilter


def _signals(minutes: int) -> Signals:
    rng = np.random.default_rng(5)
    t = {name: np.arange(int(rate * 60 * minutes)) / rate for name, rate in _RATES_HZ.items()}
    pulse = 40.0 * np.sin(2 * np.pi * 1.2 * t["bvp"] + 0.4 * np.sin(0.3 * t["bvp"]))
    return {
        "bvp": (pulse + rng.normal(0.0, 2.0, len(pulse)))[:, None],
        "eda": (2.0 + 0.2 * np.sin(0.05 * t["eda"]) + rng.normal(0.0, 0.01, len(t["eda"])))[
            :, None
        ],
        "temp": (33.0 + 0.1 * np.sin(0.01 * t["temp"]))[:, None],
        "acc": np.array([0.0, 0.0, 9.81]) + rng.normal(0.0, 0.2, (len(t["acc"]), 3)),
    }


if __name__ == "__main__":
    raise SystemExit(main(rows, "bench.features"))
