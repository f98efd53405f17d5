"""A generic model that reads one feature, and a wearer whose feature lies elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from firmware_host.adaptation.episodes import Label, LabelSpan
from firmware_host.adaptation.labels import put_label
from firmware_host.adaptation.prepare import ModelFacts
from firmware_host.adaptation.samples import WINDOW_KIND, window_payload
from firmware_host.signals.stress import CHANNELS, FEATURE_CHANNELS, FEATURE_NAMES, StressWindow
from firmware_host.vault.records import Vault
from training.stress.numpy_model import TableModel

N_FEATURES = len(FEATURE_NAMES)
# An EDA feature: its z is not shrunk by pulse quality.
FEATURE = FEATURE_CHANNELS.index("eda")
T0_UTC = 1_767_600_000.0


def skip_model(weight: float = 1.0, *, bias: float = 0.0) -> TableModel:
    """Logit of stress = weight * z[FEATURE] + bias; the hidden part is silent but can learn."""
    source = TableModel.random(seed=3, n_features=N_FEATURES)
    arrays = {**source._frozen, **source._generic}
    head = np.zeros((2, 16 + N_FEATURES), np.float32)
    head[1, 16 + FEATURE], head[0, 16 + FEATURE] = weight / 2, -weight / 2
    head_b = np.array([-bias / 2, bias / 2], np.float32)
    return TableModel({**arrays, "head_w": head, "head_b": head_b})


@pytest.fixture
def model() -> TableModel:
    return skip_model()


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[Vault]:
    with Vault.create(tmp_path / "vault", tmp_path / "key") as opened:
        yield opened


@pytest.fixture
def facts() -> ModelFacts:
    return ModelFacts("ab" * 32, np.ones(N_FEATURES), 60.0, max_motion_ms2=2.0)


@dataclass
class Day:
    """A wearer's day, told stage by stage into a vault.

    With `seed` the feature is `level` plus small noise; baseline z divides by about one half, so
    a level of 1 is a z of about 2.
    """

    vault: Vault
    rng: np.random.Generator = field(default_factory=lambda: np.random.default_rng(11))
    now_utc: float = T0_UTC

    def stage(
        self,
        label: Label | None,
        level: float,
        *,
        minutes: float = 5.0,
        worn: bool = True,
        quality: float = 1.0,
        motion: float = 0.1,
    ) -> LabelSpan | None:
        """Store a stage's windows, every 10 s, and its label."""
        start_utc = self.now_utc
        self.now_utc += 60.0 * minutes
        ends = np.arange(start_utc + 60.0, self.now_utc + 1e-6, 10.0)
        items = []
        for end_utc in ends:
            features = self.rng.normal(0.0, 0.1, N_FEATURES).astype(np.float32)
            features[FEATURE] += level
            trust = dict.fromkeys(CHANNELS, quality)
            window = StressWindow(end_utc - T0_UTC, features, trust, motion, worn, 0.0)
            items.append((window_payload(window, session=1), float(end_utc)))
        self.vault.put_many(WINDOW_KIND, items)
        if label is None:
            return None
        span = LabelSpan(label, start_utc, self.now_utc)
        put_label(self.vault, span, source="test", now_utc=self.now_utc)
        return span


@pytest.fixture
def day(vault: Vault) -> Day:
    return Day(vault)
