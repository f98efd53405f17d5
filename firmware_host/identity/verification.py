"""Is the enrolled wearer walking? A running mean over the last walking windows, and a threshold."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

from firmware_host.events import Wearer
from firmware_host.identity.walking import EmbeddingModel, FloatArray, WalkingGate, fill_missing
from firmware_host.signals.gait import GaitWindow

# 30 s of walking in windows that overlap by half.
N_WINDOWS = 11
# Under 7.5 s the error is twice that of half a minute: say nothing.
MIN_WINDOWS = 2
# How far the wearer may have grown away from the enrolment before only a new one helps.
ANCHOR_SLACK = 1.0
# Someone else may have put the device on after a pause this long.
FORGET_AFTER_S = 60.0


@dataclass(frozen=True, slots=True)
class Verification:
    """Mean score over the last walking windows, in standard deviations of others', and its meaning.

    `decision` is unsure while there are too few windows or the mean is within the margin of the
    threshold. `used` says whether the window just added counted. `anchor_score` is the mean by the
    reference as it was enrolled, the same as `score` while that is the one in force; NaN if nobody
    asked for it.
    """

    score: float
    decision: Wearer
    n_windows: int
    used: bool
    anchor_score: float = math.nan


class Anchor:
    """The reference as it was enrolled, scored on a model that holds a later one.

    Parameters
    ----------
    enrolled, current
        Adapters, arrays by name, momenta included.
    """

    def __init__(
        self,
        model: EmbeddingModel,
        enrolled: Mapping[str, FloatArray],
        current: Mapping[str, FloatArray],
    ) -> None:
        self._model, self._enrolled, self._current = model, dict(enrolled), dict(current)

    def score(self, features: FloatArray) -> float:
        """Score of (1, F) features; the model holds the later reference again afterwards."""
        self._model.run("set_adapter", **self._enrolled)
        try:
            return float(self._model.run("embed", features=features)["score"][0, 0])
        finally:
            self._model.run("set_adapter", **self._current)


class Verifier:
    """Scores walking windows with the wearer's adapter, which the model must hold.

    Parameters
    ----------
    threshold, margin
        Scores at or above threshold + margin are the wearer, below threshold - margin another.
    fill
        (F,) average person, as in `enrolment.enrol`.
    anchor
        May veto: a walk that it finds `ANCHOR_SLACK` below the threshold is not the wearer's.
    """

    def __init__(
        self,
        model: EmbeddingModel,
        gate: WalkingGate,
        *,
        threshold: float,
        margin: float,
        fill: FloatArray,
        n_windows: int = N_WINDOWS,
        anchor: Anchor | None = None,
    ) -> None:
        self._model, self._gate = model, gate
        self._threshold, self._margin = threshold, margin
        self._fill = fill
        self._anchor = anchor
        # Time, score, score by the anchor.
        self._scores: deque[tuple[float, float, float]] = deque(maxlen=n_windows)

    def add(self, window: GaitWindow, walk_probability: float) -> Verification:
        """Take one window; one that cannot be used leaves the score as it was."""
        self._forget(window.t_end_s)
        used = self._gate.unusable(window, walk_probability) is None
        if used:
            features = fill_missing(window.features(), self._fill)[None]
            score = float(self._model.run("embed", features=features)["score"][0, 0])
            by_anchor = score if self._anchor is None else self._anchor.score(features)
            self._scores.append((window.t_end_s, score, by_anchor))
        return self._decide(used)

    def reset(self) -> None:
        """Forget the walk so far: the device was taken off, or the board restarted."""
        self._scores.clear()

    def _forget(self, t_s: float) -> None:
        if self._scores and abs(t_s - self._scores[-1][0]) > FORGET_AFTER_S:
            self._scores.clear()

    def _decide(self, used: bool) -> Verification:
        n = len(self._scores)
        mean = sum(score for _, score, _ in self._scores) / n if n else 0.0
        by_anchor = sum(score for _, _, score in self._scores) / n if n else 0.0
        counted = min(mean, by_anchor + ANCHOR_SLACK) if self._anchor is not None else mean
        decision = decide(counted, n, self._threshold, self._margin)
        return Verification(counted, decision, n, used, by_anchor)


def decide(score: float, n_windows: int, threshold: float, margin: float) -> Wearer:
    """Turn a mean score over `n_windows` into a decision."""
    if n_windows < MIN_WINDOWS or abs(score - threshold) < margin:
        return Wearer.UNSURE
    return Wearer.WEARER if score >= threshold else Wearer.OTHER
