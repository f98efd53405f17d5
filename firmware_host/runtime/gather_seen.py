"""What a report is made from, read once: events, windows, labels and summaries of one vault."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from firmware_host.adaptation.labels import load_labels
from firmware_host.adaptation.samples import WINDOW_KIND, has_these_features
from firmware_host.inference.contract import Bundle
from firmware_host.runtime.memory import stored_events, stored_summaries
from firmware_host.runtime.truth import Truth
from firmware_host.stream.samples import Note
from firmware_host.vault.pack import unpack
from firmware_host.vault.records import Vault

Event = Mapping[str, Any]
FloatArray = NDArray[np.float64]

# Windows come every 10 s; a longer silence than this is time without a recording.
_PAUSE_S = 120.0
STRESS_NAMES = ("rest", "stress")


@dataclass(frozen=True, slots=True)
class Windows:
    """Stored stress windows by time: t_utc (n,), features (n, 26), quality (n, 4), motion (n,), worn (n,) bool."""

    t_utc: FloatArray
    features: FloatArray
    quality: FloatArray
    motion: FloatArray
    worn: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Seen:
    """One vault's content for a report.

    ``stored`` are the events as they were stored; ``stress``, ``activity``, ``wearer`` and ``notes`` are by time,
    and where a recording was played twice only what was said last.
    """

    bundle: Bundle
    stored: Sequence[Event]
    stress: Sequence[Event]
    activity: Sequence[Event]
    wearer: Sequence[Event]
    notes: Sequence[Event]
    labels: Truth
    truth: Truth
    summaries: Sequence[Event]

    @property
    def times_utc(self) -> FloatArray:
        """Times of all events, ordered."""
        return np.sort(np.array([e["utc"] for e in self.stored], dtype=np.float64))

    @property
    def recorded_s(self) -> float:
        """Time with events in it, pauses between runs left out."""
        steps = np.diff(self.times_utc)
        return float(steps[steps <= _PAUSE_S].sum())

    @property
    def n_unfinished(self) -> int:
        """Runs that began and left no summary: cut off, or running still."""
        begun: int = sum(note["what"] == Note.SESSION for note in self.notes)
        finished = sum(int(s["notes"].get(Note.SESSION, 0)) for s in self.summaries)
        return max(0, begun - finished)

    @property
    def stress_reference(self) -> tuple[Truth, str]:
        """Spans of rest and stress to score against, and whose word they are."""
        if any(name in STRESS_NAMES for _, _, name in self.truth):
            return self.truth, "the label file given for this report"
        return self.labels, "the wearer's labels, which learning used too"


def read_vault(vault: Vault, bundle: Bundle, truth: Truth) -> Seen:
    """Everything but the windows."""
    stored = [event for event in stored_events(vault) if event["utc"] is not None]
    by_kind: dict[str, list[Event]] = {}
    for event in stored:
        by_kind.setdefault(event["kind"], []).append(event)
    return Seen(
        bundle=bundle,
        stored=stored,
        stress=_last_said(by_kind.get("stress", [])),
        activity=_last_said(by_kind.get("activity", [])),
        wearer=_last_said(by_kind.get("wearer", [])),
        notes=_last_said(by_kind.get("stream", [])),
        labels=[(s.start_utc, s.end_utc, s.label.value) for s in load_labels(vault)],
        truth=truth,
        summaries=stored_summaries(vault),
    )


def read_windows(vault: Vault) -> Windows:
    """Every stored stress window of this release's features, by time."""
    stored = ((r.t_utc, *unpack(r.payload)) for r in vault.iterate(WINDOW_KIND, skip_damaged=True))
    by_time = {t_utc: arrays for t_utc, arrays, meta in stored if has_these_features(meta)}
    times = sorted(by_time)
    rows = [by_time[t] for t in times]
    return Windows(
        np.array(times, dtype=np.float64),
        np.array([row["features"] for row in rows], dtype=np.float64),
        np.array([row["quality"] for row in rows], dtype=np.float64),
        np.array([row["facts"][1] for row in rows], dtype=np.float64),
        np.array([row["worn"] for row in rows], dtype=np.bool_),
    )


def column(events: Sequence[Event], key: str) -> FloatArray:
    """(n,) values of a key, NaN where there is none."""
    return np.array([np.nan if e[key] is None else e[key] for e in events], dtype=np.float64)


def _last_said(events: Iterable[Event]) -> list[Event]:
    by_time = {(e["utc"], e.get("what"), e.get("channel")): e for e in events}
    return sorted(by_time.values(), key=lambda event: float(event["utc"]))
