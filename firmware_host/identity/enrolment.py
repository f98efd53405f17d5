"""Learn how one wearer walks from about a minute of walking."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from firmware_host.errors import EnrolmentError
from firmware_host.identity.walking import EmbeddingModel, Unusable, WalkingGate, fill_missing
from firmware_host.signals.gait import HOP_S, WINDOW_S, GaitWindow

FloatArray = NDArray[np.float32]

# 60 s of walking in 5 s windows that overlap by half.
N_WINDOWS = round((60.0 - WINDOW_S) / HOP_S) + 1
# Half a minute: with less the error is twice as high.
MIN_WINDOWS = 11
_BATCH = 16
_N_STEPS = 300
# Largest steps that converge smoothly: the head's curvature is about 0.09 F / 4 with F = 421.
_HEAD_RATE = 0.02
# Pull to the generic head; 0.02 to 0.2 gave the same error rates.
_ANCHOR = 0.07
# One in so many others sets the scale of the scores.
_SCALE_SHARE = 5
# Of scores: below it a head has learned nothing that could be scaled.
_MIN_SPREAD = 1e-3
# So many windows rejected in a row mean that the wearer should be told why.
_STUCK_AFTER = 4

_ADVICE = {
    Unusable.GAPS: "samples are missing: check the link to the board",
    Unusable.NOT_WALKING: "not walking: walk on level ground",
    Unusable.NOT_PERIODIC: "steps are uneven: walk steadily, arms free",
}


@dataclass(frozen=True, slots=True)
class Progress:
    """How far enrolment is; `stuck` says in words what to change, None while it advances."""

    n_windows: int
    needed: int
    stuck: str | None

    @property
    def done(self) -> bool:
        """Whether enough was collected."""
        return self.n_windows >= self.needed

    @property
    def share(self) -> float:
        """0..1."""
        return min(1.0, self.n_windows / self.needed)


@dataclass(frozen=True, slots=True, eq=False)
class Enrolled:
    """One wearer's reference: mean embedding (D,), adapter arrays by name, decision threshold.

    `features` (n, F) are the windows it was made of; none in references of earlier releases.
    """

    template: FloatArray
    adapter: Mapping[str, FloatArray]
    threshold: float
    n_windows: int
    features: FloatArray = field(default_factory=lambda: np.zeros((0, 0), np.float32), repr=False)


class Enrolment:
    """Collects the usable walking windows of a wearer."""

    def __init__(self, gate: WalkingGate, *, needed: int = N_WINDOWS) -> None:
        self._gate = gate
        self._needed = needed
        self._features: list[FloatArray] = []
        self._rejected: Counter[Unusable] = Counter()
        self._rejected_in_a_row = 0
        self._last: Unusable | None = None

    def add(self, window: GaitWindow, walk_probability: float) -> Progress:
        """Take a window if it can be used; windows after enough were collected are ignored."""
        reason = self._gate.unusable(window, walk_probability)
        if reason is None:
            self._rejected_in_a_row = 0
            if len(self._features) < self._needed:
                self._features.append(window.features())
        else:
            self._rejected[reason] += 1
            self._rejected_in_a_row += 1
        self._last = reason
        return self.progress()

    def progress(self) -> Progress:
        """How far it is, and what holds it up."""
        stuck = None
        if self._last is not None and self._rejected_in_a_row >= _STUCK_AFTER:
            stuck = _ADVICE[self._last]
        return Progress(len(self._features), self._needed, stuck)

    def features(self) -> FloatArray:
        """(n_windows, F) collected so far.

        Raises
        ------
        EnrolmentError
            If there are fewer than half a minute's worth; names the commonest obstacle.
        """
        if len(self._features) < MIN_WINDOWS:
            commonest = self._rejected.most_common(1)
            reason = _ADVICE[commonest[0][0]] if commonest else "no walking was recorded"
            raise EnrolmentError(reason, n_windows=len(self._features), needed=MIN_WINDOWS)
        return np.stack(self._features)


def enrol(
    model: EmbeddingModel,
    features: FloatArray,
    cohort: FloatArray,
    *,
    threshold: float,
    fill: FloatArray,
    rng: np.random.Generator,
    lora_rate: float = 0.0,
) -> Enrolled:
    """Train the personal head of `model` on the wearer's windows against the cohort's.

    The model is reset first and keeps the wearer's adapter afterwards. Its scores then have mean 0
    and standard deviation 1 over others, so one threshold means the same for every wearer.

    Parameters
    ----------
    features
        (n, F) of the wearer; NaN where the board has no gyroscope.
    cohort
        (m, F) of others, complete; one in five sets the scale and is not trained on.
    threshold
        Score from which on a walk counts as the wearer's; chosen on people other than the wearer.
    fill
        (F,) average person: replaces NaN, and hides the same features of the cohort, so that a
        missing gyroscope does not become what the wearer is told by.

    Raises
    ------
    EnrolmentError
        If there are too few windows, or training did not end in finite values.
    """
    n = len(features)
    if n < MIN_WINDOWS:
        raise EnrolmentError("too little walking", n_windows=n, needed=MIN_WINDOWS)
    own = fill_missing(features, fill)
    unknown = np.isnan(features).all(axis=0)
    others = np.where(unknown, fill, cohort).astype(np.float32) if unknown.any() else cohort
    model.run("reset")
    order = rng.permutation(len(others))
    n_scale = len(others) // _SCALE_SHARE
    loss = _train(model, own, others, order[n_scale:], rng, lora_rate)
    if not math.isfinite(loss):
        model.run("reset")
        raise EnrolmentError("training diverged", n_windows=n, needed=MIN_WINDOWS)
    embeddings = np.concatenate(
        [model.run("embed", features=row[None])["embedding"] for row in own]
    )
    mean = embeddings.mean(axis=0)
    template = (mean / max(float(np.linalg.norm(mean)), 1e-12)).astype(np.float32)
    adapter = _scaled(model, others, order[:n_scale])
    model.run("set_adapter", **adapter)
    return Enrolled(template, adapter, threshold, n, np.asarray(features, np.float32))


def _scaled(
    model: EmbeddingModel, others: FloatArray, chosen: NDArray[np.int64]
) -> dict[str, FloatArray]:
    """The adapter with its head shifted and scaled so that others' scores are standard normal."""
    rows = [model.run("embed", features=others[i][None])["score"][0, 0] for i in chosen]
    mean, sd = float(np.mean(rows)), max(float(np.std(rows)), _MIN_SPREAD)
    adapter = model.run("get_adapter")
    head = {
        "head_w": adapter["head_w"] / np.float32(sd),
        "head_b": (adapter["head_b"] - np.float32(mean)) / np.float32(sd),
    }
    return {**adapter, **head}


