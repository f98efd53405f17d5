"""From motion to what the wearer does, and whether it is the wearer who walks."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from firmware_host.events import Activity, ActivityScored, AnyEvent, Wearer, WearerVerified
from firmware_host.identity.background import Background
from firmware_host.identity.self_update import SURE, Walk, WalkWatch
from firmware_host.identity.verification import Anchor, Verification, Verifier
from firmware_host.identity.walking import WalkingGate
from firmware_host.inference.base import SignatureModel
from firmware_host.inference.contract import Bundle, GaitContract
from firmware_host.protocol.messages import Channel
from firmware_host.signals.gait import GaitFeatures, GaitWindow
from firmware_host.signals.gait_features import IDENTITY_RATE_HZ
from firmware_host.signals.gait_smoothing import ActivitySmoother
from firmware_host.signals.stepping import GAITS, CadenceTracker
from firmware_host.stream.samples import Samples
from firmware_host.stream.windowing import HopGrid

FloatArray = NDArray[np.float32]
# A window with more of it missing is not looked at.
_MAX_MISSING = 0.2


@dataclass(frozen=True, slots=True)
class WalkingReference:
    """What verification needs: the decision rule and the average person for missing features.

    The wearer's adapter is in the model already; ``anchor`` is what was enrolled, where a later
    reference is in force.
    """

    gate: WalkingGate
    threshold: float
    margin: float
    fill: FloatArray = field(repr=False)
    anchor: Anchor | None = None


class GaitPath:
    """One session's motion windows, scored as they complete.

    Parameters
    ----------
    walking
        The wearer's reference; None if nobody is enrolled or the board has no gyroscope.
    watched
        Is given each window with its probability of walking, for enrolment.
    walked
        Is given each walk that the reference may learn from; None looks for none.
    """

    def __init__(
        self,
        contract: GaitContract,
        channels: tuple[Channel, ...],
        *,
        model: SignatureModel,
        walking: WalkingReference | None,
        watched: Callable[[GaitWindow, float], None],
        walked: Callable[[Walk], None] | None = None,
    ) -> None:
        needed = {need.name for need in contract.channels}
        rates_hz = {c.name: c.rate_hz for c in channels if c.name in needed}
        self._features = GaitFeatures(rates_hz)
        self._grid = HopGrid(rates_hz, window_s=contract.window_s, hop_s=contract.hop_s)
        self._labels = tuple(Activity(label) for label in contract.labels)
        self._walk_idx = self._labels.index(Activity.WALK)
        self._smoother = ActivitySmoother(len(self._labels), hop_s=contract.hop_s)
        self._cadence = CadenceTracker(sample_rate_hz=IDENTITY_RATE_HZ)
        self._model = model
        self._watched = watched
        self._walked = walked
        # As far as the board can tell; else it is worn.
        self._worn_since_s = -math.inf
        self._window_s = contract.window_s
        self._verifier: Verifier | None = None
        self._walks: WalkWatch | None = None
        self.use(walking)

    def use(self, walking: WalkingReference | None) -> None:
        """From now on, tell the wearer by this reference, which the model holds."""
        self._verifier = self._walks = None
        if walking is None:
            return
        self._verifier = Verifier(
            self._model,
            walking.gate,
            threshold=walking.threshold,
            margin=walking.margin,
            fill=walking.fill,
            anchor=walking.anchor,
        )
        if self._walked is not None:
            self._walks = WalkWatch(limit=walking.threshold + walking.margin + SURE)

    def contact(self, *, is_on: bool) -> None:
        """The band is on the skin, or not: a proof of who wears it holds while it is."""
        if self._walks is not None:
            self._walks.contact(is_on=is_on)

    def worn(self, *, is_on: bool, t_s: float) -> None:
        """The board itself says that the band was put on or taken off: off, nobody walks in it."""
        if not is_on:
            self._worn_since_s = math.inf
        elif self._worn_since_s == math.inf:
            self._worn_since_s = t_s

    def take(self, samples: Samples, utc: Callable[[float], float]) -> list[AnyEvent]:
        """Feed samples; the windows they complete, scored."""
        name, n = samples.channel.name, len(samples.values)
        self._features.feed(name, samples.t0_s, samples.values, samples.gap_before_samples)
        t_end_s = samples.t0_s + n / samples.channel.rate_hz
        events: list[AnyEvent] = []
        for end_s in self._grid.advance(name, samples.t0_s, t_end_s):
            events += self._score(self._features.compute(end_s), utc(end_s))
        return events

    def _score(self, window: GaitWindow, utc: float) -> list[AnyEvent]:
        is_whole = window.missing <= _MAX_MISSING
        if not is_whole:
            self._forget_proof()
        if not is_whole or window.t_end_s - self._window_s < self._worn_since_s:
            self._smoother.reset()
            self._cadence.reset()
            return []
        raw = self._model.run("infer", imu=window.inv[None])["activity_probs"][0]
        smooth = self._smoother.update(raw)
        best = int(np.argmax(smooth))
        activity = self._labels[best]
        cadence = self._cadence_of(window, activity)
        p_walk = float(raw[self._walk_idx])
        self._watched(window, p_walk)
        scored = ActivityScored(
            window.t_end_s,
            utc,
            activity,
            float(smooth[best]),
            None if math.isnan(cadence) else cadence,
        )
        return [scored, *self._verify(window, p_walk, utc)]

    def _cadence_of(self, window: GaitWindow, activity: Activity) -> float:
        if activity not in GAITS:
            self._cadence.reset()
            return math.nan
        return self._cadence.update(window.acc_norm_ms2, activity)

    def _verify(self, window: GaitWindow, p_walk: float, utc: float) -> list[AnyEvent]:
        if self._verifier is None:
            return []
        result = self._verifier.add(window, p_walk)
        if not result.used:
            return []
        self._look_for_walk(window, result)
        return [
            WearerVerified(
                window.t_end_s, utc, Wearer(result.decision), result.score, result.n_windows
            )
        ]

    def _look_for_walk(self, window: GaitWindow, result: Verification) -> None:
        if self._walks is None or self._walked is None:
            return
        walk = self._walks.add(window, result)
        if walk is not None:
            self._walked(walk)

    def _forget_proof(self) -> None:
        """In a hole of the stream the band may have changed hands."""
        if self._walks is not None:
            self._walks.forget()


def walking_gate(contract: GaitContract, placement: str) -> WalkingGate:
    """Which windows are good enough to tell a person by, as the bundle says."""
    return WalkingGate(
        contract.thresholds["min_walk_probability"], contract.limit("min_periodicity", placement)
    )


def reference(
    bundle: Bundle, placement: str, *, threshold: float, anchor: Anchor | None = None
) -> WalkingReference:
    """Decision rule of an enrolled wearer."""
    return WalkingReference(
        walking_gate(bundle.gait, placement),
        threshold,
        bundle.gait.limit("verification_margin", placement),
        others(bundle, placement).center,
        anchor,
    )


def others(bundle: Bundle, placement: str) -> Background:
    """Whom a wearer is told from at one placement; its `center` is the average person."""
    return Background.of(bundle.cohort(), placement)
