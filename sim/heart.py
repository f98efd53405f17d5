"""When a simulated heart beats: rate, its variability, breathing in it, and beats that come early."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sim.slow import SlowState, between

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sim.schedule import Piece
    from sim.traits import Traits

    Floats = NDArray[np.float64]

BVP_RATE_HZ = 64
_LOAD_HR_BPM = 68.0
# In work that lasts the heart rate goes on rising, from about the tenth minute (Wingo et al. 2012, Exerc Sport
# Sci Rev 40). How far is an assumption, not measured; in half an hour it comes to 9 /min running and 4 cycling.
_CARDIAC_DRIFT_BPM, _DRIFT_FROM_LOAD = 12.0, 0.25
# Working hands and a meal lift the heart a little without being stress.
_TASK_HR_BPM = {"typing": 2.0, "eating": 5.0}
# Highest in the afternoon, lowest before morning; a round number.
_DAY_HR_BPM, _HIGHEST_AT_H = 3.0, 15.0
# A beat that comes early comes at this share of its interval; the next one waits for the rest of two.
_EARLY = (0.62, 0.8)
# The heart had less time to fill.
_EARLY_PULSE = 0.55


@dataclass(frozen=True, slots=True)
class HeartPiece:
    """One piece of heartbeat.

    Shapes: rr_s, phase (whole numbers are feet), breath (-1..1) and strength (0..1) of the pulse,
    all (64 n_s,); beat_t_s (n,) feet in body seconds; early_t_s (m,) those of early beats.
    """

    rr_s: Floats
    phase: Floats
    breath: Floats
    strength: Floats
    beat_t_s: Floats
    early_t_s: Floats
    breaths_per_min: float


class Heart:
    """One person's heart, piece by piece in order."""

    def __init__(self, traits: Traits) -> None:
        self._traits = traits
        self._slow = SlowState()
        self._breath_phase = 0.0
        self._beat_phase = 0.0

    def advance(
        self, rng: np.random.Generator, piece: Piece, arousal: Floats, load: Floats, hour: float
    ) -> HeartPiece:
        """Next piece; ``arousal`` and ``load`` (n_s + 1,) at whole seconds, ``hour`` of the day."""
        rate_bpm = self._rate_bpm(rng, piece, arousal, load, hour)
        rr_s, breath, breaths_per_min = self._intervals(rng, piece.n_s, rate_bpm, arousal, load)
        before = self._beat_phase
        phase = before + np.cumsum(1.0 / rr_s) / BVP_RATE_HZ
        strength = np.ones(len(rr_s))
        early = self._early_beats(rng, rr_s, phase, before, strength)
        if early:
            phase = before + np.cumsum(1.0 / rr_s) / BVP_RATE_HZ
        self._beat_phase = float(phase[-1]) % 1.0
        beats = piece.start_s + self._feet_s(phase, before)
        early_t_s = piece.start_s + np.array(early, dtype=np.float64) / BVP_RATE_HZ
        nearest = [int(np.argmin(np.abs(beats - t_s))) for t_s in early_t_s]
        return HeartPiece(rr_s, phase, breath, strength, beats, beats[nearest], breaths_per_min)

    @staticmethod
    def _feet_s(phase: Floats, before: float) -> Floats:
        """Seconds from the start of the piece to each foot."""
        feet = np.arange(math.floor(before) + 1, math.floor(phase[-1]) + 1)
        at = np.interp(feet, phase, np.arange(1, len(phase) + 1))
        return np.asarray(at / BVP_RATE_HZ)

    def _rate_bpm(
        self, rng: np.random.Generator, piece: Piece, arousal: Floats, load: Floats, hour: float
    ) -> Floats:
        traits, slow, n_s = self._traits, self._slow, piece.n_s
        normals = rng.standard_normal((3, n_s))
        # Three memories a decade apart sum to about 1/f over the band of a recording.
        drift_bpm = (
            slow.wander("hr8", normals[0], tau_s=8.0, sd=1.1)
            + slow.wander("hr80", normals[1], tau_s=80.0, sd=2.2)
            + slow.wander("hr800", normals[2], tau_s=800.0, sd=2.8)
        )
        task_bpm = _TASK_HR_BPM.get(piece.bout.activity, 0.0)
        busy = slow.relax("busy", np.full(n_s, task_bpm), up_s=20.0, down_s=30.0)
        works = (load[1:] > _DRIFT_FROM_LOAD) * load[1:]
        lasting = slow.relax("lasting", works, up_s=1200.0, down_s=500.0)
        day_bpm = _DAY_HR_BPM * math.cos(math.tau * (hour - _HIGHEST_AT_H) / 24.0)
        return np.asarray(
            traits.rest_hr_bpm + drift_bpm + busy + day_bpm + traits.stress_hr_bpm * arousal
            + _LOAD_HR_BPM * load + _CARDIAC_DRIFT_BPM * lasting
        )  # fmt: skip

    def _intervals(
        self, rng: np.random.Generator, n_s: int, rate_bpm: Floats, arousal: Floats, load: Floats
    ) -> tuple[Floats, Floats, float]:
        """Interval between beats [s], the breathing wave -1..1, (64 n_s,) each; breaths a minute."""
        traits, slow = self._traits, self._slow
        normals = rng.standard_normal((4, n_s))
        vagal = np.clip(1.0 - (1.0 - traits.stress_rmssd_factor) * arousal, 0.3, 1.3)
        vagal *= np.clip(1.0 - 1.1 * load, 0.1, 1.0)
        breath_hz = traits.breath_hz * (1.0 + 0.15 * arousal + 0.5 * load)
        breath_hz += slow.wander("breath", normals[0], tau_s=15.0, sd=0.025)
        phase = self._breath_phase + np.cumsum(between(breath_hz, rate_hz=BVP_RATE_HZ)) / 64
        self._breath_phase = float(phase[-1]) % 1.0
        breath = np.sin(math.tau * phase)
        # Successive differences of a sine at the breathing rate have about 0.9 of its amplitude.
        depth_s = traits.rest_rmssd_ms * 1e-3 / 0.9
        depth = depth_s * vagal * (1.0 + slow.wander("depth", normals[1], tau_s=12.0, sd=0.25))
        mayer_s = (
            0.62 * depth_s * vagal * slow.swing("mayer", normals[2:4], freq_hz=0.095, tau_s=25.0)
        )
        rr_s = between(60.0 / rate_bpm + mayer_s, rate_hz=BVP_RATE_HZ)
        rr_s += between(depth, rate_hz=BVP_RATE_HZ) * breath
        return np.clip(rr_s, 0.3, 1.6), breath, 60.0 * float(breath_hz[1:].mean())

    def _early_beats(
        self,
        rng: np.random.Generator,
        rr_s: Floats,
        phase: Floats,
        before: float,
        strength: Floats,
    ) -> list[int]:
        """Make some beats early, each with a pause after it; gives their places in samples."""
        n_early = int(rng.poisson(self._traits.ectopic_per_hour * len(rr_s) / (3600 * BVP_RATE_HZ)))
        feet = np.rint(self._feet_s(phase, before) * BVP_RATE_HZ).astype(int)[:-3]
        early: list[int] = []
        for first in sorted(rng.choice(feet, min(n_early, len(feet) // 4), replace=False).tolist()):
            length = round(float(rr_s[first]) * BVP_RATE_HZ)
            if early and first < early[-1] + 3 * length:
                continue
            share = float(rng.uniform(*_EARLY))
            place = first + round(share * length)
            rr_s[first:place] *= share
            rr_s[place : first + 2 * length] *= 2.0 - share
            strength[place : first + 2 * length] = _EARLY_PULSE
            early.append(place)
        return early
