"""A report with every section filled, of any length."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from firmware_host.report import (
    BeforeAfter,
    ChannelHealth,
    Confusion,
    DayStory,
    FeatureShift,
    GaitScores,
    HostCost,
    LedgerEntry,
    LedgerScore,
    Privacy,
    ProbabilityTrack,
    ReportData,
    Signal,
)

START_UTC = 1_790_000_000.0
STATES = ("rest", "stress", "moving", "unsure", "poor_signal", "not_worn")


def _windows(rng: np.random.Generator, n: int) -> dict[str, object]:
    t_utc = START_UTC + 10.0 * np.arange(n)
    generic = rng.random(n)
    return {
        "states": [
            (float(t), float(t) + 10.0, STATES[i])
            for t, i in zip(t_utc, rng.integers(0, 6, n), strict=True)
        ],
        "activities": [(float(t), float(t) + 10.0, "walk" if t % 3 else "still") for t in t_utc],
        "probability": ProbabilityTrack(
            t_utc, generic, generic**2, learned=[(float(t_utc[n // 2]), "stress adapter 2")]
        ),
    }


def _signals(rng: np.random.Generator, seconds: float) -> list[Signal]:
    t_utc = START_UTC + np.arange(0.0, seconds, 0.25)
    slow = START_UTC + np.arange(0.0, seconds, 10.0)
    return [
        Signal("Heart rate", "bpm", slow, 60.0 + rng.normal(0.0, 5.0, slow.size), note="from BVP"),
        Signal("Skin conductance", "µS", t_utc, 2.0 + rng.random(t_utc.size)),
        Signal("Skin temperature", "°C", t_utc, 33.0 + rng.normal(0.0, 0.1, t_utc.size)),
        Signal("Motion", "m/s²", t_utc, np.abs(rng.normal(0.0, 1.0, t_utc.size))),
    ]


def _days() -> list[DayStory]:
    """The day before, with nothing seen, and the day that the report is of."""
    midnight = (START_UTC + 7200.0) // 86_400.0 * 86_400.0 - 7200.0
    walks = [
        (START_UTC + 100.0, START_UTC + 160.0, "wearer"),
        (START_UTC + 200.0, START_UTC + 260.0, "other"),
    ]
    happened = [
        (START_UTC + 30.0, "waits", "learning waits for mains power (on battery now)"),
        (START_UTC + 31.0, "kept", "update kept: better on held-back windows"),
        (START_UTC + 90.0, "rest", "rest learned, found in calm minutes"),
    ]
    return [
        DayStory("Sun 20 Sep", midnight - 86_400.0),
        DayStory("Mon 21 Sep", midnight, walks, happened),
    ]


def _accounts() -> dict[str, object]:
    return {
        "ledger": [
            LedgerEntry(
                START_UTC + 60, "stress adapter 1", "1 episode", "refused", "no held-back episode"
            ),
            LedgerEntry(
                START_UTC + 900,
                "stress adapter 2",
                "3 stress and 4 rest episodes",
                "kept",
                scores=[LedgerScore("balanced accuracy", 0.61, 0.64, 0.8)],
                data_hash="5be8a1b24c7d9f3c",
                adapter_hash="77c2d1e9b24c7d0a",
                seed=12,
                steps=120,
                seconds=6.3,
            ),
        ],
        "privacy": Privacy(
            evidence=["0 sockets were opened."], stored=[("31 windows", "encrypted")]
        ),
        "stream": [
            ChannelHealth("bvp", "au", 64.0, 63.98, 115_164, n_gaps=2, gap_s=1.5),
            ChannelHealth("temp", "°C", 4.0, 3.7, 6660, n_dropped=3),
            ChannelHealth("gyro", "rad/s", 50.0, float("nan"), 0),
        ],
        "link": [("bad CRC", 4), ("skipped bytes", 611)],
        "costs": [HostCost("Resident memory", 58.2, "MB", 64), HostCost("Step", 212, "ms", 100)],
    }


@pytest.fixture
def make_data(rng: np.random.Generator) -> Callable[..., ReportData]:
    def make(*, hours: float = 0.5, **changes: object) -> ReportData:
        seconds = hours * 3600.0
        fields: dict[str, object] = {
            "title": "Afternoon",
            "wearer": "wearer-1",
            "source": "desk.mcap",
            "start_utc": START_UTC,
            "end_utc": START_UTC + seconds,
            "tz_offset_s": 7200.0,
            "made_utc": START_UTC + seconds + 60,
            "made_by": "signet 0.2.0",
            "signals": _signals(rng, seconds),
            "days": _days(),
            "not_worn": [(START_UTC + 600, START_UTC + 660)],
            "labels": [(START_UTC + 100, START_UTC + 400, "stress")],
            "truth": [
                (START_UTC + 90, START_UTC + 420, "stress"),
                (START_UTC + 420, START_UTC + 900, "rest"),
            ],
            "events": [(START_UTC + 100, "button"), (START_UTC + 102, "button")],
            "outcomes": [
                BeforeAfter(
                    "Balanced accuracy", 0.64, 0.80, (0.55, 0.73), (0.72, 0.87), control=0.56
                ),
                BeforeAfter("Log loss", 0.65, 0.70, higher_is_better=False),
            ],
            "gait": GaitScores(rng.normal(0.8, 0.1, 60), rng.normal(0.3, 0.1, 600), 0.55),
            "confusion": Confusion(
                ["rest", "stress"], [[143, 21], [18, 68]], [(0.1, 0.05, 61), (0.9, 0.95, 30)]
            ),
            "baseline": [FeatureShift(f"feature_{i}", float(rng.normal())) for i in range(26)],
            **_windows(rng, int(seconds // 10)),
            **_accounts(),
            **changes,
        }
        return ReportData(**fields)  # type: ignore[arg-type]

    return make
