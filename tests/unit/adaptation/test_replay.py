"""What was labelled long ago is still learned from, in bounds; and what forgetting costs without it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from firmware_host.adaptation.batches import probabilities
from firmware_host.adaptation.episodes import Label, LabelSpan
from firmware_host.adaptation.labels import load_labels, put_label, remove_label, stored_labels
from firmware_host.adaptation.personalise import personalise
from firmware_host.adaptation.prepare import ModelFacts
from firmware_host.adaptation.recipe import CANDIDATES
from firmware_host.adaptation.replay import replay_set
from firmware_host.adaptation.samples import (
    WINDOW_KIND,
    load_windows,
    put_baseline,
    replay_ids,
    window_payload,
)
from firmware_host.runtime.memory import Memory
from firmware_host.scoring import balanced_accuracy
from firmware_host.signals.normalise import Baseline
from firmware_host.signals.stress import CHANNELS, FEATURE_CHANNELS, StressWindow
from firmware_host.vault.records import Vault

from .conftest import N_FEATURES, T0_UTC, skip_model

REST, STRESS = Label.REST, Label.STRESS
DAY_S = 86_400.0
# Two stressors that move different features; the generic model hardly reads either.
_EDA = [idx for idx, channel in enumerate(FEATURE_CHANNELS) if channel == "eda"]
SPEECH, COLD = _EDA[1], _EDA[2]


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


class Life:
    """Days of a wearer: rest, a stressor, and rest; what is old is forgotten as in a run."""

    def __init__(self, vault: Vault) -> None:
        self.vault = vault
        self._rng = np.random.default_rng(1)
        self.now_utc = T0_UTC
        centre, scale = np.zeros(N_FEATURES), np.full(N_FEATURES, 0.5)
        put_baseline(vault, Baseline(centre, scale, 20), now_utc=0.0)

    def day(self, stressor: int) -> None:
        for label, feature in ((REST, None), (STRESS, stressor), (REST, None)):
            start_utc, self.now_utc = self.now_utc, self.now_utc + 300.0
            ends = np.arange(start_utc + 60.0, self.now_utc + 1e-6, 10.0)
            rows = windows_of(self._rng, feature, len(ends))
            trust = dict.fromkeys(CHANNELS, 1.0)
            stored = [
                (
                    window_payload(StressWindow(t - T0_UTC, x, trust, 0.1, True, 0.0), session=1),
                    float(t),
                )
                for t, x in zip(ends, rows, strict=True)
            ]
            self.vault.put_many(WINDOW_KIND, stored)
            span = LabelSpan(label, start_utc, self.now_utc)
            put_label(self.vault, span, source="test", now_utc=self.now_utc)
        self.now_utc += DAY_S - 900.0

    def told_apart(self, facts: ModelFacts) -> dict[int, float]:
        """Balanced accuracy on new windows of either stressor, after a job."""
        model = skip_model(0.1)
        personalise(
            self.vault, model, facts, seed=1, now_utc=self.now_utc, candidates=CANDIDATES[:3]
        )
        rng, y, found = np.random.default_rng(9), np.repeat([1, 0], 400), {}
        for stressor in (SPEECH, COLD):
            x = np.concatenate([windows_of(rng, kind, 400) for kind in (stressor, None)])
            # As the host normalises them: by half the wearer's spread and half the typical one.
            p_stress = probabilities(model, (x / 0.75).astype(np.float32))[:, 1]
            found[stressor] = float(balanced_accuracy(y, (p_stress > 0.5).astype(np.int64)))
        return found


def windows_of(rng: np.random.Generator, feature: int | None, n: int) -> np.ndarray:
    x = rng.normal(0.0, 0.25, (n, N_FEATURES)).astype(np.float32)
    if feature is not None:
        x[:, feature] += 0.6
    return x


def _forget_as_a_run_does(vault: Vault, *, utc: float, keep_days: float) -> None:
    Memory(vault, keep_days=keep_days)._prune_if_due(utc)


def test_old_stressor_is_still_learned_from_after_many_days(
    tmp_path: Path, facts: ModelFacts
) -> None:
    found = {}
    for name in ("kept", "pruned"):
        with Vault.create(tmp_path / name, tmp_path / f"{name}.key") as vault:
            life = Life(vault)
            for stressor in [SPEECH] * 4 + [COLD] * 8:
                life.day(stressor)
            if name == "kept":
                _forget_as_a_run_does(vault, utc=life.now_utc, keep_days=7.0)
            else:
                vault.prune(WINDOW_KIND, older_than_utc=life.now_utc - 7.0 * DAY_S)
            first = load_windows(vault, load_labels(vault)).t_end_utc
            assert bool(first.min() < T0_UTC + DAY_S) is (name == "kept")
            found[name] = life.told_apart(facts)
    assert found["kept"][COLD] > 0.75
    assert found["kept"][SPEECH] > 0.62
    # Without the replay set the first stressor is no better known than by chance.
    assert found["pruned"][SPEECH] < 0.55


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
