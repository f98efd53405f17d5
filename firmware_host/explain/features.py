"""Single features of a moment: their value, the wearer's rest, and what each did to the answer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from firmware_host.explain.answer import Answer, masked_logits
from firmware_host.explain.moment import Moment
from firmware_host.inference.base import SignatureModel
from firmware_host.runtime.feature_words import FEATURE_WORDS
from firmware_host.signals.stress import FEATURE_CHANNELS, FEATURE_NAMES


@dataclass(frozen=True, slots=True)
class FeatureEffect:
    """One feature in words: its value in the last window and at rest, in `unit`, and its effect.

    `effect` is what the answer would lose, in calibrated log-odds, with this one feature at rest.
    Features of a channel overlap, so effects do not add up to the channel's share.
    """

    name: str
    channel: str
    unit: str
    value: float
    at_rest: float
    effect: float


def feature_effects(
    moment: Moment, answer: Answer, model: SignatureModel, *, smoothing_s: float, slope: float
) -> list[FeatureEffect]:
    """Every feature, the strongest effect first; those of an unreadable channel have none."""
    n_features = len(FEATURE_NAMES)
    keep = np.concatenate([np.ones((1, n_features)), 1.0 - np.eye(n_features)]).astype(np.float32)
    by_row = masked_logits(model, answer.scored, keep, {0: None, **moment.adapters}, smoothing_s)
    effects = slope * (by_row[0] - by_row[1:])
    values, center = moment.table.features[-1], answer.baseline.center
    found = [
        FeatureEffect(
            words.name,
            FEATURE_CHANNELS[i],
            words.unit,
            words.value(float(values[i])),
            words.value(float(center[i])),
            float(effects[i]),
        )
        for i, words in enumerate(FEATURE_WORDS[name] for name in FEATURE_NAMES)
    ]
    return sorted(found, key=lambda effect: -abs(effect.effect))