def _train(
    model: EmbeddingModel,
    own: FloatArray,
    others: FloatArray,
    chosen: NDArray[np.int64],
    rng: np.random.Generator,
    lora_rate: float,
) -> float:
    """Half of each batch the wearer, half of the chosen others; the rate falls to zero.

    Gives the last loss.
    """
    half = _BATCH // 2
    y = np.repeat(np.array([1.0, 0.0], np.float32), half)[:, None]
    weight = np.ones(_BATCH, np.float32)
    anchor = np.array([_ANCHOR], np.float32)
    own_order, other_order = _Cycle(len(own), rng), _Cycle(len(chosen), rng)
    loss = math.nan
    for step in range(_N_STEPS):
        fade = 0.5 * (1.0 + math.cos(math.pi * step / _N_STEPS))
        lr = np.array([_HEAD_RATE * fade, _HEAD_RATE * fade, lora_rate * fade], np.float32)
        rows = np.concatenate((own[own_order.take(half)], others[chosen[other_order.take(half)]]))
        out = model.run("train", features=rows, y=y, weight=weight, lr=lr, anchor=anchor)
        loss = float(out["loss"][0])
        if not math.isfinite(loss):
            break
    return loss


class _Cycle:
    """Row numbers in random order, every row once before any comes again."""

    def __init__(self, n: int, rng: np.random.Generator) -> None:
        self._n, self._rng = n, rng
        self._left = np.zeros(0, dtype=np.int64)

    def take(self, count: int) -> NDArray[np.int64]:
        while len(self._left) < count:
            self._left = np.concatenate((self._left, self._rng.permutation(self._n)))
        taken, self._left = self._left[:count], self._left[count:]
        return taken
