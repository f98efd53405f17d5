"""Walking, stairs and running at the wrist: stride harmonics of one person."""

from __future__ import annotations

import functools
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sim.slow import SlowState, between

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sim.schedule import Piece

    Floats = NDArray[np.float64]

IMU_RATE_HZ = 50
GAITS = ("walk", "run", "stairs")
_PERSON_STREAM, _PIECE_STREAM, _BOUT_STREAM = 3, 4, 5
# People whose acceleration is large also swing the arm far: this part of the spread is common.
_COMMON_LOG_SD = 0.22
# Of the spread between people, this much is lasting; this much comes and goes in everybody. With
# the whole spread as lasting traits simulated people are far easier to tell apart than real ones.
_LASTING_SHARE, _PASSING_SHARE = 0.62, 0.5
_PASSING_TAU_S = 30.0
_WANDER_TAU_S = 4.0
# Straight lines between 25 Hz nodes lose a quarter of the noise's power at 50 Hz.
_NOISE_GAIN = 1.15
_START_S, _STOP_S = 1.5, 1.0


@functools.cache
def _population() -> dict[str, Any]:
    text = (Path(__file__).parent / "gait_population.json").read_text(encoding="utf-8")
    activities: dict[str, Any] = json.loads(text)["activities"]
    return activities


@dataclass(frozen=True, slots=True)
class GaitStyle:
    """How one person does one kind of gait.

    Shapes: harmonics (K, 6) complex amplitudes of stride harmonics 1..K for acc x y z [m/s²] and
    gyro x y z [rad/s]; within (K, 6) their wander; passing (K, 6) spread of log amplitude and, as
    imaginary part, of phase over minutes; noise (6,); gravity (3,) m/s².
    """

    stride_hz: float
    stride_cv: float
    harmonics: NDArray[np.complex128]
    within: Floats
    passing: NDArray[np.complex128]
    noise: Floats
    gravity: Floats

    @property
    def cadence_spm(self) -> float:
        """Steps per minute at the person's own pace."""
        return 120.0 * self.stride_hz


def draw_style(activity: str, *, seed: int) -> GaitStyle:
    """Draw that seed's person from the spread over real wearers of a wrist watch."""
    spread = {k: np.array(v) for k, v in _population()[activity].items()}
    rng = np.random.default_rng([seed, _PERSON_STREAM, GAITS.index(activity)])
    own_sd = np.sqrt(np.maximum(spread["log_amp_sd"] ** 2 - _COMMON_LOG_SD**2, 0.0))
    shape = spread["log_amp_mean"].shape
    log_amp = (
        spread["log_amp_mean"]
        + _COMMON_LOG_SD * np.clip(rng.standard_normal(), -2.0, 2.0)
        + _LASTING_SHARE * own_sd * np.clip(rng.standard_normal(shape), -2.0, 2.0)
    )
    phase_sd = np.sqrt(-2.0 * np.log(np.clip(spread["phase_r"], 0.05, 1.0)))
    phase = spread["phase_mean"] + _LASTING_SHARE * phase_sd * rng.standard_normal(shape)
    direction = spread["gravity_mean"] + 0.5 * spread["gravity_sd"] * rng.standard_normal(3)
    length = float(np.linalg.norm(spread["gravity_mean"]))
    stride = rng.normal(float(spread["stride_hz_mean"]), float(spread["stride_hz_sd"]))
    limit = 1.5 * float(spread["stride_hz_sd"])
    return GaitStyle(
        stride_hz=float(np.clip(stride - spread["stride_hz_mean"], -limit, limit))
        + float(spread["stride_hz_mean"]),
        stride_cv=float(spread["stride_cv"]),
        harmonics=np.exp(log_amp + 1j * phase),
        within=spread["within"],
        passing=_PASSING_SHARE * (own_sd + 1j * phase_sd),
        noise=spread["noise"] * np.exp(0.5 * spread["noise_log_sd"] * rng.standard_normal(6)),
        gravity=direction / np.linalg.norm(direction) * length,
    )


