"""Is the enrolled wearer walking? A running mean over the last walking windows, and a threshold."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from firmware_host.events import Wearer
from firmware_host.identity.walking import EmbeddingModel, FloatArray, WalkingGate, fill_missing
from firmware_host.signals.gait import GaitWindow

# 30 s of walking in windows that overlap by half.
N_WINDOWS = 11
# Under 7.5 s the error is twice that of half a minute: say nothing.
MIN_WINDOWS = 2
# Someone else may have put the device on after a pause this long.
FORGET_AFTER_S = 60.0


@dataclass(frozen=True, slots=True)
class Verification:
    """Mean score over the last walking windows, in standard deviations of others', and its meaning.

    `decision` is unsure while there are too few windows or the mean is within the margin of the
    threshold. `used` says whether the window just added counted.
    """

    score: float
    decision: Wearer
    n_windows: int
    used: bool


class Verifier:
    """Scores walking windows with the wearer's adapter, which the model must hold.

    Parameters
    ----------
    threshold, margin
        Scores at or above threshold + margin are the wearer, below threshold - margin another.
    fill
        (F,) average person, as in `enrolment.enrol`.
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
    ) -> None:
        self._model, self._gate = model, gate
        self._threshold, self._margin = threshold, margin
        self._fill = fill
        self._scores: deque[tuple[float, float]] = deque(maxlen=n_windows)

    def add(self, window: GaitWindow, walk_probability: float) -> Verification:
        """Take one window; one that cannot be used leaves the score as it was."""
        self._forget(window.t_end_s)
        used = self._gate.unusable(window, walk_probability) is None
        if used:
            features = fill_missing(window.features(), self._fill)[None]
            score = float(self._model.run("embed", features=features)["score"][0, 0])
            self._scores.append((window.t_end_s, score))
        return self._decide(used)

    def reset(self) -> None:
        """Forget the walk so far: the device was taken off, or the board restarted."""
        self._scores.clear()

    def _forget(self, t_s: float) -> None:
        if self._scores and abs(t_s - self._scores[-1][0]) > FORGET_AFTER_S:
            self._scores.clear()

    def _decide(self, used: bool) -> Verification:
        n = len(self._scores)
        mean = sum(score for _, score in self._scores) / n if n else 0.0
        return Verification(mean, decide(mean, n, self._threshold, self._margin), n, used)


def decide(score: float, n_windows: int, threshold: float, margin: float) -> Wearer:
    """Turn a mean score over `n_windows` into a decision."""
    if n_windows < MIN_WINDOWS or abs(score - threshold) < margin:
        return Wearer.UNSURE
    return Wearer.WEARER if score >= threshold else Wearer.OTHER
