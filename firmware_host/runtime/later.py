"""Generic against personal on what came after learning, as it was scored at the time.

Every stress event carries both probabilities, so nothing is re-run: a window counts with the adapter that was in
force when it was seen. Causal by construction.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from firmware_host.inference.contract import TimeControl
from firmware_host.runtime.session import LEARNED_NOTE
from firmware_host.runtime.truth import Truth, span_indices
from firmware_host.scoring import auc, balanced_accuracy, bootstrap_interval

_CLASS = {"rest": 0, "stress": 1}
_RESAMPLES = 500
# The clock's table weighs rest and stress alike.
_CLOCK_THRESHOLD = 0.5


@dataclass(frozen=True, slots=True)
class Score:
    """One model on the later windows: balanced accuracy with a 95 % interval over episodes, and AUC."""

    balanced_accuracy: float
    interval: tuple[float, float]
    auc: float


@dataclass(frozen=True, slots=True)
class Later:
    """The later part, scored; NaN where a class is missing.

    ``coverage`` is the share of labelled windows on which the personal model committed itself to rest or stress;
    ``gain_interval`` the 95 % interval of personal minus generic balanced accuracy over the same resampled episodes.
    """

    since_utc: float
    n_windows: int
    n_episodes: int
    generic: Score
    personal: Score
    time_only: Score
    coverage: float
    gain_interval: tuple[float, float]

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


def later_part(
    events: Iterable[Mapping[str, Any]],
    truth: Truth,
    control: TimeControl,
    *,
    window_s: float,
    threshold: float,
) -> Later | None:
    """Score what came after the first learning job; None if there was none or nothing labelled after it.

    Parameters
    ----------
    events
        Stored events in the order in which they were stored.
    truth
        (start_utc, end_utc, label); labels other than rest and stress are left out. Only windows wholly inside one
        of them count.
    threshold
        P(stress) above which the model calls a window stress.
    """
    rows, since_utc = _scored_after_learning(events)
    if since_utc is None:
        return None
    ends = np.array([row["utc"] for row in rows], dtype=np.float64)
    indices = span_indices(ends, window_s, truth, _CLASS).tolist()
    used = [(row, idx) for row, idx in zip(rows, indices, strict=True) if idx >= 0]
    if not used:
        return None
    y = np.array([_CLASS[truth[idx][2]] for _, idx in used])
    episodes = np.array([idx for _, idx in used])
    t_s = np.array([row["t_s"] for row, _ in used], dtype=np.float32)
    generic = np.array([row["p_generic"] for row, _ in used])
    personal = np.array([row["p_personal"] for row, _ in used])
    decided = [row["state"] in _CLASS for row, _ in used]
    return Later(
        since_utc,
        len(used),
        len(set(episodes.tolist())),
        _score(y, generic, episodes, threshold),
        _score(y, personal, episodes, threshold),
        _score(y, control.probability(t_s).astype(np.float64), episodes, _CLOCK_THRESHOLD),
        float(np.mean(decided)),
        _gain_interval(y, generic > threshold, personal > threshold, episodes),
    )


def _gain_interval(
    y: NDArray[Any], generic: NDArray[Any], personal: NDArray[Any], episodes: NDArray[Any]
) -> tuple[float, float]:
    before, after = (called.astype(np.int64) for called in (generic, personal))

    def gain(idx: NDArray[np.int64]) -> float:
        return balanced_accuracy(y[idx], after[idx]) - balanced_accuracy(y[idx], before[idx])

    rng = np.random.default_rng(0)
    return bootstrap_interval(gain, episodes, rng=rng, n_resamples=_RESAMPLES)


def _scored_after_learning(
    events: Iterable[Mapping[str, Any]],
) -> tuple[list[Mapping[str, Any]], float | None]:
    """Windows scored since the first job, and when that was.

    A recording that is played again after learning shows windows that learning may have seen; those
    do not count, whatever adapter scored them.
    """
    since_utc: float | None = None
    adapter = 0
    # By whole seconds: windows end seconds apart, and times come back from text.
    seen: set[int] = set()
    learned_from: frozenset[int] = frozenset()
    rows = []
    for event in events:
        is_stress = event["kind"] == "stress"
        if _tells_of_learning(event, adapter):
            since_utc = float(event["utc"]) if since_utc is None else since_utc
            learned_from = frozenset(seen)
        if not is_stress:
            continue
        adapter = int(event.get("adapter", 0))
        second = round(event["utc"])
        scored = event["p_generic"] is not None and event["state"] not in ("moving", "exercise")
        if since_utc is not None and scored and second not in learned_from:
            rows.append(event)
        seen.add(second)
    return rows, since_utc


def _tells_of_learning(event: Mapping[str, Any], adapter: int) -> bool:
    # A job between two runs leaves no note, but the next window carries another adapter.
    if event["kind"] == "stress":
        return int(event.get("adapter", 0)) not in (0, adapter)
    return bool(event["kind"] == "stream" and event["what"] == LEARNED_NOTE)


def _score(y: NDArray[Any], p: NDArray[Any], episodes: NDArray[Any], threshold: float) -> Score:
    predicted = (p > threshold).astype(np.int64)

    def resampled(idx: NDArray[np.int64]) -> float:
        return balanced_accuracy(y[idx], predicted[idx])

    if len(np.unique(y)) < 2:
        return Score(math.nan, (math.nan, math.nan), math.nan)
    interval = bootstrap_interval(
        resampled, episodes, rng=np.random.default_rng(0), n_resamples=_RESAMPLES
    )
    return Score(balanced_accuracy(y, predicted), interval, auc(y, p))
