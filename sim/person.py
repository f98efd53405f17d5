"""A seeded wearer: what the band's sensors would see through a scheduled day, and what is true.

How close it comes to real people is measured, see docs/body.md. Not imitated: standing up and lying
down (heart and skin do not know posture), talking, coughing and held breath, beats that fail or come
in runs, illness, medicines and caffeine, sleep, menstrual cycle, weather; a band that slips round
the wrist or is worn on the other one; light that falls in; turns, slopes and ground underfoot; the
mechanics that tie acceleration to rotation in gait, where each harmonic is drawn on its own; and how
measures go together beyond what one cause here moves (arousal, load, a moving hand, time of day).
Tiring, months and left and right are assumptions, not measured: no recording here shows them. What papers
say of them stands beside the numbers.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from firmware_host.units import STANDARD_GRAVITY_MS2
from sim.days import gait_of_day, traits_of_day
from sim.motion import Motion
from sim.physiology import AMBIENT_DEGC, Physiology
from sim.skin import TEMP_RATE_HZ
from sim.traits import Traits, draw_traits

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sim.gait import GaitPiece
    from sim.physiology import Vitals
    from sim.schedule import Piece, Schedule

    Floats = NDArray[np.float64]

# Another person is another seed; the offset only has to be the same every time.
OTHER_SEED_OFFSET = 7919
# The band itself warms and cools this slowly.
_BAND_TAU_S = 45.0
_OFF_STREAM = 8
# Dry electrodes need a while on the skin before they conduct as they will.
_CONTACT_TAU_S = 60.0


@dataclass(frozen=True, slots=True)
class PieceSignals:
    """Signals of one piece in SI units, and the truth behind them.

    Shapes: bvp (64 n_s, 1) au; eda (4 n_s, 1) µS; temp (4 n_s, 1) °C; acc (50 n_s, 3) m/s²;
    gyro (50 n_s, 3) rad/s. ``vitals`` is None while nobody wears the band, ``gait`` without any.
    """

    piece: Piece
    bvp: Floats
    eda: Floats
    temp: Floats
    acc: Floats
    gyro: Floats
    vitals: Vitals | None
    gait: GaitPiece | None

    @property
    def beat_t_s(self) -> Floats:
        """Body seconds of the beats' feet."""
        return np.empty(0) if self.vitals is None else self.vitals.heart.beat_t_s

    @property
    def cadence_spm(self) -> float:
        """Steps a minute, NaN without gait."""
        return math.nan if self.gait is None else self.gait.cadence_spm

    def channel(self, name: str) -> Floats:
        """One signal by the channel's name on the wire."""
        by_name = {
            "bvp": self.bvp,
            "eda": self.eda,
            "temp": self.temp,
            "acc": self.acc,
            "gyro": self.gyro,
        }
        return by_name[name]


class _Body:
    """One person on one day: traits, a heart and a wrist."""

    def __init__(self, seed: int, day: int) -> None:
        self.traits: Traits = traits_of_day(draw_traits(seed), seed=seed, day=day)
        self.physiology = Physiology(self.traits, seed=seed)
        self.motion = Motion(self.traits, seed=seed, ageing=gait_of_day(seed=seed, day=day))


class Wearer:
    """The band's day: its wearer, and whoever else wears it meanwhile.

    Iterate once; the same seed and schedule give the same signals to the last bit.
    """

    def __init__(self, schedule: Schedule, *, seed: int) -> None:
        self.schedule = schedule
        self.seed = seed
        self._wake(1)

    def _wake(self, day: int) -> None:
        """Begin a day afresh: what happened the day before is slept off."""
        self._day = day
        self._own = _Body(self.seed, day)
        self._other = _Body(self.seed + OTHER_SEED_OFFSET, day)
        self._band_degc = self._own.traits.skin_temp_degc - 1.0
        self._contact = 0.8

    @property
    def traits(self) -> Traits:
        """The wearer's properties today."""
        return self._own.traits

    def __iter__(self) -> Iterator[PieceSignals]:
        return map(self._signals, self.schedule.pieces())

    def _signals(self, piece: Piece) -> PieceSignals:
        if piece.bout.day != self._day:
            self._wake(piece.bout.day)
        body = self._other if piece.bout.label == "other_person" else self._own
        imu, gait = body.motion.advance(piece)
        size = np.sqrt(np.einsum("ta,ta->t", imu[:, :3], imu[:, :3]))
        shake = size - STANDARD_GRAVITY_MS2 + 0.5 * imu[:, 3]
        hour = (self.schedule.start_utc + piece.start_s) / 3600.0 % 24.0
        vitals = body.physiology.advance(piece, shake, hour=hour)
        bvp, eda, temp = vitals.optics.bvp, vitals.skin.eda, vitals.skin.temp
        if not piece.bout.worn:
            rng = np.random.default_rng([self.seed, _OFF_STREAM, piece.idx])
            bvp = 1.5 * rng.standard_normal(len(bvp))
            temp = np.full(len(temp), AMBIENT_DEGC)
        eda = eda * self._electrodes(len(eda), worn=piece.bout.worn)
        return PieceSignals(
            piece,
            bvp=bvp[:, None],
            eda=eda[:, None],
            temp=self._through_band(temp)[:, None],
            acc=imu[:, :3],
            gyro=imu[:, 3:],
            vitals=vitals if piece.bout.worn else None,
            gait=gait,
        )

    def _through_band(self, skin_degc: Floats) -> Floats:
        """Follow the skin as slowly as the back of the band does, which the thermometer sees."""
        k = -math.expm1(-1.0 / (_BAND_TAU_S * TEMP_RATE_HZ))
        value, out = self._band_degc, []
        for goal in skin_degc.tolist():
            value += k * (goal - value)
            out.append(value)
        self._band_degc = value
        return np.array(out)

    def _electrodes(self, n: int, *, worn: bool) -> Floats:
        """Share of the skin's conductance that reaches the electrodes, 0 without contact."""
        if not worn:
            self._contact = 0.6
            return np.zeros(n)
        gone = (1.0 - self._contact) * np.exp(-np.arange(1, n + 1) / (_CONTACT_TAU_S * 4))
        self._contact = float(1.0 - gone[-1])
        return np.asarray(1.0 - gone)
