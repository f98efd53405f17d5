"""Skin of a simulated person: conductance with its responses, and warmth."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sim.slow import SlowState, between

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sim.traits import Traits

    Floats = NDArray[np.float64]

EDA_RATE_HZ = 4
TEMP_RATE_HZ = 4
# Time constants of a skin conductance response: it peaks 1.4 s after it begins and has halved 3.0 s later. An
# assumption, not measured; the defaults of cvxEDA's code, 0.7 and 2 s, give 1.1 and 2.2.
_SCR_RISE_S, _SCR_DECAY_S = 0.75, 3.2
_SCR_LENGTH_S = 25
# Responses are larger under stress, not only more.
_STRESS_SCR = 0.6
# Sweating with effort, in natural logarithms of conductance, and the load that brings out most.
_SWEAT, _SWEAT_LOAD = 1.8, 0.4
# A moving hand presses the electrodes on: this share of the level, up to this much.
_PRESSED_PER_MS2, _PRESSED_MOST = 0.03, 0.05
# The wrist warms when its wearer goes to bed and cools on waking (Sarabia et al. 2008, Physiol Behav 95). That
# it is one wave, of this height and time, is an assumption, not measured: with sleep, which is not imitated,
# ten young adults had 1.7 °C, highest at four in the morning (doi 10.2196/26462, table 5).
_DAY_DEGC, _WARMEST_AT_H = 0.4, 2.0


def _scr_kernel() -> Floats:
    t_s = np.arange(_SCR_LENGTH_S * EDA_RATE_HZ) / EDA_RATE_HZ
    shape = np.exp(-t_s / _SCR_DECAY_S) - np.exp(-t_s / _SCR_RISE_S)
    return np.asarray(shape / shape.max())


_SCR_KERNEL = _scr_kernel()


@dataclass(frozen=True, slots=True)
class SkinPiece:
    """(4 n_s,) EDA [µS] and warmth [°C]; (n,) when responses begin, seconds in, and height [µS]."""

    eda: Floats
    temp: Floats
    scr_s: Floats
    scr_usiemens: Floats


class Skin:
    """One person's skin, piece by piece in order."""

    def __init__(self, traits: Traits) -> None:
        self._traits = traits
        self._slow = SlowState()
        self._scr_tail = np.zeros(len(_SCR_KERNEL) - 1)

    def advance(
        self,
        rng: np.random.Generator,
        arousal: Floats,
        load: Floats,
        knocks_ms2: Floats,
        hour: float,
    ) -> SkinPiece:
        """Next piece; all (n_s + 1,) but ``knocks_ms2`` (n_s,), movement of the hand each second."""
        n_s = len(knocks_ms2)
        tonic = between(self._tonic(rng, arousal, load), rate_hz=EDA_RATE_HZ)
        at, sizes = self._draw_responses(rng, arousal)
        impulses = np.zeros(n_s * EDA_RATE_HZ)
        impulses[at] = sizes
        pressed = np.minimum(_PRESSED_PER_MS2 * knocks_ms2, _PRESSED_MOST)
        pressed = np.append(0.0, pressed * rng.standard_normal(n_s))
        eda = tonic * (1.0 + self._responses(impulses) + between(pressed, rate_hz=EDA_RATE_HZ))
        eda += 0.0012 * rng.standard_normal(len(eda))
        return SkinPiece(
            eda,
            self._warmth(rng, arousal, load, hour),
            at / EDA_RATE_HZ,
            sizes * tonic[at],
        )

    def _tonic(self, rng: np.random.Generator, arousal: Floats, load: Floats) -> Floats:
        slow, traits = self._slow, self._traits
        tonic = slow.relax("tonic", arousal[1:], up_s=45.0, down_s=150.0)
        sweat = slow.relax(
            "sweat", -np.expm1(-((load[1:] / _SWEAT_LOAD) ** 2)), up_s=300.0, down_s=500.0
        )
        drift = slow.wander("eda", rng.standard_normal(len(load) - 1), tau_s=900.0, sd=0.3)
        # The skin follows slowly; a random walk's own steps would look like responses.
        smooth = slow.relax("eda.smooth", drift[1:], up_s=20.0, down_s=20.0)
        gain = math.log1p(traits.stress_eda_gain)
        return np.asarray(traits.eda_usiemens * np.exp(smooth + gain * tonic + _SWEAT * sweat))

    def _draw_responses(
        self, rng: np.random.Generator, arousal: Floats
    ) -> tuple[NDArray[np.int64], Floats]:
        """Places in samples and heights as shares of the level."""
        traits, excited = self._traits, np.minimum(arousal[1:], 1.3)
        more = traits.scr_stress_per_min - traits.scr_rest_per_min
        per_min = traits.scr_rest_per_min + excited * more
        seconds = np.flatnonzero(rng.random(len(per_min)) < per_min / 60.0)
        at = seconds * EDA_RATE_HZ + rng.integers(0, EDA_RATE_HZ, len(seconds))
        sizes = traits.scr_fraction * (1.0 + _STRESS_SCR * excited[seconds])
        return at, np.asarray(sizes * np.exp(0.7 * rng.standard_normal(len(at))))

    def _responses(self, impulses: Floats) -> Floats:
        n, tail = len(impulses), len(self._scr_tail)
        full = np.convolve(impulses, _SCR_KERNEL)
        full[: min(tail, n)] += self._scr_tail[:n]
        rest = np.zeros(tail)
        rest[: max(tail - n, 0)] = self._scr_tail[n:]
        rest += full[n : n + tail]
        self._scr_tail = rest
        return full[:n]

    def _warmth(
        self, rng: np.random.Generator, arousal: Floats, load: Floats, hour: float
    ) -> Floats:
        traits, slow = self._traits, self._slow
        cooling = traits.stress_temp_drop_degc * np.clip(arousal[1:], 0.0, 1.2) + 0.5 * load[1:]
        cold = slow.relax("cold", cooling, up_s=170.0, down_s=300.0)
        drift = slow.wander("temp", rng.standard_normal(len(load) - 1), tau_s=1500.0, sd=0.6)
        day = _DAY_DEGC * math.cos(math.tau * (hour - _WARMEST_AT_H) / 24.0)
        return between(traits.skin_temp_degc + day + drift - cold, rate_hz=TEMP_RATE_HZ)
