"""Heart, skin and warmth of a simulated person: BVP, EDA and skin temperature."""

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
EDA_RATE_HZ = 4
TEMP_RATE_HZ = 4
AMBIENT_DEGC = 24.0
_NOISE_HZ = 5
_STREAM = 2
# Exercise raises the heart rate within half a minute and lets it fall more slowly.
_LOAD = {"walk": 0.3, "stairs": 0.65, "run": 1.0}
_LOAD_HR_BPM = 68.0
# Working hands and a meal lift the heart a little without being stress.
_TASK_HR_BPM = {"typing": 2.0, "eating": 5.0}


@dataclass(frozen=True, slots=True)
class Stressor:
    """How strongly one kind of task drives heart and skin, as a share of the person's response."""

    heart: float
    skin: float


_STRESSORS = {
    "none": Stressor(0.0, 0.0),
    "arithmetic": Stressor(1.0, 0.95),
    "speech": Stressor(1.15, 1.1),
    "stroop": Stressor(0.85, 0.9),
    "call": Stressor(1.0, 1.0),
    "deadline": Stressor(0.9, 0.85),
}
# Skin conductance response: rises in about 0.75 s, halves in about 2 s (Boucsein 2012, ch. 2.2).
_SCR_RISE_S, _SCR_DECAY_S = 0.75, 3.2
_SCR_LENGTH_S = 25


def _scr_kernel() -> Floats:
    t_s = np.arange(_SCR_LENGTH_S * EDA_RATE_HZ) / EDA_RATE_HZ
    shape = np.exp(-t_s / _SCR_DECAY_S) - np.exp(-t_s / _SCR_RISE_S)
    return np.asarray(shape / shape.max())


_SCR_KERNEL = _scr_kernel()


def pulse_table(traits: Traits) -> Floats:
    """(257,) one beat of BVP over its phase 0..1, foot at 0, mean 0 and standard deviation 1.

    The proportions (foot twice as deep as the peak is high, shoulder at half the cycle) are those
    of averaged E4 beats.
    """
    phase = np.arange(257) / 256

    def bump(centre: float, width: float) -> Floats:
        distance = (phase - centre + 0.5) % 1.0 - 0.5
        return np.asarray(np.exp(-0.5 * (distance / width) ** 2))

    beat = (
        bump(traits.upstroke, 0.09)
        + traits.dicrotic * bump(traits.upstroke + 0.25, 0.10)
        - 1.1 * bump(0.0, 0.075)
        - 0.35 * bump(0.87, 0.09)
    )
    beat -= beat[:-1].mean()
    return np.asarray(beat / beat[:-1].std())


@dataclass(frozen=True, slots=True)
class Vitals:
    """Signals of one piece and what is true about them.

    Shapes: bvp (64 n_s,) au; eda (4 n_s,) µS; temp (4 n_s,) °C of the skin or the air; beats (n,)
    times of the beats' feet in body seconds.
    """

    bvp: Floats
    eda: Floats
    temp: Floats
    beat_t_s: Floats
    arousal: Floats


