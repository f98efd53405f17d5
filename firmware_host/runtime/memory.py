"""What a run writes to the vault, in batches: events, windows, labels, baselines."""

from __future__ import annotations

import json
import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from firmware_host.adaptation import ledger
from firmware_host.adaptation.compared import compared_ids
from firmware_host.adaptation.episodes import LabelSpan
from firmware_host.adaptation.labels import given_labels, load_labels, put_label
from firmware_host.adaptation.preferences import CueAnswer, put_cue_answer
from firmware_host.adaptation.samples import (
    WINDOW_KIND,
    Rest,
    put_baseline,
    replay_ids,
    rest_in_force,
    window_payload,
)
from firmware_host.errors import LabelError, StorageError, VaultError
from firmware_host.events import AnyEvent, Labelled, to_json
from firmware_host.recording.labels import Span, is_said
from firmware_host.runtime.baseline import FRESH_S, Source, TimedWindow
from firmware_host.runtime.stored_before import StoredBefore
from firmware_host.signals.normalise import Baseline
from firmware_host.signals.resting import QUIET_UNTIL_S
from firmware_host.vault.pack import pack, unpack
from firmware_host.vault.records import Vault

EVENT_KIND = "event"
SUMMARY_KIND = "run_summary"
SOURCE_KIND = "baseline_source"
CUE_NOTE = "cue"
# Writes wait for this many records or this much stream time: a memory card dislikes many small ones.
_BATCH_RECORDS = 500
_BATCH_S = 60.0
# Live, somebody may pull the plug at any moment: less is at stake, and ten seconds pass in ten seconds.
LIVE_BATCH_S = 10.0
_DAY_S = 86_400.0
# While the disk is full this much waits in memory, an hour or two of a busy day; then the oldest go.
_MOST_WAITING = 5_000
# Old records are looked for at the start and then this often.
_PRUNE_EVERY_S = 6 * 3600.0


class Memory:
    """Collects what a run has to keep and writes it in batches; `flush` writes at once.

    A cut between two batches loses at most the last ``batch_s`` seconds of events and windows, nothing older.
    On a full disk what is to be kept waits for room, in bounds, and ``trouble`` says so.
    """

    def __init__(self, vault: Vault, *, keep_days: float) -> None:
        self.vault = vault
        self._keep_s = keep_days * _DAY_S
        self._last_prune_utc = -math.inf
        self._events: list[tuple[bytes, float]] = []
        self._windows: list[tuple[bytes, float]] = []
        self._last_flush_utc: float | None = None
        self.batch_s = _BATCH_S
        self.trouble: StorageError | None = None
        """Why the latest attempt to write failed; None while there is room."""
        self.n_lost = 0
        """Events and windows given up because there was no room for too long."""
        self._owed: deque[Callable[[], object]] = deque()
        # A recording played twice says nothing new the second time.
        self._stored_windows = StoredBefore(vault, WINDOW_KIND)
        self._stored_events = StoredBefore(vault, EVENT_KIND)
        # Those taken back too: a replay of their recording, or of a part of it with times of its own, must
        # not bring them back.
        before = [label.span for label in given_labels(vault)]
        self._labels_before = [_said(span) for span in before]
        self._known_labels = {_key(span) for span in before}

    def take_window(self, timed: TimedWindow) -> None:
        """Keep a window for learning."""
        payload = window_payload(timed.window, session=timed.session)
        if not self._stored_windows.has(payload, timed.utc):
            self._windows.append((payload, timed.utc))

    def take_events(self, events: Iterable[AnyEvent]) -> None:
        """Keep events; a label among them is stored as a label too, once."""
        for event in events:
            payload = to_json(event).encode()
            if not self._stored_events.has(payload, event.utc):
                self._events.append((payload, event.utc))
            if isinstance(event, Labelled):
                self._take_label(event)
            if self._last_flush_utc is None:
                self._last_flush_utc = event.utc
            self._flush_if_due(event.utc)

    def take_baseline(self, baseline: Baseline, source: Source, utc: float) -> None:
        """A new baseline is in force, durably."""
        self._try(self.flush)
        # The day's rest goes on with the line, so that what was learned stays in force; a label of rest
        # too, or whoever labels every day would lose it every day.
        self._put(lambda: _put_baseline(self.vault, baseline, source, utc, goes_on=True))

    def flush(self) -> None:
        """Write what is waiting, all of it or none.

        Raises
        ------
        StorageError
            If there is no room; it goes on waiting.
        """
        while self._owed:
            self._owed[0]()
            self._owed.popleft()
        if self._events or self._windows:
            with self.vault.transaction(durable=False):
                self.vault.put_many(WINDOW_KIND, self._windows)
                self.vault.put_many(EVENT_KIND, self._events)
            self._events, self._windows = [], []
        self.trouble = None

    def take_cue_answer(self, answer: CueAnswer, *, cue_utc: float, utc: float) -> None:
        """Keep whether the wearer found a cue right."""
        self._put(lambda: put_cue_answer(self.vault, answer, cue_utc=cue_utc, now_utc=utc))

    def _put(self, act: Callable[[], object]) -> None:
        """Write at once what counts by itself, or as soon as there is room."""
        if self._owed or not self._try(act):
            self._owed.append(act)

    def _try(self, act: Callable[[], object]) -> bool:
        try:
            act()
        except StorageError as err:
            self.trouble = err
            return False
        return True

    def new_labels(self) -> list[LabelSpan]:
        """Labels that somebody else stored since the last look, such as ``signet label``."""
        fresh = [span for span in load_labels(self.vault) if _key(span) not in self._known_labels]
        self._known_labels |= {_key(span) for span in fresh}
        return fresh

    def _prune_if_due(self, utc: float) -> None:
        """Forget windows and events older than the wearer wants them kept; labels and adapters stay.

        So do the windows that a label or a comparison speaks of, in bounds: without them old stressors
        are forgotten.
        """
        if utc - self._last_prune_utc < _PRUNE_EVERY_S:
            return
        self._last_prune_utc = utc
        needed = replay_ids(self.vault, load_labels(self.vault)) | compared_ids(self.vault)
        for kind in (WINDOW_KIND, EVENT_KIND):
            self.vault.prune(kind, older_than_utc=utc - self._keep_s, spared=needed)

    def _take_label(self, event: Labelled) -> None:
        try:
            word: Any = event.label
            span = LabelSpan(word, event.start_utc, event.end_utc, event.on_board)
        except LabelError:
            return
        if _key(span) in self._known_labels or is_said(_said(span), self._labels_before):
            return
        self._known_labels.add(_key(span))
        self._put(lambda: put_label(self.vault, span, source=event.source, now_utc=event.utc))

    def _flush_if_due(self, utc: float) -> None:
        waited_s = utc - (self._last_flush_utc or utc)
        n_waiting = len(self._events) + len(self._windows)
        is_much = n_waiting >= _BATCH_RECORDS and self.trouble is None
        if is_much or not 0 <= waited_s < self.batch_s:
            self._last_flush_utc = utc
            if self._try(self.flush):
                self._try(lambda: self._prune_if_due(utc))
            else:
                self._give_up_oldest()

    def _give_up_oldest(self) -> None:
        for waiting in (self._events, self._windows):
            n_too_many = max(0, len(waiting) - _MOST_WAITING)
            del waiting[:n_too_many]
            self.n_lost += n_too_many


