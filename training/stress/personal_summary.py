"""Whom learning helped and whom it hurt, and what of that is noise."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

from firmware_host.scoring import auc, balanced_accuracy, bootstrap_interval, log_loss

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from training.stress.personal import Row

# Changes of balanced accuracy smaller than this are a window or two: neither help nor harm.
NOISE = 0.01
HARM = 0.05


def summarise_rows(rows: Sequence[Row], *, seed: int) -> dict[str, Any]:
    """Means over people, who was helped and who was hurt, and an interval over people."""
    if not rows:
        return {"n_people": 0, "people": []}
    people = [_person(row) for row in rows]
    values = {
        (side, name): np.array([person[side][name] for person in people])
        for side in ("generic", "personal")
        for name in ("balanced_accuracy", "log_loss")
    }
    gain = values["personal", "balanced_accuracy"] - values["generic", "balanced_accuracy"]
    loss_rise = values["personal", "log_loss"] - values["generic", "log_loss"]
    low, high = bootstrap_interval(
        lambda chosen: float(gain[chosen].mean()),
        np.arange(len(gain)),
        rng=np.random.default_rng(seed),
    )
    worst = int(np.argmin(gain))
    return {
        "n_people": len(rows),
        "n_seen_in_training": sum(row.seen_in_training for row in rows),
        "n_same_task": sum(row.same_task for row in rows),
        "balanced_accuracy_generic": float(values["generic", "balanced_accuracy"].mean()),
        "balanced_accuracy_personal": float(values["personal", "balanced_accuracy"].mean()),
        "gain": float(gain.mean()),
        "gain_interval_95": [low, high],
        "log_loss_generic": float(values["generic", "log_loss"].mean()),
        "log_loss_personal": float(values["personal", "log_loss"].mean()),
        "n_helped": int((gain > NOISE).sum()),
        "n_hurt": int((gain < -NOISE).sum()),
        "n_hurt_over_5_points": int((gain < -HARM).sum()),
        "n_log_loss_worse": int((loss_rise > NOISE).sum()),
        "worst_change": float(gain[worst]),
        "worst_person": rows[worst].person,
        "updates": dict(sorted(Counter(row.group or row.reason for row in rows).items())),
        "people": people,
    }


def _person(row: Row) -> dict[str, Any]:
    return {
        "person": row.person,
        "seen_in_training": row.seen_in_training,
        "same_task": row.same_task,
        "kept": row.kept,
        "group": row.group,
        "reason": row.reason,
        "n_test": len(row.truth),
        "generic": _scores(row.truth, row.p_generic, row.threshold),
        "personal": _scores(row.truth, row.p_personal, row.threshold),
    }


def _scores(truth: NDArray[np.int64], p: NDArray[np.float64], threshold: float) -> dict[str, float]:
    return {
        "balanced_accuracy": balanced_accuracy(truth, (p > threshold).astype(np.int64)),
        "log_loss": log_loss(truth, p, balanced=True),
        "auc": auc(truth, p),
    }
