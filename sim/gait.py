"""Walking, stairs and running at the wrist: stride by stride, with left and right, and tiring."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sim.gait_style import GAITS, GaitStyle, draw_style
from sim.slow import SlowState, between

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sim.schedule import Piece
    from sim.traits import Traits

    Floats = NDArray[np.float64]

IMU_RATE_HZ = 50
_PIECE_STREAM, _BOUT_STREAM = 4, 5
_PASSING_TAU_S = 30.0
_WANDER_TAU_S = 4.0
# An arm's swing comes early or late for about a stride.
_ARM_TAU_S = 1.0
# Straight lines between 25 Hz nodes lose a quarter of the noise's power at 50 Hz.
_NOISE_GAIN = 1.15
_START_S, _STOP_S = 1.5, 1.0
# How soon a run tires and how long that lasts: an assumption, not measured.
_TIRES_S, _RECOVERS_S = 900.0, 1800.0
# All at a tiredness of 1. Steps a minute: -1.4 % in an hour of hard running (Hunter and
# Smith 2007, Eur J Appl Physiol 100: 1.45 to 1.43 strides/s), -5 % in half an hour of harder (Mizrahi et al.
# 2000, Hum Mov Sci 19: 1.46 to 1.39).
_TIRED_PACE = -0.02
# Impacts: at the leg +21 % to exhaustion (Derrick et al. 2002, Med Sci Sports Exerc 34: 6.11 to 7.38 g), +61 %
# (Mizrahi: 6.9 to 11.1 g), or none (Abt et al. 2011, J Strength Cond Res 25). That a wrist feels so much of it
# is an assumption, not measured.
_TIRED_IMPACT = 0.15
# Strides less even: an assumption, not measured. Meardon et al. 2011 (Gait Posture 33) found the variation of
# stride times the same throughout a run to fatigue.
_TIRED_UNEVEN = 0.5


@dataclass(frozen=True, slots=True)
class GaitPiece:
    """(50 n_s, 6) acc [m/s²] with gravity and gyro [rad/s]; contacts in body seconds.

    ``cadence_spm`` is the mean over the piece; ``tired`` 0 fresh to about 1; ``step_asymmetry`` as
    in `sim.traits.Traits`.
    """

    imu: Floats
    left_t_s: Floats
    right_t_s: Floats
    cadence_spm: float
    tired: float
    step_asymmetry: float


class Gait:
    """One person's walking, running and stairs, piece by piece in order."""

    def __init__(self, traits: Traits, *, seed: int, ageing: Floats | None = None) -> None:
        self._traits = traits
        self._seed = seed
        self.styles = {a: draw_style(a, seed=seed, ageing=ageing) for a in GAITS}
        self._slow = SlowState()
        self._phase = 0.0
        self._drifts: dict[str, Floats] = {}
        self._run_until_s = 0.0
        self._tired = 0.0

    def advance(self, piece: Piece) -> GaitPiece:
        """Walk the next piece."""
        rng = np.random.default_rng([self._seed, _PIECE_STREAM, piece.idx])
        style = self.styles[piece.bout.activity]
        bout_rng = np.random.default_rng([self._seed, _BOUT_STREAM, piece.bout.idx])
        pace, vigour, tilt = _mood(bout_rng)
        tired = self._tire(piece)
        legs = self._legs(rng, piece.n_s, style, pace * (1.0 + _TIRED_PACE * tired), tired)
        move = self._move(rng, piece, style, self._arm(rng, legs, style, tired), vigour)
        move[:, :3] *= 1.0 + _TIRED_IMPACT * tired
        move *= _envelope(piece)[:, None]
        move[:, :3] += style.gravity @ tilt.T
        return GaitPiece(
            move,
            piece.start_s + _passes(legs, 0.0),
            piece.start_s + _passes(legs, 0.5),
            120.0 * float(legs[-1] - legs[0]) / piece.n_s,
            tired,
            self._traits.step_asymmetry,
        )

    def _tire(self, piece: Piece) -> float:
        """0 fresh to about 1, at the middle of the piece; time without running rests."""
        if piece.bout.activity != "run":
            return 0.0
        rested_s = max(piece.start_s - self._run_until_s, 0.0)
        self._tired *= math.exp(-rested_s / _RECOVERS_S)
        self._run_until_s = piece.start_s + piece.n_s
        most = self._traits.tiredness
        before = self._tired
        self._tired = most + (before - most) * math.exp(-piece.n_s / _TIRES_S)
        return 0.5 * (before + self._tired)

    def _legs(
        self, rng: np.random.Generator, n_s: int, style: GaitStyle, pace: float, tired: float
    ) -> Floats:
        """(50 n_s + 1,) strides since before: a left contact at whole ones, a right one between."""
        cv, slow = style.stride_cv * (1.0 + _TIRED_UNEVEN * tired), self._slow
        drift = slow.wander("pace", rng.standard_normal(n_s), tau_s=10.0, sd=0.35)
        hasty = slow.wander("step", rng.standard_normal(n_s), tau_s=0.8, sd=0.6)
        stride_hz = style.stride_hz * pace * (1.0 + cv * (drift + hasty))
        steps = between(stride_hz, rate_hz=IMU_RATE_HZ) / IMU_RATE_HZ
        even = self._phase + np.concatenate(([0.0], np.cumsum(steps)))
        self._phase = float(even[-1]) % 1.0
        # The longer step takes a larger share of the stride; whole strides stay where they are.
        longer = 0.125 * self._traits.step_asymmetry
        return np.asarray(even - longer * (1.0 - np.cos(math.tau * even)))

    def _arm(
        self, rng: np.random.Generator, legs: Floats, style: GaitStyle, tired: float
    ) -> Floats:
        """(50 n_s,) strides as the arm swings them, a little early or late."""
        n_s = (len(legs) - 1) // IMU_RATE_HZ
        late = self._slow.wander("arm", rng.standard_normal(n_s), tau_s=_ARM_TAU_S, sd=1.0)
        size = style.arm_strides * (1.0 + _TIRED_UNEVEN * tired)
        return np.asarray(legs[1:] + size * between(late, rate_hz=IMU_RATE_HZ))

    def _move(
        self,
        rng: np.random.Generator,
        piece: Piece,
        style: GaitStyle,
        strides: Floats,
        vigour: float,
    ) -> Floats:
        """(50 n_s, 6) movement of the wrist about its rest."""
        n_s, (n_k, n_axes) = piece.n_s, style.harmonics.shape
        passing = self._drift(
            rng, piece, "passing", style.passing.shape[:1], _PASSING_TAU_S, fresh=True
        )
        mood = np.exp(np.tensordot(passing, style.passing.real, 1)
                      + 1j * np.tensordot(passing, style.passing.imag, 1))  # fmt: skip
        wander = self._drift(rng, piece, "wander", (n_k, n_axes, 2), _WANDER_TAU_S, fresh=False)
        strayed = (wander @ np.array([1.0, 1j])) * style.within * math.sqrt(0.5)
        weights = style.harmonics * vigour * mood + strayed
        turn = np.exp(2j * math.pi * strides)
        steps = (turn[:, None] ** np.arange(1, n_k + 1)).reshape(n_s, IMU_RATE_HZ, n_k)
        move = np.empty((n_s, IMU_RATE_HZ, n_axes))
        fraction = np.arange(IMU_RATE_HZ)[:, None, None] / IMU_RATE_HZ
        for second in range(n_s):
            now, then = weights[second], weights[second + 1]
            mixed = now + fraction * (then - now)
            move[second] = np.einsum("tk,tka->ta", steps[second], mixed).real
        return move.reshape(-1, n_axes) + _noise(rng, n_s) * style.noise

    def _drift(
        self,
        rng: np.random.Generator,
        piece: Piece,
        name: str,
        shape: tuple[int, ...],
        tau_s: float,
        *,
        fresh: bool,
    ) -> Floats:
        """(n_s + 1, *shape) red noise of unit variance; ``fresh`` in every bout."""
        keep = math.exp(-1.0 / tau_s)
        kicks = rng.standard_normal((piece.n_s + 1, *shape))
        key = f"{piece.bout.activity}.{name}"
        last = self._drifts.get(key)
        starts = fresh and piece.start_s == piece.bout.start_s
        nodes = np.empty_like(kicks)
        nodes[0] = kicks[0] if last is None or starts else last
        kicks *= math.sqrt(1.0 - keep * keep)
        for i in range(1, len(nodes)):
            nodes[i] = keep * nodes[i - 1] + kicks[i]
        self._drifts[key] = nodes[-1]
        return nodes


