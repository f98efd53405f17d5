"""The wrist through the day: gravity, small fidgets, busy hands, and gait from its own file."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from firmware_host.units import STANDARD_GRAVITY_MS2
from sim.gait import IMU_RATE_HZ, Gait, GaitPiece
from sim.gait_style import GAITS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sim.schedule import Piece
    from sim.traits import Traits

    Floats = NDArray[np.float64]

_PIECE_STREAM, _BOUT_STREAM = 6, 7
# How restless hands are differs between people and from one sitting to the next.
_BOUT_LOG_SD = 0.3
_NODES_PER_S = 2
# A new posture is reached within about this time constant.
_SETTLE_S = 0.35


@dataclass(frozen=True, slots=True)
class Habit:
    """How the hand behaves in one activity that is not gait.

    ``gravity`` (m/s², watch axes) and its spread over bouts; slow wander of the forearm; bursts
    of movement that start with ``burst_start`` and go on with ``burst_stay`` (each half second);
    ``personal`` is the power of the person's restlessness in it.
    """

    gravity: tuple[float, float, float]
    gravity_sd: tuple[float, float, float]
    wander_rad: float
    wander_memory_s: float
    burst_start: float
    burst_stay: float
    burst_ms2: float
    burst_rad: float
    base_ms2: float
    personal: float = 0.4


# Postures and strengths: medians of wrist recordings sitting, typing and eating (Weiss 2019);
# hands on a handlebar, of exercise on a stationary bicycle (Hongn et al. 2025).
_HABITS = {
    "still": Habit(
        (0.6, -3.5, 8.7), (1.5, 2.5, 1.0), 0.015, 15.0, 0.03, 0.6, 0.6, 0.09, 0.045, 1.0
    ),
    "typing": Habit((-0.4, -4.6, 8.4), (0.8, 2.0, 0.8), 0.03, 4.0, 0.25, 0.88, 0.42, 0.025, 0.05),
    "eating": Habit((-3.0, -7.6, 0.5), (2.0, 1.5, 2.0), 0.25, 4.0, 0.3, 0.75, 0.55, 0.17, 0.07),
    "cycle": Habit((4.0, -7.0, 5.0), (1.0, 1.5, 2.0), 0.03, 10.0, 0.5, 0.85, 0.35, 0.05, 0.35),
    "table": Habit((0.0, 0.0, 9.8), (0.2, 0.2, 0.0), 0.0, 20.0, 0.0, 0.0, 0.0, 0.0, 0.004),
}


class Motion:
    """One person's wrist, piece by piece in order."""

    def __init__(self, traits: Traits, *, seed: int, ageing: Floats | None = None) -> None:
        self._seed = seed
        self._sign = np.array([-1.0, -1.0, 1.0] * 2) if traits.turned else np.ones(6)
        self._gait = Gait(traits, seed=seed, ageing=ageing)
        self._vigour = traits.restlessness
        self._angles = np.zeros((2, 3))
        self._burst = np.zeros(2)
        self._last_acc: Floats | None = None

    def advance(self, piece: Piece) -> tuple[Floats, GaitPiece | None]:
        """(50 n_s, 6) acc [m/s²] with gravity and gyro [rad/s] in the watch's axes; gait if any."""
        gait = self._gait.advance(piece) if piece.bout.activity in GAITS else None
        imu = (self._idle(piece) if gait is None else gait.imu) * self._sign
        if self._last_acc is not None:
            self._settle(imu)
        self._last_acc = imu[-1, :3].copy() if gait is None else self._mean_acc(imu)
        return imu, gait

    @staticmethod
    def _mean_acc(imu: Floats) -> Floats:
        return np.asarray(imu[-IMU_RATE_HZ:, :3].mean(axis=0))

    def _settle(self, imu: Floats) -> None:
        """Reach the new posture smoothly: no jump at the seam between two bouts."""
        n = min(len(imu), 4 * IMU_RATE_HZ)
        head = imu[0, :3] if self._last_acc is None else self._last_acc - imu[:5, :3].mean(axis=0)
        if float(np.linalg.norm(head)) > 0.5:
            fade = np.exp(-np.arange(n) / (_SETTLE_S * IMU_RATE_HZ))
            imu[:n, :3] += fade[:, None] * head

    def _idle(self, piece: Piece) -> Floats:
        rng = np.random.default_rng([self._seed, _PIECE_STREAM, piece.idx])
        habit = _HABITS[piece.bout.activity]
        down, vigour = self._posture(piece, habit)
        burst = self._bursts(rng, piece, habit)
        theta, turn = _glide(self._wander(rng, piece, habit, burst * vigour))
        gravity = down + np.cross(theta, down)
        gravity *= STANDARD_GRAVITY_MS2 / np.linalg.norm(gravity, axis=1, keepdims=True)
        move_ms2 = vigour * (habit.base_ms2 + habit.burst_ms2 * _glide(burst[:, None])[0])
        shake = rng.standard_normal((len(theta), 6))
        shake[1:] = 0.75 * shake[1:] + 0.55 * shake[:-1]
        out = np.empty((len(theta), 6))
        out[:, :3] = gravity + shake[:, :3] * move_ms2
        out[:, 3:] = turn + shake[:, 3:] * (0.45 * move_ms2)
        return out

    def _posture(self, piece: Piece, habit: Habit) -> tuple[Floats, float]:
        """Draw this bout's unit vector down and its restlessness."""
        rng = np.random.default_rng([self._seed, _BOUT_STREAM, piece.bout.idx])
        down = np.array(habit.gravity) + np.array(habit.gravity_sd) * np.clip(
            rng.standard_normal(3), -2.0, 2.0
        )
        vigour = self._vigour**habit.personal * math.exp(
            _BOUT_LOG_SD * float(rng.standard_normal())
        )
        return down / np.linalg.norm(down), vigour

    def _bursts(self, rng: np.random.Generator, piece: Piece, habit: Habit) -> Floats:
        """(2 n_s + 2,) strength of movement at half-second nodes, 0 between bursts."""
        n = _NODES_PER_S * piece.n_s
        chance, size = rng.random(n), np.exp(0.35 * rng.standard_normal(n))
        nodes = self._burst.tolist()
        for u, strength in zip(chance.tolist(), size.tolist(), strict=True):
            on = u < (habit.burst_stay if nodes[-1] > 0 else habit.burst_start)
            nodes.append(strength if on else 0.0)
        self._burst = np.array(nodes[-2:])
        return np.array(nodes)

    def _wander(
        self, rng: np.random.Generator, piece: Piece, habit: Habit, burst: Floats
    ) -> Floats:
        """(2 n_s + 2, 3) small rotations of the forearm [rad] at half-second nodes."""
        keep = math.exp(-1.0 / (_NODES_PER_S * habit.wander_memory_s))
        kick = habit.wander_rad * math.sqrt(1.0 - keep * keep) + habit.burst_rad * burst[2:]
        steps = kick[:, None] * rng.standard_normal((_NODES_PER_S * piece.n_s, 3))
        nodes = self._angles.tolist()
        for x, y, z in steps.tolist():
            a, b, c = nodes[-1]
            nodes.append([keep * a + x, keep * b + y, keep * c + z])
        self._angles = np.array(nodes[-2:])
        return np.asarray(np.clip(nodes, -1.0, 1.0), dtype=np.float64)


def _glide(nodes: Floats) -> tuple[Floats, Floats]:
    """Quadratic B-spline through half-second nodes (m + 2, a), and its rate, at 50 Hz (25 m, a).

    Its speed does not pulse with the nodes, as stepwise easing would: that looks like a cadence.
    """
    per_node = IMU_RATE_HZ // _NODES_PER_S
    u: Floats = (np.arange(per_node, dtype=np.float64) / per_node)[None, :, None]
    before, at, after = nodes[:-2, None, :], nodes[1:-1, None, :], nodes[2:, None, :]
    value = 0.5 * ((1 - u) ** 2 * before + (1 + 2 * u - 2 * u * u) * at + u * u * after)
    rate = ((u - 1) * before + (1 - 2 * u) * at + u * after) * _NODES_PER_S
    n_axes = nodes.shape[1]
    return np.asarray(value).reshape(-1, n_axes), np.asarray(rate).reshape(-1, n_axes)
