from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from firmware_host.adaptation.episodes import Label, LabelSpan
from firmware_host.adaptation.labels import load_labels, put_label, remove_label, stored_labels
from firmware_host.adaptation.preferences import Comparison, put_comparison
from firmware_host.adaptation.samples import WINDOW_KIND
from firmware_host.errors import StorageError
from firmware_host.events import Labelled, OnBoard, StreamNoted
from firmware_host.runtime.baseline import TimedWindow
from firmware_host.runtime.memory import EVENT_KIND, Memory, stored_events
from firmware_host.signals.stress import FEATURE_NAMES, StressWindow
from firmware_host.vault.keys import make_key_file
from firmware_host.vault.records import Vault

DAY_S = 86_400.0


@pytest.fixture
def vault(tmp_path: Path):
    with Vault.create(tmp_path / "state", tmp_path / "key") as opened:
        yield opened


def _note(utc: float) -> StreamNoted:
    return StreamNoted(utc - 1e9, utc, "gap", "bvp", {"missing_samples": 3})


def test_events_come_back_in_order(vault: Vault) -> None:
    memory = Memory(vault, keep_days=30)
    memory.take_events([_note(1e9 + i) for i in range(1200)])
    memory.flush()
    assert [e["t_s"] for e in stored_events(vault)] == [float(i) for i in range(1200)]


def test_label_heard_twice_is_stored_once(vault: Vault) -> None:
    memory = Memory(vault, keep_days=30)
    label = Labelled(5.0, 1e9 + 400, "stress", 1e9, 1e9 + 300, "button")
    memory.take_events([label, label])
    again = Memory(vault, keep_days=30)
    again.take_events([label])
    assert len(load_labels(vault)) == 1


def test_events_played_twice_are_stored_once(vault: Vault) -> None:
    played = [_note(1e9 + i) for i in range(0, 9000, 60)]
    for _ in range(3):
        memory = Memory(vault, keep_days=30)
        memory.take_events(played)
        memory.flush()
    assert vault.count(EVENT_KIND) == len(played)


def test_windows_played_twice_are_stored_once(vault: Vault) -> None:
    row = np.arange(len(FEATURE_NAMES), dtype=np.float32)
    windows = [
        TimedWindow(StressWindow(t, row, {}, 0.1, True, 0.0), 1e9 + t, session=4)
        for t in (60.0, 70.0, 3600.0)
    ]
    for _ in range(2):
        memory = Memory(vault, keep_days=30)
        for timed in windows:
            memory.take_window(timed)
        memory.flush()
    assert vault.count(WINDOW_KIND) == 3


def test_what_differs_at_the_same_time_is_kept(vault: Vault) -> None:
    for missing in (3, 3, 4):
        memory = Memory(vault, keep_days=30)
        memory.take_events([StreamNoted(0.0, 1e9, "gap", "bvp", {"missing_samples": missing})])
        memory.flush()
    assert vault.count(EVENT_KIND) == 2