def put_guided_baseline(vault: Vault, baseline: Baseline, *, utc: float) -> None:
    """Put a baseline in force that the wearer sat still for, to begin anew with."""
    _put_baseline(vault, baseline, Source.GUIDED, utc, goes_on=False)


def _put_baseline(
    vault: Vault, baseline: Baseline, source: Source, utc: float, *, goes_on: bool
) -> None:
    before = _rest_before(vault)
    is_same_day = before is not None and abs(utc - before.taken_utc) < FRESH_S
    facts = {"what": "baseline", "source": source.value, "n_windows": baseline.n_windows}
    with vault.transaction():
        record_id = put_baseline(
            vault,
            baseline,
            now_utc=utc,
            since_utc=before.since_utc if before and is_same_day else utc - QUIET_UNTIL_S,
            line_id=before.line_id if before and goes_on else None,
        )
        vault.put(SOURCE_KIND, pack({}, {"source": source.value}), utc)
        ledger.append(vault, {**facts, "baseline_id": record_id}, now_utc=utc)


def _rest_before(vault: Vault) -> Rest | None:
    try:
        return rest_in_force(vault)
    except VaultError:
        return None


def stored_events(vault: Vault, *, since_id: int = 0) -> Iterator[dict[str, Any]]:
    """Every event of earlier runs as plain values, oldest first."""
    for record in vault.iterate(EVENT_KIND, since_id, skip_damaged=True):
        yield json.loads(record.payload)


def nearest_cue_utc(vault: Vault, utc: float) -> float | None:
    """Time of the cue nearest to a moment, of those up to a day away; None if there was none."""
    records = vault.iterate(
        EVENT_KIND, since_utc=utc - _DAY_S, until_utc=utc + _DAY_S, skip_damaged=True
    )
    events = (json.loads(record.payload) for record in records)
    cues = [e["utc"] for e in events if e["kind"] == "stream" and e["what"] == CUE_NOTE]
    return min(cues, key=lambda cue_utc: abs(cue_utc - utc), default=None)


def stored_source(vault: Vault) -> Source | None:
    """Where the baseline in force came from."""
    try:
        record = vault.latest(SOURCE_KIND)
    except VaultError:
        return None
    return None if record is None else Source(unpack(record.payload)[1]["source"])


def put_summary(vault: Vault, summary: dict[str, Any], *, utc: float) -> None:
    """Keep the counts of a finished run for `status` and `report`."""
    vault.put(SUMMARY_KIND, pack({}, summary), utc)


def stored_summaries(vault: Vault) -> list[dict[str, Any]]:
    """Counts of every finished run, oldest first."""
    return [unpack(record.payload)[1] for record in vault.iterate(SUMMARY_KIND, skip_damaged=True)]


def _said(span: LabelSpan) -> Span:
    return (span.start_utc, span.end_utc, span.label.value)


def _key(span: LabelSpan) -> tuple[str, float, float, float | None]:
    """Of one run: the same host time pressed twice is another time, because the clock was set back."""
    start_s = None if span.on_board is None else span.on_board.start_s
    return (span.label.value, round(span.start_utc, 3), round(span.end_utc, 3), start_s)
