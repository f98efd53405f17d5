"""What was labelled long ago is still learned from, in bounds; and what forgetting costs without it."""

from __future__ import annotations

import numpy as np
import pytest

from bench.forgetting import COLD, DAY_S, SPEECH, T0_UTC, Life
from firmware_host.adaptation.episodes import Label, LabelSpan
from firmware_host.adaptation.labels import load_labels, remove_label, stored_labels
from firmware_host.adaptation.replay import replay_set
from firmware_host.adaptation.samples import WINDOW_KIND, load_windows, replay_ids
from firmware_host.runtime.memory import Memory
from firmware_host.vault.records import Vault

REST, STRESS = Label.REST, Label.STRESS


def _spans_and_windows(
    n_windows: list[int], *, label: Label = STRESS
) -> tuple[list[LabelSpan], list[tuple[int, float]]]:
    """One episode a day, of so many windows; ids count on from 1."""
    spans, windows = [], []
    for day, n in enumerate(n_windows):
        start_utc = T0_UTC + day * DAY_S
        spans.append(LabelSpan(label, start_utc, start_utc + 60.0 + 10.0 * n))
        windows += [(len(windows) + i + 1, start_utc + 60.0 + 10.0 * i) for i in range(n)]
    return spans, windows


def test_everything_labelled_is_kept_while_it_fits() -> None:
    spans, windows = _spans_and_windows([25, 25, 8])
    unlabelled = (99, T0_UTC + 0.5 * DAY_S)
    assert replay_set(spans, [*windows, unlabelled], max_windows=58) == {i for i, _ in windows}


def test_full_set_keeps_every_episode_and_thins_the_long_ones() -> None:
    spans, windows = _spans_and_windows([10, 100, 300])
    chosen = replay_set(spans, windows, max_windows=200)
    shares = [len(chosen & set(range(*part))) for part in ((1, 11), (11, 111), (111, 411))]
    # Half of the room is for rest, of which there is none.
    assert shares == [10, 45, 45]
    # Thinned evenly: first and last of an episode stay, and no long hole opens.
    kept = sorted(chosen & set(range(111, 411)))
    assert (kept[0], kept[-1]) == (111, 410)
    assert max(np.diff(kept)) <= 7


def test_old_episodes_do_not_give_way_to_new_ones() -> None:
    spans, windows = _spans_and_windows([25] * 400)
    chosen = replay_set(spans, windows, max_windows=512)
    days = {(i - 1) // 25 for i in chosen}
    assert len(chosen) <= 256
    assert {0, 399} <= days
    assert len(days) == 256 // 8
    assert max(np.diff(sorted(days))) <= 13


def test_both_classes_have_half_of_a_full_set() -> None:
    stress, some = _spans_and_windows([100] * 3)
    rest, more = _spans_and_windows([1000] * 3, label=REST)
    moved = [LabelSpan(REST, s.start_utc + 40_000, s.end_utc + 40_000) for s in rest]
    windows = [*some, *((i + 1000, t + 40_000) for i, t in more)]
    chosen = replay_set([*stress, *moved], windows, max_windows=400)
    n_stress = len(chosen & {i for i, _ in some})
    assert (n_stress, len(chosen) - n_stress) == (200, 200)


def _forget_as_a_run_does(vault: Vault, *, utc: float, keep_days: float) -> None:
    Memory(vault, keep_days=keep_days)._prune_if_due(utc)


@pytest.mark.parametrize("replays", [True, False])
def test_old_stressor_is_still_learned_from_after_many_days(vault: Vault, replays: bool) -> None:
    life = Life(vault)
    for stressor in [SPEECH] * 4 + [COLD] * 8:
        life.day(stressor)
    if replays:
        _forget_as_a_run_does(vault, utc=life.now_utc, keep_days=7.0)
    else:
        life.forget(keep_days=7.0, replays=False)
    first_utc = load_windows(vault, load_labels(vault)).t_end_utc.min()
    assert bool(first_utc < T0_UTC + DAY_S) is replays
    found = life.told_apart()
    assert found[COLD] > 0.75
    # Without the replay set the first stressor is no better known than by chance.
    assert found[SPEECH] > 0.62 if replays else found[SPEECH] < 0.56


def test_windows_without_a_label_are_forgotten_and_so_are_those_of_a_label_taken_back(
    vault: Vault,
) -> None:
    life = Life(vault)
    for _ in range(3):
        life.day(SPEECH)
    vault.put_many(WINDOW_KIND, [(b"unlabelled", T0_UTC + 5_000.0)])
    n_windows = vault.count(WINDOW_KIND)
    remove_label(vault, stored_labels(vault)[0].id, now_utc=life.now_utc)
    _forget_as_a_run_does(vault, utc=life.now_utc + 40 * DAY_S, keep_days=30.0)
    # One label of 25 windows was taken back; the last of them ends where the next label begins.
    assert vault.count(WINDOW_KIND) == n_windows - 1 - 24
    assert len(replay_ids(vault, load_labels(vault))) == 9 * 25 - 24


@pytest.mark.parametrize("n", [1, 7])
def test_room_for_less_than_there_are_classes_is_no_error(n: int) -> None:
    spans, windows = _spans_and_windows([25, 25])
    assert len(replay_set(spans, windows, max_windows=n)) <= n