def test_live_run_never_looks_into_the_past(vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    first = Memory(vault, keep_days=30)
    first.take_events([_note(1e9)])
    first.flush()
    live = Memory(vault, keep_days=30)
    monkeypatch.setattr(Vault, "iterate", None)
    live.take_events([_note(1e9 + i) for i in range(1, 50)])


def test_label_taken_back_stays_so_when_its_recording_is_replayed(vault: Vault) -> None:
    label = Labelled(5.0, 1e9 + 400, "stress", 1e9, 1e9 + 300, "button")
    Memory(vault, keep_days=30).take_events([label])
    remove_label(vault, stored_labels(vault)[0].id, now_utc=1e9 + 500)
    Memory(vault, keep_days=30).take_events([label])
    assert load_labels(vault) == []


def _pressed(start_s: float, *, shift_s: float = 0.0) -> Labelled:
    """A label of five minutes, at the same host time whenever it began on the board."""
    start_utc, end_utc = 1e9 + shift_s, 1e9 + 300 + shift_s
    on_board = OnBoard(4, start_s, start_s + 300, start_utc)
    return Labelled(5.0, 1e9 + 400, "stress", start_utc, end_utc, "button", on_board)


def test_same_host_time_pressed_twice_is_two_labels_that_a_replay_adds_nothing_to(
    vault: Vault,
) -> None:
    presses = [_pressed(10.0), _pressed(3610.0)]
    Memory(vault, keep_days=30).take_events(presses)
    assert [span.on_board for span in load_labels(vault)] == [x.on_board for x in presses]
    # The whole recording, and one without its beginning: stream time and the clock's fit are others.
    for replayed in (presses, [_pressed(2.0, shift_s=0.02)]):
        Memory(vault, keep_days=30).take_events(replayed)
        assert len(load_labels(vault)) == 2


def test_label_of_an_earlier_release_is_known_when_its_presses_are_replayed(vault: Vault) -> None:
    put_label(vault, LabelSpan(Label.STRESS, 1e9, 1e9 + 300), source="button", now_utc=1e9 + 301)
    Memory(vault, keep_days=30).take_events([_pressed(10.0)])
    assert load_labels(vault) == [LabelSpan(Label.STRESS, 1e9, 1e9 + 300)]


def test_label_from_another_process_is_noticed_once(vault: Vault) -> None:
    memory = Memory(vault, keep_days=30)
    put_label(vault, LabelSpan(Label.REST, 1e9, 1e9 + 300), source="cli", now_utc=1e9 + 301)
    assert [span.label for span in memory.new_labels()] == [Label.REST]
    assert memory.new_labels() == []


def test_old_events_are_forgotten_and_labels_stay(vault: Vault) -> None:
    memory = Memory(vault, keep_days=2)
    memory.take_events([_note(1e9), Labelled(0.0, 1e9, "rest", 1e9 - 300, 1e9, "button")])
    memory.flush()
    memory.take_events([_note(1e9 + 3 * DAY_S), _note(1e9 + 3 * DAY_S + 1)])
    memory.flush()
    assert min(e["utc"] for e in stored_events(vault)) >= 1e9 + DAY_S
    assert vault.count(EVENT_KIND) == 2
    assert len(load_labels(vault)) == 1
    assert vault.count(WINDOW_KIND) == 0


def test_key_file_is_made_private(tmp_path: Path) -> None:
    make_key_file(tmp_path / "key")
    assert (tmp_path / "key").stat().st_mode & 0o077 == 0


def test_windows_that_a_comparison_speaks_of_outlast_the_others(vault: Vault) -> None:
    row = np.zeros(len(FEATURE_NAMES), np.float32)
    memory = Memory(vault, keep_days=2)
    for t_s in np.arange(0.0, 1800.0, 60.0):
        memory.take_window(TimedWindow(StressWindow(t_s, row, {}, 0.1, True, 0.0), 1e9 + t_s, 4))
    memory.take_events([_note(1e9)])
    memory.flush()
    put_comparison(vault, Comparison(1e9 + 300, 1e9 + 900), now_utc=1e9 + 2000)
    memory.take_events([_note(1e9 + 3 * DAY_S), _note(1e9 + 3 * DAY_S + 1)])
    memory.flush()
    left = sorted(
        t_utc - 1e9 for _, t_utc in vault.times(WINDOW_KIND, since_utc=0.0, until_utc=2e9)
    )
    assert left == [300.0, 360.0, 420.0, 900.0, 960.0, 1020.0]


class _NoRoom:
    """A vault whose disk is full while it is told so."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.is_full = True
        self.n_refused = 0
        put_many = Vault.put_many

        def refuse(vault: Vault, *arguments: object, **more: object) -> list[int]:
            if self.is_full:
                self.n_refused += 1
                raise StorageError("vault: expected room to write, got a full disk")
            return put_many(vault, *arguments, **more)

        monkeypatch.setattr(Vault, "put_many", refuse)


def test_full_disk_loses_nothing_that_finds_room_later(
    vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory = Memory(vault, keep_days=30)
    disk = _NoRoom(monkeypatch)
    label = Labelled(400.0, 1e9 + 400, "stress", 1e9, 1e9 + 300, "button")
    memory.take_events([_note(1e9 + i) for i in range(1000)])
    memory.take_events([label])
    assert isinstance(memory.trouble, StorageError)
    assert 1 < disk.n_refused < 30
    with pytest.raises(StorageError, match="full disk"):
        memory.flush()
    disk.is_full = False
    memory.take_events([_note(1e9 + i) for i in range(1000, 1100)])
    assert memory.trouble is None
    memory.flush()
    assert memory.n_lost == 0
    assert len(list(stored_events(vault))) == 1101
    assert len(load_labels(vault)) == 1


def test_disk_that_is_full_for_long_costs_the_oldest_and_they_are_counted(
    vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory = Memory(vault, keep_days=30)
    disk = _NoRoom(monkeypatch)
    memory.take_events([_note(1e9 + i) for i in range(6000)])
    disk.is_full = False
    memory.take_events([_note(1e9 + 7000)])
    memory.flush()
    kept = [event["t_s"] for event in stored_events(vault)]
    assert 900 < memory.n_lost < 1100
    assert len(kept) + memory.n_lost == 6001
    assert kept[-2:] == [5999.0, 7000.0]
