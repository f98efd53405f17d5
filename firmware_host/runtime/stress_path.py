"""From samples to stress states: windows, the wearer's baseline, both models, smoothing, not knowing."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from firmware_host.events import State, StressScored
from firmware_host.inference.base import SignatureModel
from firmware_host.inference.contract import StressContract
from firmware_host.protocol.messages import Channel
from firmware_host.runtime.baseline import TimedWindow, WearerBaseline
from firmware_host.signals.effort import (
    MIN_EXERCISE_RISE_BPM,
    SustainedEffort,
    heart_rise_bpm,
)
from firmware_host.signals.normalise import normalise
from firmware_host.signals.smoothing import LogitEma
from firmware_host.signals.stress import StressFeatures, StressWindow
from firmware_host.stream.samples import Samples
from firmware_host.stream.windowing import HopGrid

_STRESS_CLASS = 1


class StressPath:
    """One session's stress windows, scored as they complete.

    Parameters
    ----------
    generic, personal
        Two models of the same file: one as shipped, one with the wearer's adapter. Both see every window,
        so that what learning changed is known at any time.
    remember
        Takes each window, for later learning.
    """

    def __init__(
        self,
        contract: StressContract,
        channels: tuple[Channel, ...],
        *,
        generic: SignatureModel,
        personal: SignatureModel,
        baseline: WearerBaseline,
        session: int,
        remember: Callable[[TimedWindow], None],
    ) -> None:
        needed = {need.name for need in contract.channels}
        rates_hz = {c.name: c.rate_hz for c in channels if c.name in needed}
        self._contract = contract
        self._features = StressFeatures(rates_hz, window_s=contract.window_s)
        self._grid = HopGrid(rates_hz, window_s=contract.window_s, hop_s=contract.hop_s)
        self._models = (generic, personal)
        self._smoothers = tuple(
            LogitEma(time_constant_s=contract.smoothing_s) for _ in self._models
        )
        self._effort = SustainedEffort(time_constant_s=contract.effort_s)
        self._baseline = baseline
        self._remember = remember
        self._session = session
        # The stream time since which the band is on skin, by the board's word: infinity while it is not. Its first
        # word that it is tells no change: a host that comes later hears it as of then.
        self._on_skin_since_s = -math.inf
        self._spread = np.asarray(contract.normalisation.spread, dtype=np.float64)
        self.adapter = 0

    def contact(self, *, is_on: bool, t_s: float) -> None:
        """The board itself says that the band was put on or taken off."""
        if not is_on:
            self._on_skin_since_s = math.inf
        elif self._on_skin_since_s == math.inf:
            self._on_skin_since_s = t_s

    def take(self, samples: Samples, utc: Callable[[float], float]) -> list[StressScored]:
        """Feed samples; the windows they complete, scored."""
        name, n = samples.channel.name, len(samples.values)
        self._features.feed(name, samples.t0_s, samples.values, samples.gap_before_samples)
        t_end_s = samples.t0_s + n / samples.channel.rate_hz
        due = self._grid.advance(name, samples.t0_s, t_end_s)
        return [self._score(self._features.compute(end_s), utc(end_s)) for end_s in due]

    def _score(self, window: StressWindow, utc: float) -> StressScored:
        timed = TimedWindow(window, utc, self._session)
        self._remember(timed)
        self._baseline.watch(timed)
        effort_ms2 = self._effort.update(window.motion, window.t_end_s)
        known = self._not_scorable(window)
        if known is not None:
            return self._result(window, utc, known, None)
        p = self._probabilities(window)
        return self._result(window, utc, self._state(window, effort_ms2, p[1]), p)

    def _result(
        self,
        window: StressWindow,
        utc: float,
        state: State,
        p: tuple[float, float] | None,
    ) -> StressScored:
        generic, personal = p or (None, None)
        quality = _usable_share(window)
        return StressScored(
            window.t_end_s,
            utc,
            state,
            generic,
            personal,
            self.adapter,
            quality,
            window.motion,
            window.quality,
        )

    def _not_scorable(self, window: StressWindow) -> State | None:
        if not window.worn or self._was_off(window):
            return State.NOT_WORN
        if not self._is_readable(window):
            return State.POOR_SIGNAL
        if self._baseline.current is None:
            return State.LEARNING_BASELINE
        return None

    def _is_readable(self, window: StressWindow) -> bool:
        # Without a pulse the model falls back to skin and movement; without skin it has little.
        thresholds, quality = self._contract.thresholds, window.quality
        return (
            quality["eda"] >= thresholds["min_quality"]
            and quality["bvp"] >= thresholds["min_pulse_quality"]
        )

    def _was_off(self, window: StressWindow) -> bool:
        return window.t_end_s - self._contract.window_s < self._on_skin_since_s

    def _probabilities(self, window: StressWindow) -> tuple[float, float]:
        baseline = self._baseline.current
        assert baseline is not None
        z = normalise(
            window.features,
            window.quality,
            baseline,
            self._spread,
            clip=self._contract.normalisation.clip,
        )
        generic, personal = (
            smoother.update(_stress_logit(model, z), window.t_end_s)
            for model, smoother in zip(self._models, self._smoothers, strict=True)
        )
        calibration = self._contract.calibration
        return calibration.probability(generic), calibration.probability(personal)

    def _state(self, window: StressWindow, effort_ms2: float, p_stress: float) -> State:
        thresholds = self._contract.thresholds
        if effort_ms2 > thresholds["max_effort_ms2"]:
            is_exercise = self._rise_bpm(window) >= MIN_EXERCISE_RISE_BPM
            return State.EXERCISE if is_exercise else State.MOVING
        if window.motion > thresholds["max_motion_ms2"]:
            return State.MOVING
        if thresholds["unsure_low"] < p_stress < thresholds["unsure_high"]:
            return State.UNSURE
        return State.STRESS if p_stress > thresholds["stress"] else State.REST

    def _rise_bpm(self, window: StressWindow) -> float:
        """Heart rate above the wearer's rest; NaN, which is above nothing, without a pulse."""
        baseline = self._baseline.current
        assert baseline is not None
        return float(heart_rise_bpm(window.features, baseline.center))


def _usable_share(window: StressWindow) -> float:
    """Quality of the worse of the two signals that an answer rests on."""
    return min(window.quality["bvp"], window.quality["eda"])


def _stress_logit(model: SignatureModel, z: NDArray[np.float32]) -> float:
    logits = model.run("infer", x=z[None, :])["logits"][0]
    return float(logits[_STRESS_CLASS] - logits[1 - _STRESS_CLASS])
