"""A vault as runs leave it, shared by the tests beside it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np

from firmware_host.adaptation.episodes import LabelSpan
from firmware_host.adaptation.labels import put_label
from firmware_host.adaptation.samples import window_payload
from firmware_host.inference.bundle import load_bundle
from firmware_host.report import ReportData
from firmware_host.runtime.later import Later
from firmware_host.runtime.memory import EVENT_KIND, put_summary
from firmware_host.signals.normalise import Baseline
from firmware_host.signals.stress import CHANNELS, FEATURE_NAMES, StressWindow
from firmware_host.vault.records import Vault

T0 = 1_790_000_000.0
YEARS_S = 3 * 365 * 86_400.0
MADE_UTC = T0 + 10 * YEARS_S


class Life:
    """A vault, and short ways to put into it what runs put there."""

    def __init__(self, vault: Vault) -> None:
        self.vault = vault

    def event(self, kind: str, utc: float, **values: Any) -> None:
        text = json.dumps({"kind": kind, "utc": utc, "t_s": utc - T0, **values})
        self.vault.put(EVENT_KIND, text.encode(), utc, durable=False)

    def note(self, what: str, utc: float, channel: str = "", **detail: Any) -> None:
        self.event("stream", utc, what=what, channel=channel, detail=detail)

    def session(self, utc: float) -> None:
        self.note("session", utc, board="band", firmware="1.0", session=1, n_channels=2)

    def stress(self, utc: float, state: str = "rest", p: float | None = 0.2, **more: Any) -> None:
        values = {"state": state, "p_generic": p, "p_personal": p, "adapter": 0}
        self.event("stress", utc, **values, quality=1.0, motion=0.1, **more)

    def minutes(self, utc: float, n: int, state: str = "rest", p: float | None = 0.2) -> None:
        for i in range(n):
            self.stress(utc + 10.0 * i, state, p)

    def walk(self, utc: float, score: float, wearer: str = "wearer") -> None:
        self.event("wearer", utc, wearer=wearer, score=score, n_windows=3)

    def label(self, name: str, start_utc: float, end_utc: float) -> None:
        span = LabelSpan(name, start_utc, end_utc)  # type: ignore[arg-type]
        put_label(self.vault, span, source="button", now_utc=end_utc)

    def summary(self, utc: float, **changes: Any) -> None:
        channel = {"unit": "au", "declared_hz": 64.0, "measured_hz": 63.9, "n_samples": 64_000}
        values = {
            "board": "band", "firmware": "1.0", "stream_s": 1000.0, "wall_s": 10.0,
            "channels": {"bvp": {**channel, "n_gaps": 1, "missing_samples": 768}},
            "notes": {"session": 1}, "peak_rss_mb": 50.0, "sockets_opened": 0, "learned": [],
            "n_frames": 10, "seen_in_training": False,
        }  # fmt: skip
        put_summary(self.vault, {**values, **changes}, utc=utc)

    def window(self, utc: float, *, worn: bool = True, **features: float) -> None:
        row = np.zeros(len(FEATURE_NAMES), np.float32)
        for name, value in features.items():
            row[FEATURE_NAMES.index(name)] = value
        good = dict.fromkeys(CHANNELS, 1.0)
        payload = window_payload(StressWindow(utc - T0, row, good, 0.1, worn, 0.0), session=1)
        self.vault.put("stress_window", payload, utc, durable=False)


Tell = Callable[..., tuple[ReportData, Later | None]]


def some_baseline(shift: float = 0.0) -> Baseline:
    norm = load_bundle().stress.normalisation
    center = np.array(norm.center) + shift * np.array(norm.spread)
    center[FEATURE_NAMES.index("temp_mean")] = np.nan
    return Baseline(center, np.array(norm.spread), 13)


def some_job(*, kept: bool, adapter_id: int | None = None) -> dict[str, Any]:
    scores = {
        f"{who}_{key}": value
        for who, value in (("generic", 0.7), ("current", 0.75), ("candidate", 0.8))
        for key in ("balanced_accuracy", "log_loss")
    }
    return {
        "what": "personalise", "group": "bias", "kept": kept, "adapter_id": adapter_id,
        "text": "as the gate said", "n_calibration": 90, "n_held_back": 70,
        "n_episodes": [3, 2], "different_episode": True, "seed": 1, "data_sha256": "ab" * 32,
        "candidates": [{"groups": "bias", "steps": 200}],
        "trials": [
            {"group": "bias", "n_windows": 70.0, **scores},
            {"group": "head", "kept": False, "loss_before": None},
        ],
    }  # fmt: skip
