"""What the optical sensor makes of a heartbeat: the pulse's shape, a loose band, moving hands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sim.slow import SlowState, between

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sim.heart import HeartPiece
    from sim.traits import Traits

    Floats = NDArray[np.float64]

RATE_HZ = 64
_IMU_RATE_HZ = 50
_NOISE_HZ = 5
# A band that slipped stays so for about this long, and is pushed back within a few seconds.
_POOR_S, _SLIP_S = 40.0, 4.0
_POOR_CONTACT = (0.25, 0.6)
# Noise in the pulse's band from a moving hand: as large as the pulse from about this movement on.
_SHAKEN_MS2, _SHAKEN_MOST = 0.4, 2.5
# Noise as large as the pulse itself: nobody could read beats there.
_ARTEFACT = 1.5


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
class OpticsPiece:
    """(64 n_s,) BVP [au], and for each second the contact 0..1 and whether beats are unreadable."""

    bvp: Floats
    contact: Floats
    artefact: NDArray[np.bool_]


class Optics:
    """The pulse sensor on one person's wrist, piece by piece in order."""

    def __init__(self, traits: Traits) -> None:
        self._traits = traits
        self._table = pulse_table(traits)
        self._slow = SlowState()
        self._is_poor = False
        self._poor_contact = 1.0

    def advance(
        self,
        rng: np.random.Generator,
        heart: HeartPiece,
        arousal: Floats,
        load: Floats,
        shake_ms2: Floats,
    ) -> OpticsPiece:
        """Next piece; ``shake_ms2`` (50 n_s,) is what moves the sensor."""
        n_s = len(heart.rr_s) // RATE_HZ
        contact = self._contact(rng, n_s)
        # Pressure, ambient light and small tendon movements leave noise in the pulse's own band.
        slow, quick = rng.standard_normal((2, n_s))
        level = np.exp(
            self._slow.wander("noise", slow, tau_s=25.0, sd=0.4)
            + self._slow.wander("bursts", quick, tau_s=4.0, sd=0.7)
        )
        knocks = per_second(shake_ms2)
        shaken = _SHAKEN_MOST * -np.expm1(-knocks / (_SHAKEN_MS2 * _SHAKEN_MOST))
        noise = self._traits.optical_noise * level * (2.0 - contact)
        noise[1:] += self._traits.motion_coupling * shaken
        bvp = self._pulse(rng, heart, contact, arousal, load)
        bvp += self._noise(rng, noise, shake_ms2)
        return OpticsPiece(bvp, contact[1:], noise[1:] > _ARTEFACT * contact[1:])

    def _contact(self, rng: np.random.Generator, n_s: int) -> Floats:
        """(n_s + 1,) 1 where the band sits well, less where it slipped."""
        share = self._traits.poor_contact_share
        to_good = 1.0 / _POOR_S
        to_poor = to_good * share / (1.0 - share)
        goals = []
        for chance in rng.random(n_s).tolist():
            if chance < (to_good if self._is_poor else to_poor):
                self._is_poor = not self._is_poor
                if self._is_poor:
                    self._poor_contact = float(rng.uniform(*_POOR_CONTACT))
            goals.append(self._poor_contact if self._is_poor else 1.0)
        return self._slow.relax("contact", np.array(goals), up_s=_SLIP_S, down_s=_SLIP_S)

    def _pulse(
        self,
        rng: np.random.Generator,
        heart: HeartPiece,
        contact: Floats,
        arousal: Floats,
        load: Floats,
    ) -> Floats:
        traits, slow, n_s = self._traits, self._slow, len(contact) - 1
        normals = rng.standard_normal((2, n_s))
        # The pulse's travel time to the wrist varies from beat to beat by some milliseconds.
        jitter_s = 0.013 * np.interp(
            np.arange(n_s * 64) / 64, np.arange(3 * n_s + 1) / 3, rng.standard_normal(3 * n_s + 1)
        )
        wave = np.interp(
            (heart.phase + jitter_s / heart.rr_s) % 1.0, np.arange(257) / 256, self._table
        )
        amplitude = (
            traits.bvp_sd_au
            * contact
            * np.exp(
                slow.wander("amp5", normals[0], tau_s=4.0, sd=0.28)
                + slow.wander("amp300", normals[1], tau_s=300.0, sd=0.25)
                - traits.vasoconstriction * arousal
                + 0.5 * load
            )
        )
        # Breathing in fills the chest: the pulse is smaller and its base lower.
        swing = wave * heart.strength * (1.0 + 0.06 * heart.breath) + 0.12 * heart.breath
        return np.asarray(between(amplitude, rate_hz=RATE_HZ) * swing)

    def _noise(self, rng: np.random.Generator, level: Floats, shake_ms2: Floats) -> Floats:
        """``level`` (n_s + 1,) in units of the pulse, in its own band, and the shaking itself."""
        n = RATE_HZ * (len(level) - 1)
        t_s = np.arange(n) / RATE_HZ
        moved = np.interp(t_s, np.arange(len(shake_ms2)) / _IMU_RATE_HZ, shake_ms2)
        nodes = rng.standard_normal(_NOISE_HZ * (len(level) - 1) + 1)
        inband = np.interp(t_s, np.arange(len(nodes)) / _NOISE_HZ, nodes)
        inband *= between(level, rate_hz=RATE_HZ)
        grain = 0.05 * rng.standard_normal(n)
        return np.asarray(
            self._traits.bvp_sd_au * (self._traits.motion_coupling * moved + grain + inband)
        )


def per_second(shake_ms2: Floats) -> Floats:
    """(n_s,) root mean square of each second."""
    seconds = shake_ms2.reshape(-1, _IMU_RATE_HZ)
    return np.asarray(np.sqrt(np.einsum("st,st->s", seconds, seconds) / _IMU_RATE_HZ))