def _mood(rng: np.random.Generator) -> tuple[float, float, Floats]:
    """Pace, vigour and how the arm hangs in this bout: nobody walks twice the same."""
    pace = 1.0 + 0.015 * float(np.clip(rng.standard_normal(), -2, 2))
    vigour = math.exp(0.08 * float(rng.standard_normal()))
    x, y, z = 0.06 * rng.standard_normal(3)
    return pace, vigour, np.array([[1.0, -z, y], [z, 1.0, -x], [-y, x, 1.0]])


def _passes(strides: Floats, share: float) -> Floats:
    """Seconds at which the strides pass a whole number and this share."""
    first, last = math.ceil(strides[0] - share), math.floor(strides[-1] - share)
    wanted = np.arange(first, last + 1) + share
    # A pass at the seam belongs to the piece that it ends.
    wanted = wanted[wanted > strides[0]]
    return np.asarray(np.interp(wanted, strides, np.arange(len(strides))) / IMU_RATE_HZ)


def _noise(rng: np.random.Generator, n_s: int) -> Floats:
    """(50 n_s, 6) movement that follows no stride, up to about 10 Hz, unit variance."""
    nodes = rng.standard_normal((25 * n_s + 1, 6)) * _NOISE_GAIN
    out = np.empty((50 * n_s, 6))
    out[0::2] = nodes[:-1]
    out[1::2] = 0.5 * (nodes[:-1] + nodes[1:])
    return out


def _envelope(piece: Piece) -> Floats:
    """0..1: a bout starts and stops within a stride or two."""
    t_s = piece.start_s + np.arange(piece.n_s * IMU_RATE_HZ) / IMU_RATE_HZ
    rise = np.clip((t_s - piece.bout.start_s) / _START_S, 0.0, 1.0)
    fall = np.clip((piece.bout.end_s - t_s) / _STOP_S, 0.0, 1.0)
    return np.asarray(np.minimum(rise, fall))