class Physiology:
    """One person's heart and skin through the day, piece by piece in order."""

    def __init__(self, traits: Traits, *, seed: int) -> None:
        self._traits = traits
        self._seed = seed
        self._slow = SlowState()
        self._table = pulse_table(traits)
        self._breath_phase = 0.0
        self._beat_phase = 0.0
        self._scr_tail = np.zeros(len(_SCR_KERNEL) - 1)

    def advance(self, piece: Piece, shake_ms2: Floats) -> Vitals:
        """Signals of the next piece; ``shake_ms2`` (50 n_s,) is what moves the optical sensor."""
        rng = np.random.default_rng([self._seed, _STREAM, piece.idx])
        n_s = piece.n_s
        stressor = _STRESSORS[piece.bout.task]
        drive = np.full(n_s, 1.0 if piece.bout.label == "stress" else 0.0)
        micro = self._slow.wander("micro", rng.standard_normal(n_s), tau_s=40.0, sd=0.08)[1:]
        heart = self._slow.relax(
            "heart", np.maximum(drive * stressor.heart + micro, 0.0), up_s=12.0, down_s=35.0
        )
        skin = self._slow.relax(
            "skin", np.maximum(drive * stressor.skin + micro, 0.0), up_s=8.0, down_s=25.0
        )
        load = self._slow.relax(
            "load", np.full(n_s, _LOAD.get(piece.bout.activity, 0.0)), up_s=30.0, down_s=55.0
        )
        bvp, beats = self._heart(rng, piece, heart, load, shake_ms2)
        eda = self._skin(rng, piece, skin, load)
        return Vitals(bvp, eda, self._warmth(rng, piece, skin, load), beats, heart)

    def _heart(
        self, rng: np.random.Generator, piece: Piece, heart: Floats, load: Floats, shake: Floats
    ) -> tuple[Floats, Floats]:
        rr_s, breath = self._intervals(rng, piece, heart, load)
        beat_phase = self._beat_phase + np.cumsum(1.0 / rr_s) / BVP_RATE_HZ
        start_s, before = piece.start_s, self._beat_phase
        self._beat_phase = float(beat_phase[-1]) % 1.0
        feet = np.arange(math.floor(before) + 1, math.floor(beat_phase[-1]) + 1)
        beats = start_s + (np.interp(feet, beat_phase, np.arange(len(rr_s))) + 1) / BVP_RATE_HZ
        bvp = self._pulse(rng, piece, beat_phase, rr_s, breath, heart, load)
        return bvp + self._artefact(rng, piece, shake), beats

    def _intervals(
        self, rng: np.random.Generator, piece: Piece, heart: Floats, load: Floats
    ) -> tuple[Floats, Floats]:
        """Interval between beats [s] and the breathing wave -1..1, both (64 n_s,)."""
        traits, slow, n_s = self._traits, self._slow, piece.n_s
        normals = rng.standard_normal((7, n_s))
        # Three memories a decade apart sum to about 1/f over the band of a recording.
        drift_bpm = (
            slow.wander("hr8", normals[0], tau_s=8.0, sd=1.0)
            + slow.wander("hr80", normals[1], tau_s=80.0, sd=1.6)
            + slow.wander("hr800", normals[2], tau_s=800.0, sd=2.4)
        )
        busy = self._slow.relax(
            "busy", np.full(n_s, _TASK_HR_BPM.get(piece.bout.activity, 0.0)), up_s=20.0, down_s=30.0
        )
        hr_bpm = traits.rest_hr_bpm + drift_bpm + busy + traits.stress_hr_bpm * heart
        hr_bpm += _LOAD_HR_BPM * load
        vagal = np.clip(1.0 - (1.0 - traits.stress_rmssd_factor) * heart, 0.3, 1.1)
        vagal *= np.clip(1.0 - 1.1 * load, 0.08, 1.0)
        breath_hz = traits.breath_hz * (1.0 + 0.15 * heart + 0.5 * load)
        breath_hz += slow.wander("breath", normals[3], tau_s=15.0, sd=0.02)
        phase = self._breath_phase + np.cumsum(between(breath_hz, rate_hz=BVP_RATE_HZ)) / 64
        self._breath_phase = float(phase[-1]) % 1.0
        breath = np.sin(math.tau * phase)
        # Successive differences of a sine at the breathing rate have about 0.9 of its amplitude.
        depth_s = traits.rest_rmssd_ms * 1e-3 / 0.9
        depth = depth_s * vagal * (1.0 + slow.wander("depth", normals[4], tau_s=12.0, sd=0.25))
        mayer_s = (
            0.55 * depth_s * vagal * slow.swing("mayer", normals[5:7], freq_hz=0.095, tau_s=25.0)
        )
        rr_s = between(60.0 / hr_bpm + mayer_s, rate_hz=BVP_RATE_HZ)
        rr_s += between(depth, rate_hz=BVP_RATE_HZ) * breath
        return np.clip(rr_s, 0.3, 1.6), breath

    def _pulse(
        self,
        rng: np.random.Generator,
        piece: Piece,
        beat_phase: Floats,
        rr_s: Floats,
        breath: Floats,
        heart: Floats,
        load: Floats,
    ) -> Floats:
        traits, n_s = self._traits, piece.n_s
        normals = rng.standard_normal((2, n_s))
        # The pulse's travel time to the wrist varies from beat to beat by some milliseconds.
        jitter_s = 0.013 * np.interp(
            np.arange(n_s * 64) / 64, np.arange(3 * n_s + 1) / 3, rng.standard_normal(3 * n_s + 1)
        )
        phase = (beat_phase + jitter_s / rr_s) % 1.0
        wave = np.interp(phase, np.arange(257) / 256, self._table)
        amplitude = traits.bvp_sd_au * np.exp(
            self._slow.wander("amp5", normals[0], tau_s=4.0, sd=0.2)
            + self._slow.wander("amp300", normals[1], tau_s=300.0, sd=0.18)
            - traits.vasoconstriction * heart
            - 0.4 * load
        )
        return np.asarray(
            between(amplitude, rate_hz=64) * (wave * (1.0 + 0.06 * breath) + 0.12 * breath)
        )

    def _artefact(self, rng: np.random.Generator, piece: Piece, shake: Floats) -> Floats:
        n = piece.n_s * BVP_RATE_HZ
        t_s = np.arange(n) / BVP_RATE_HZ
        moved = np.interp(t_s, np.arange(len(shake)) / 50, shake)
        coupling = self._traits.bvp_sd_au * self._traits.motion_coupling
        grain = 0.05 * self._traits.bvp_sd_au * rng.standard_normal(n)
        # Pressure, ambient light and small tendon movements leave noise in the pulse's own band.
        n_s = piece.n_s
        level = np.exp(self._slow.wander("noise", rng.standard_normal(n_s), tau_s=25.0, sd=0.5))
        nodes = rng.standard_normal(_NOISE_HZ * n_s + 1)
        inband = np.interp(t_s, np.arange(len(nodes)) / _NOISE_HZ, nodes)
        inband *= between(level, rate_hz=BVP_RATE_HZ)
        sd = self._traits.optical_noise * self._traits.bvp_sd_au
        return np.asarray(coupling * moved + grain + sd * inband)

    def _skin(self, rng: np.random.Generator, piece: Piece, skin: Floats, load: Floats) -> Floats:
        traits, n_s = self._traits, piece.n_s
        tonic_arousal = self._slow.relax("tonic", skin[1:], up_s=45.0, down_s=150.0)
        sweat = self._slow.relax("sweat", load[1:], up_s=150.0, down_s=400.0)
        drift = self._slow.wander("eda", rng.standard_normal(n_s), tau_s=1200.0, sd=0.22)
        gain = math.log1p(traits.stress_eda_gain)
        tonic = traits.eda_usiemens * np.exp(drift + gain * tonic_arousal + 0.9 * sweat)
        tonic_4hz = between(tonic, rate_hz=EDA_RATE_HZ)
        per_min = traits.scr_rest_per_min + np.minimum(skin[1:], 1.3) * (
            traits.scr_stress_per_min - traits.scr_rest_per_min
        )
        impulses = np.zeros(n_s * EDA_RATE_HZ)
        at = np.flatnonzero(rng.random(n_s) < per_min / 60.0) * EDA_RATE_HZ
        at += rng.integers(0, EDA_RATE_HZ, len(at))
        impulses[at] = traits.scr_fraction * np.exp(0.6 * rng.standard_normal(len(at)))
        return np.asarray(
            tonic_4hz * (1.0 + self._responses(impulses))
            + 0.0015 * rng.standard_normal(n_s * EDA_RATE_HZ)
        )

    def _responses(self, impulses: Floats) -> Floats:
        n, tail = len(impulses), len(self._scr_tail)
        full = np.convolve(impulses, _SCR_KERNEL)
        full[: min(tail, n)] += self._scr_tail[:n]
        rest = np.zeros(tail)
        rest[: max(tail - n, 0)] = self._scr_tail[n:]
        rest += full[n : n + tail]
        self._scr_tail = rest
        return full[:n]

    def _warmth(self, rng: np.random.Generator, piece: Piece, skin: Floats, load: Floats) -> Floats:
        traits = self._traits
        cooling = traits.stress_temp_drop_degc * np.clip(skin[1:], 0.0, 1.2) + 0.5 * load[1:]
        cold = self._slow.relax("cold", cooling, up_s=170.0, down_s=300.0)
        drift = self._slow.wander("temp", rng.standard_normal(piece.n_s), tau_s=1500.0, sd=0.3)
        return between(traits.skin_temp_degc + drift - cold, rate_hz=TEMP_RATE_HZ)
