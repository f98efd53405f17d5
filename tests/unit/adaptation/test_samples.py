"""Windows, labels and baselines survive the vault exactly."""

from __future__ import annotations

import numpy as np

from firmware_host.adaptation.episodes import Label, LabelSpan
from firmware_host.adaptation.samples import (
    BASELINE_KIND,
    BASELINE_POINTER,
    WINDOW_KIND,
    load_baseline,
    load_windows,
    model_inputs,
    put_baseline,
    window_payload,
)
from firmware_host.signals.normalise import Baseline, normalise
from firmware_host.signals.stress import CHANNELS, StressWindow
from firmware_host.vault.pack import pack, unpack
from firmware_host.vault.records import Vault

from .conftest import N_FEATURES


def _windows(n: int, rng: np.random.Generator) -> list[StressWindow]:
    return [
        StressWindow(
            60.0 + 10 * i,
            rng.normal(size=N_FEATURES).astype(np.float32),
            {name: float(rng.uniform()) for name in CHANNELS},
            float(rng.uniform()),
            bool(rng.integers(0, 2)),
            float(rng.uniform()),
        )
        for i in range(n)
    ]


def test_stored_windows_give_the_model_what_the_live_path_gave(
    vault: Vault, rng: np.random.Generator
) -> None:
    windows = _windows(30, rng)
    # Out of order, as when a board hands in what it kept while disconnected.
    for i in rng.permutation(30).tolist():
        vault.put(WINDOW_KIND, window_payload(windows[i], session=7), 1000.0 + 10 * i)
    table = load_windows(vault, [LabelSpan(Label.REST, 1000.0, 1290.0)])
    baseline = Baseline(rng.normal(size=N_FEATURES), rng.uniform(0.5, 1, N_FEATURES), 9)
    spread = np.ones(N_FEATURES)
    live = [normalise(w.features, w.quality, baseline, spread) for w in windows]
    np.testing.assert_array_equal(model_inputs(table, baseline, spread), live)
    assert table.worn.tolist() == [w.worn for w in windows]
    assert table.motion.tolist() == [w.motion for w in windows]
    assert table.missing.tolist() == [w.missing for w in windows]


def test_only_labelled_time_is_loaded(vault: Vault, rng: np.random.Generator) -> None:
    for i, window in enumerate(_windows(40, rng)):
        vault.put(WINDOW_KIND, window_payload(window, session=1), 10.0 * i)
    spans = [LabelSpan(Label.REST, 95.0, 125.0), LabelSpan(Label.STRESS, 300.0, 310.0)]
    assert load_windows(vault, spans).t_end_utc.tolist() == [100.0, 110.0, 120.0, 300.0, 310.0]
    assert len(load_windows(vault, [])) == 0


def test_baseline_comes_back_with_unknown_features(vault: Vault, rng: np.random.Generator) -> None:
    center = rng.normal(size=N_FEATURES)
    center[3] = np.nan
    first = put_baseline(vault, Baseline(np.zeros(N_FEATURES), np.ones(N_FEATURES), 5), now_utc=1.0)
    put_baseline(vault, Baseline(center, np.ones(N_FEATURES), 12), now_utc=2.0)
    stored = load_baseline(vault)
    assert stored is not None
    record_id, baseline = stored
    assert record_id > first
    assert baseline.n_windows == 12
    np.testing.assert_array_equal(baseline.center, center)


def test_what_another_release_measured_is_not_taken_for_these_features(
    vault: Vault, rng: np.random.Generator
) -> None:
    (window,) = _windows(1, rng)
    payload = window_payload(window, session=1)
    arrays, meta = unpack(payload)
    for i, features in enumerate((meta["features"], "0" * 8, None)):
        vault.put(WINDOW_KIND, pack(arrays, {**meta, "features": features}), 100.0 + 10 * i)
    assert load_windows(vault, [LabelSpan(Label.REST, 0.0, 500.0)]).t_end_utc.tolist() == [100.0]
    put_baseline(vault, Baseline(np.zeros(N_FEATURES), np.ones(N_FEATURES), 5), now_utc=1.0)
    assert load_baseline(vault) is not None
    old = pack({"center": np.zeros(N_FEATURES), "scale": np.ones(N_FEATURES)}, {"n_windows": 5})
    vault.set_pointer(BASELINE_POINTER, vault.put(BASELINE_KIND, old, 2.0))
    assert load_baseline(vault) is None
