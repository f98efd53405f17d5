"""How one simulated person walks, climbs stairs and runs: drawn from the spread over real people."""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

GAITS = ("walk", "run", "stairs")
# People differ along this many directions, not in every harmonic by itself: with independent ones
# they are told apart far too easily. Which directions is chance; how far along them is measured.
N_DIRECTIONS = 4
_PERSON_STREAM, _DIRECTION_STREAM = 3, 9
# Of the spread between people along the directions, and in each harmonic by itself.
_SHARED, _OWN = 0.6, 0.45
# People whose acceleration is large also swing the arm far: this part of the spread is common.
_COMMON_LOG_SD = 0.2
# The medians in the file are of logarithms and of windows: what a whole walk moves is more.
_VIGOUR = {"walk": 1.1, "run": 1.03, "stairs": 1.13}
# The steps come earlier or later in the arm's swing: what harmonics above the first turn by, in
# radians a harmonic. It explains most of the spread of phases there, and leaves a step's shape alone.
_STEP_SHIFT, _LEAST_PHASE_SD = 0.4, 0.25
# How far everybody strays along the directions for half a minute or so, as a share of the spread.
_PASSING = 0.5
# An arm does not keep its legs' time: spread of the swing within a stride, in strides.
_ARM_STRIDES, _ARM_LOG_SD = {"walk": 0.027, "run": 0.018, "stairs": 0.027}, 0.55
# Strides differ more in some people than in others. The file has what a wrist sees in a window of
# 5 s; these are the legs' own (pockets, Malekzadeh et al. 2018).
_LEGS = {"walk": 1.15, "run": 1.9, "stairs": 1.2}
_CV_LOG_SD = 0.2


@dataclass(frozen=True, slots=True)
class GaitStyle:
    """How one person does one kind of gait.

    Shapes: harmonics (K, 6) complex amplitudes of stride harmonics 1..K for acc x y z [m/s²] and
    gyro x y z [rad/s]; within (K, 6) their wander; passing (D + 1, K, 6) change of log amplitude and,
    as imaginary part, of phase along each direction; noise (6,); gravity (3,) m/s².
    """

    stride_hz: float
    stride_cv: float
    arm_strides: float
    harmonics: NDArray[np.complex128]
    within: Floats
    passing: NDArray[np.complex128]
    noise: Floats
    gravity: Floats

    @property
    def cadence_spm(self) -> float:
        """Steps per minute at the person's own pace."""
        return 120.0 * self.stride_hz


@functools.cache
def _population() -> dict[str, Any]:
    text = (Path(__file__).parent / "gait_population.json").read_text(encoding="utf-8")
    activities: dict[str, Any] = json.loads(text)["activities"]
    return activities


@functools.cache
def _directions(activity: str) -> NDArray[np.complex128]:
    """(D, K, 6) unit directions: squares over all D sum to 1 in amplitude and in phase."""
    shape = (N_DIRECTIONS, *np.shape(_population()[activity]["log_amp_mean"]), 2)
    rng = np.random.default_rng([_DIRECTION_STREAM, GAITS.index(activity)])
    drawn = rng.standard_normal(shape)
    drawn /= np.sqrt(np.sum(drawn**2, axis=0))
    return np.asarray(drawn @ np.array([1.0, 1j]))


def _step_shift(n_harmonics: int) -> Floats:
    """(K, 1) phase that one standard deviation of the steps' place in the swing turns by."""
    k = np.arange(1, n_harmonics + 1)
    return np.asarray(np.where(k > 1, _STEP_SHIFT * k, 0.0)[:, None])


def _strays(
    activity: str, own_sd: Floats, phase_sd: Floats, shift: Floats
) -> NDArray[np.complex128]:
    """(D + 1, K, 6) standard deviations along the directions, and of the steps' place."""
    along = _directions(activity)
    places = own_sd * along.real + 1j * phase_sd * along.imag
    return np.concatenate((places, np.broadcast_to(1j * shift, own_sd.shape)[None]))


def draw_style(activity: str, *, seed: int, ageing: Floats | None = None) -> GaitStyle:
    """Draw that seed's person.

    Parameters
    ----------
    ageing
        (D + 1,) what months have done: along each direction, and to the pace, in standard
        deviations between people; None for nothing yet.
    """
    spread = {k: np.array(v) for k, v in _population()[activity].items()}
    rng = np.random.default_rng([seed, _PERSON_STREAM, GAITS.index(activity)])
    aged = np.zeros(N_DIRECTIONS + 1) if ageing is None else ageing
    shape = spread["log_amp_mean"].shape
    own_sd = np.sqrt(np.maximum(spread["log_amp_sd"] ** 2 - _COMMON_LOG_SD**2, 0.0))
    shift = _step_shift(shape[0])
    phase_sd = np.sqrt(-2.0 * np.log(np.clip(spread["phase_r"], 0.05, 1.0)))
    phase_sd = np.where(
        phase_sd > 0.0, np.sqrt(np.maximum(phase_sd**2 - shift**2, _LEAST_PHASE_SD**2)), 0.0
    )
    common = np.clip(rng.standard_normal(), -2.0, 2.0)
    place = np.clip(rng.standard_normal(N_DIRECTIONS), -2.0, 2.0) + aged[:-1]
    along = np.einsum("d,dka->ka", place, _directions(activity))
    single = np.clip(rng.standard_normal((*shape, 2)), -2.0, 2.0)
    log_amp = (
        spread["log_amp_mean"]
        + _COMMON_LOG_SD * common
        + own_sd * (_SHARED * along.real + _OWN * single[..., 0])
    )
    phase = spread["phase_mean"] + phase_sd * (_SHARED * along.imag + _OWN * single[..., 1])
    phase += shift * np.clip(rng.standard_normal(), -2.0, 2.0)
    direction = spread["gravity_mean"] + 0.5 * spread["gravity_sd"] * rng.standard_normal(3)
    length = float(np.linalg.norm(spread["gravity_mean"]))
    faster = float(np.clip(rng.standard_normal() + aged[-1], -1.7, 1.7))
    noise, cv, arm = rng.standard_normal(6), rng.standard_normal(), rng.standard_normal()
    return GaitStyle(
        stride_hz=float(spread["stride_hz_mean"] + faster * spread["stride_hz_sd"]),
        stride_cv=float(_LEGS[activity] * spread["stride_cv"] * np.exp(_CV_LOG_SD * cv)),
        arm_strides=float(_ARM_STRIDES[activity] * np.exp(_ARM_LOG_SD * np.clip(arm, -2.0, 2.0))),
        harmonics=_VIGOUR[activity] * np.exp(log_amp + 1j * phase),
        within=spread["within"],
        passing=_PASSING * _strays(activity, own_sd, phase_sd, shift),
        noise=spread["noise"] * np.exp(0.8 * spread["noise_log_sd"] * np.clip(noise, -2.0, 2.0)),
        gravity=direction / np.linalg.norm(direction) * length,
    )
