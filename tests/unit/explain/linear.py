"""A linear model, whose answer anybody can work out, and moments for it to answer."""

from __future__ import annotations

from typing import Any

import numpy as np

from firmware_host.adaptation.samples import table_of
from firmware_host.explain.moment import Moment
from firmware_host.signals.normalise import Baseline
from firmware_host.signals.stress import CHANNELS, FEATURE_CHANNELS, FEATURE_NAMES, StressWindow
from training.stress.numpy_model import TableModel

N_FEATURES = len(FEATURE_NAMES)
GOOD = dict.fromkeys(CHANNELS, 1.0)
REST = Baseline(np.zeros(N_FEATURES), np.ones(N_FEATURES), 24)
# Log-odds by unit of z: pulse and skin speak, temperature is deaf, movement speaks against.
WEIGHTS = {"bvp": 0.25, "eda": 0.5, "temp": 0.0, "acc": -0.125}


def linear_model(scale: float = 1.0) -> TableModel:
    source = TableModel.random(seed=3, n_features=N_FEATURES)
    head = np.zeros((2, 16 + N_FEATURES), np.float32)
    head[1, 16:] = [scale * WEIGHTS[channel] for channel in FEATURE_CHANNELS]
    arrays = {**source._frozen, **source._generic, "head_w": head}
    return TableModel(arrays)


def moment_of(rows: list[dict[str, float]], *, said: float | None, **event: Any) -> Moment:
    """Windows every ten seconds; each row gives z by channel, the same for all its features."""
    windows, events = [], []
    for i, z in enumerate(rows):
        t_s = 60.0 + 10.0 * i
        features = np.array([z.get(c, 0.0) for c in FEATURE_CHANNELS], np.float32)
        windows.append((1e9 + t_s, StressWindow(t_s, features, GOOD, 0.05, True, 0.0)))
        stress = {"t_s": t_s, "utc": 1e9 + t_s, "state": "stress", "adapter": 0, "p_personal": said}
        events.append({**stress, "p_generic": said, **event})
    return Moment(events, table_of(windows), [REST], {})