class Gait:
    """One person's walking, running and stairs, piece by piece in order."""

    def __init__(self, *, seed: int) -> None:
        self._seed = seed
        self.styles = {activity: draw_style(activity, seed=seed) for activity in GAITS}
        self._slow = SlowState()
        self._phase = 0.0
        self._drifts: dict[str, NDArray[np.complex128]] = {}

    def advance(self, piece: Piece) -> Floats:
        """(50 n_s, 6) acc [m/s²] with gravity and gyro [rad/s] of a walking piece."""
        rng = np.random.default_rng([self._seed, _PIECE_STREAM, piece.idx])
        style = self.styles[piece.bout.activity]
        bout_rng = np.random.default_rng([self._seed, _BOUT_STREAM, piece.bout.idx])
        pace, vigour, tilt = self._mood(bout_rng)
        power = self._stride_powers(rng, piece, style, pace)
        passing = self._drift(rng, piece, "passing", tau_s=_PASSING_TAU_S, fresh=True)
        mood = np.exp(passing.real * style.passing.real + 1j * passing.imag * style.passing.imag)
        wander = self._drift(rng, piece, "wander", tau_s=_WANDER_TAU_S, fresh=False)
        weights = style.harmonics * vigour * mood + wander * style.within * math.sqrt(0.5)
        n_s, n_k = piece.n_s, len(style.harmonics)
        move = np.empty((n_s, IMU_RATE_HZ, 6))
        fraction = np.arange(IMU_RATE_HZ)[:, None, None] / IMU_RATE_HZ
        steps = power.reshape(n_s, IMU_RATE_HZ, n_k)
        for second in range(n_s):
            now, then = weights[second], weights[second + 1]
            mixed = now + fraction * (then - now)
            move[second] = np.einsum("tk,tka->ta", steps[second], mixed).real
        out = move.reshape(-1, 6) + self._noise(rng, n_s) * style.noise
        out *= self._envelope(piece)[:, None]
        out[:, :3] += style.gravity @ tilt.T
        return out

    def cadence_spm(self, piece: Piece) -> float:
        """Mean steps per minute the piece is walked at."""
        bout_rng = np.random.default_rng([self._seed, _BOUT_STREAM, piece.bout.idx])
        return self.styles[piece.bout.activity].cadence_spm * self._mood(bout_rng)[0]

    @staticmethod
    def _mood(rng: np.random.Generator) -> tuple[float, float, Floats]:
        """Pace, vigour and how the arm hangs in this bout: nobody walks twice the same."""
        pace = 1.0 + 0.015 * float(np.clip(rng.standard_normal(), -2, 2))
        vigour = math.exp(0.08 * float(rng.standard_normal()))
        x, y, z = 0.06 * rng.standard_normal(3)
        return pace, vigour, np.array([[1.0, -z, y], [z, 1.0, -x], [-y, x, 1.0]])

    def _stride_powers(
        self, rng: np.random.Generator, piece: Piece, style: GaitStyle, pace: float
    ) -> NDArray[np.complex128]:
        """(50 n_s, K) powers 1..K of the stride's rotating unit vector."""
        cv = style.stride_cv
        drift = self._slow.wander("pace", rng.standard_normal(piece.n_s), tau_s=10.0, sd=0.35 * cv)
        hasty = self._slow.wander("step", rng.standard_normal(piece.n_s), tau_s=0.8, sd=0.6 * cv)
        stride_hz = style.stride_hz * pace * (1.0 + drift + hasty)
        phase = self._phase + np.cumsum(between(stride_hz, rate_hz=IMU_RATE_HZ)) / IMU_RATE_HZ
        self._phase = float(phase[-1]) % 1.0
        turn = np.exp(2j * math.pi * phase)
        return np.asarray(turn[:, None] ** np.arange(1, len(style.harmonics) + 1))

    def _drift(
        self, rng: np.random.Generator, piece: Piece, name: str, *, tau_s: float, fresh: bool
    ) -> NDArray[np.complex128]:
        """(n_s + 1, K, 6) red noise of unit variance in each part; ``fresh`` in every bout."""
        keep = math.exp(-1.0 / tau_s)
        kick = math.sqrt(1.0 - keep * keep)
        shape = (piece.n_s + 1, *self.styles[piece.bout.activity].harmonics.shape, 2)
        kicks = rng.standard_normal(shape) @ np.array([1.0, 1j])
        key = f"{piece.bout.activity}.{name}"
        last = self._drifts.get(key)
        nodes = np.empty_like(kicks)
        starts = fresh and piece.start_s == piece.bout.start_s
        nodes[0] = kicks[0] if last is None or starts else last
        for i in range(1, len(nodes)):
            nodes[i] = keep * nodes[i - 1] + kick * kicks[i]
        self._drifts[key] = nodes[-1]
        return np.asarray(nodes)

    @staticmethod
    def _noise(rng: np.random.Generator, n_s: int) -> Floats:
        """(50 n_s, 6) movement that follows no stride, up to about 10 Hz, unit variance."""
        nodes = rng.standard_normal((25 * n_s + 1, 6)) * _NOISE_GAIN
        out = np.empty((50 * n_s, 6))
        out[0::2] = nodes[:-1]
        out[1::2] = 0.5 * (nodes[:-1] + nodes[1:])
        return out

    @staticmethod
    def _envelope(piece: Piece) -> Floats:
        """0..1: a bout starts and stops within a stride or two."""
        t_s = piece.start_s + np.arange(piece.n_s * IMU_RATE_HZ) / IMU_RATE_HZ
        rise = np.clip((t_s - piece.bout.start_s) / _START_S, 0.0, 1.0)
        fall = np.clip((piece.bout.end_s - t_s) / _STOP_S, 0.0, 1.0)
        return np.asarray(np.minimum(rise, fall))
