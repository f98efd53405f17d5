"""Is an old stressor still known after many days of another one? ``python -m bench.forgetting``.

A made-up wearer meets one stressor on the first days and another one on all later days; each moves
a feature of its own, and the generic model hardly reads either. Windows older than ten days are
forgotten, with the replay set and without it, and one job at the end learns from what is left.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from firmware_host.adaptation.batches import probabilities
from firmware_host.adaptation.episodes import Label, LabelSpan
from firmware_host.adaptation.labels import load_labels, put_label
from firmware_host.adaptation.personalise import personalise
from firmware_host.adaptation.prepare import ModelFacts
from firmware_host.adaptation.recipe import CANDIDATES
from firmware_host.adaptation.samples import WINDOW_KIND, put_baseline, replay_ids, window_payload
from firmware_host.scoring import balanced_accuracy
from firmware_host.signals.normalise import Baseline
from firmware_host.signals.stress import CHANNELS, FEATURE_CHANNELS, FEATURE_NAMES, StressWindow
from firmware_host.vault.records import Vault
from training.stress.numpy_model import TableModel

T0_UTC = 1_767_600_000.0
DAY_S = 86_400.0
N_FEATURES = len(FEATURE_NAMES)
# Features of the skin: pulse quality has no say in them.
_SKIN = [idx for idx, channel in enumerate(FEATURE_CHANNELS) if channel == "eda"]
SPEECH, COLD = _SKIN[1], _SKIN[2]
_FACTS = ModelFacts("ab" * 32, np.ones(N_FEATURES), 60.0, max_motion_ms2=2.0)
_KEEP_DAYS = 10.0


def generic_model() -> TableModel:
    """A network that reads one other feature, weakly."""
    source = TableModel.random(seed=3, n_features=N_FEATURES)
    head = np.zeros((2, 16 + N_FEATURES), np.float32)
    head[:, 16 + _SKIN[0]] = -0.05, 0.05
    arrays = {**source._frozen, **source._generic, "head_w": head}
    return TableModel({**arrays, "head_b": np.zeros(2, np.float32)})


class Life:
    """Days of a wearer: five minutes each of rest, a stressor, and rest, all labelled."""

    def __init__(self, vault: Vault) -> None:
        self.vault = vault
        self.now_utc = T0_UTC
        self._rng = np.random.default_rng(1)
        centre, scale = np.zeros(N_FEATURES), np.full(N_FEATURES, 0.5)
        put_baseline(vault, Baseline(centre, scale, 20), now_utc=0.0)

    def day(self, stressor: int) -> None:
        """Live one day, and the night after it."""
        for label, feature in ((Label.REST, None), (Label.STRESS, stressor), (Label.REST, None)):
            start_utc, self.now_utc = self.now_utc, self.now_utc + 300.0
            ends = np.arange(start_utc + 60.0, self.now_utc + 1e-6, 10.0)
            rows = _windows(self._rng, feature, len(ends))
            stored = [_payload(*pair) for pair in zip(ends, rows, strict=True)]
            self.vault.put_many(WINDOW_KIND, stored)
            span = LabelSpan(label, start_utc, self.now_utc)
            put_label(self.vault, span, source="bench", now_utc=self.now_utc)
        self.now_utc += DAY_S - 900.0

    def forget(self, *, keep_days: float, replays: bool) -> None:
        """Delete old windows, with the replay set spared or not."""
        spared = replay_ids(self.vault, load_labels(self.vault)) if replays else ()
        older_than_utc = self.now_utc - keep_days * DAY_S
        self.vault.prune(WINDOW_KIND, older_than_utc=older_than_utc, spared=spared)

    def told_apart(self) -> dict[int, float]:
        """Balanced accuracy on new windows of either stressor and of rest, after a job."""
        model = generic_model()
        personalise(
            self.vault, model, _FACTS, seed=1, now_utc=self.now_utc, candidates=CANDIDATES[:3]
        )
        rng, truth, found = np.random.default_rng(9), np.repeat([1, 0], 400), {}
        for stressor in (SPEECH, COLD):
            x = np.concatenate([_windows(rng, kind, 400) for kind in (stressor, None)])
            # As the host normalises them: by half the wearer's spread and half the typical one.
            p_stress = probabilities(model, (x / 0.75).astype(np.float32))[:, 1]
            found[stressor] = float(balanced_accuracy(truth, (p_stress > 0.5).astype(np.int64)))
        return found


def _windows(rng: np.random.Generator, feature: int | None, n: int) -> np.ndarray:
    rows = rng.normal(0.0, 0.25, (n, N_FEATURES)).astype(np.float32)
    if feature is not None:
        rows[:, feature] += 0.6
    return rows


def _payload(end_utc: float, features: np.ndarray) -> tuple[bytes, float]:
    trust = dict.fromkeys(CHANNELS, 1.0)
    window = StressWindow(end_utc - T0_UTC, features, trust, 0.1, True, 0.0)
    return window_payload(window, session=1), float(end_utc)


def known(n_first: int, n_later: int, *, replays: bool) -> dict[int, float]:
    """How well both stressors are told from rest after so many days of the first and the other."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with Vault.create(folder / "vault", folder / "key") as vault:
            life = Life(vault)
            for stressor in [SPEECH] * n_first + [COLD] * n_later:
                life.day(stressor)
            life.forget(keep_days=_KEEP_DAYS, replays=replays)
            return life.told_apart()


def main(argv: Sequence[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m bench.forgetting", description=__doc__)
    parser.add_argument("--first", type=int, default=3, help="days of the first stressor")
    args = parser.parse_args(argv)
    print("| days of the other stressor | replay set: first, other | without: first, other |")
    print("|---|---|---|")
    for n_later in (0, 3, 6, 12, 24, 48):
        with_it, without = (known(args.first, n_later, replays=on) for on in (True, False))
        cells = (f"{one[SPEECH]:.2f}, {one[COLD]:.2f}" for one in (with_it, without))
        print(f"| {n_later} | {' | '.join(cells)} |", flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
