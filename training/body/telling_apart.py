"""How easily people are told apart by their walk: one plain comparison, the same for both kinds.

Not the product's verification: no whitening, no personal head, no gate. Features of the host,
standardised over all windows of the group, the mean of a person's first minute against windows
from a minute and a half on, by cosine, one threshold for everybody.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from firmware_host.signals.gait import HOP_S
from training.datasets.motion import MotionRecording
from training.gait.verification_metrics import eer
from training.gait.windows import Walks, walks_of

FloatArray = NDArray[np.float64]

_ENROL_UNTIL_S, _PROBE_FROM_S = 60.0, 90.0


def telling_apart(people: Mapping[str, Sequence[MotionRecording]]) -> dict[str, float]:
    """Equal error rate after 5 s and how much of the features' variance lies between people.

    Each person's windows are those of one unbroken walk of over two minutes.
    """
    walks = [walks_of(who, recordings, hop_s=HOP_S) for who, recordings in people.items()]
    walks = [one for one in walks if one.start_s.max() >= _PROBE_FROM_S]
    everything = np.concatenate([one.features for one in walks]).astype(np.float64)
    centre, scale = everything.mean(axis=0), everything.std(axis=0) + 1e-9
    parts = [_parts(one, centre, scale) for one in walks]
    references = _unit(np.stack([enrolled.mean(axis=0) for enrolled, _ in parts]))
    genuine, impostor = [], []
    for who, (_, probes) in enumerate(parts):
        scores = _unit(probes) @ references.T
        genuine.append(scores[:, who])
        impostor.append(np.delete(scores, who, axis=1).ravel())
    return {
        "n_people": len(walks),
        "equal_error_5s": eer(np.concatenate(genuine), np.concatenate(impostor)),
        "variance_between_people": _between_share(walks, centre, scale),
    }


def _parts(walks: Walks, centre: FloatArray, scale: FloatArray) -> tuple[FloatArray, FloatArray]:
    values = (walks.features - centre) / scale
    return values[walks.start_s < _ENROL_UNTIL_S], values[walks.start_s >= _PROBE_FROM_S]


def _unit(rows: FloatArray) -> FloatArray:
    unit: FloatArray = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return unit


def _between_share(walks: Sequence[Walks], centre: FloatArray, scale: FloatArray) -> float:
    """Median over features of the variance of people's means in that of all windows."""
    values = [(one.features - centre) / scale for one in walks]
    means = np.stack([one.mean(axis=0) for one in values])
    within = np.mean([one.var(axis=0) for one in values], axis=0)
    between = means.var(axis=0)
    return float(np.median(between / (between + within + 1e-12)))
