"""What really happened inside a simulated wearer: beats, breath, sweat, steps, unreadable pulse.

One file beside the ground truth, rows ``utc,kind,value`` in pieces of at most a minute:

========================  ==========================================================================
``beat``, ``early_beat``  foot of a pulse wave; seconds since the one before, empty after a pause
``breaths_per_min``       mean over the piece that begins here
``scr``                   begin of a skin conductance response; its height [µS]
``left``, ``right``       a foot touches the ground (by definition: a fixed phase of the stride)
``cadence_spm``           mean over the piece that begins here, and only while walking, running, ...
``step_asymmetry``        left step's time less the right one's, over their mean
``tired``                 0 fresh to about 1, while running
``unreadable_pulse``      begin; for so many seconds noise is larger than the pulse
``poor_contact``          begin; for so many seconds the band sits badly
========================  ==========================================================================
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from firmware_host.errors import StorageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sim.gait import GaitPiece
    from sim.person import PieceSignals
    from sim.physiology import Vitals
    from sim.truth import BodyClock

    Row = tuple[float, str, float]

SUFFIX = ".body.csv"
# Below this share of the light the band sits badly.
_POOR = 0.8
# The slowest heart takes less; after more than this the band was off.
_LONGEST_IBI_S = 3.0


class BodyTruth:
    """Writes the truth of each piece as it is lived; what is written is whole up to a piece.

    Raises
    ------
    StorageError
        From here and from `take`, if the file cannot be written.
    """

    def __init__(self, path: Path, clock: BodyClock) -> None:
        self._path, self._clock = path, clock
        self._last_beat_s = -math.inf
        self._append("utc,kind,value\n", mode="w")

    def take(self, signals: PieceSignals) -> None:
        """Write one piece."""
        rows: list[Row] = []
        start_s = float(signals.piece.start_s)
        if signals.vitals is not None:
            rows += self._beats(signals.vitals)
            rows += _vitals(start_s, signals.vitals)
        if signals.gait is not None:
            rows += _gait(start_s, signals.gait)
        rows.sort()
        utc = self._clock.utc
        lines = (f"{utc(t_s):.4f},{kind},{_printed(value)}\n" for t_s, kind, value in rows)
        self._append("".join(lines), mode="a")

    def _beats(self, vitals: Vitals) -> Iterator[Row]:
        early = set(vitals.heart.early_t_s.tolist())
        for t_s in vitals.heart.beat_t_s.tolist():
            ibi_s = t_s - self._last_beat_s
            self._last_beat_s = t_s
            kind = "early_beat" if t_s in early else "beat"
            yield t_s, kind, ibi_s if ibi_s < _LONGEST_IBI_S else math.nan

    def _append(self, text: str, *, mode: str) -> None:
        try:
            with self._path.open(mode, encoding="ascii") as file:
                file.write(text)
        except OSError as err:
            msg = f"{self._path}: cannot write the body's truth: {err.strerror}"
            raise StorageError(msg) from err


def _vitals(start_s: float, vitals: Vitals) -> Iterator[Row]:
    yield start_s, "breaths_per_min", vitals.heart.breaths_per_min
    skin = vitals.skin
    for after_s, size in zip(skin.scr_s.tolist(), skin.scr_usiemens.tolist(), strict=True):
        yield start_s + after_s, "scr", size
    for first, n_s in _runs(vitals.optics.artefact):
        yield start_s + first, "unreadable_pulse", n_s
    for first, n_s in _runs(vitals.optics.contact < _POOR):
        yield start_s + first, "poor_contact", n_s


def _gait(start_s: float, gait: GaitPiece) -> Iterator[Row]:
    yield start_s, "cadence_spm", gait.cadence_spm
    yield start_s, "step_asymmetry", gait.step_asymmetry
    if gait.tired > 0.0:
        yield start_s, "tired", gait.tired
    for t_s in gait.left_t_s.tolist():
        yield t_s, "left", math.nan
    for t_s in gait.right_t_s.tolist():
        yield t_s, "right", math.nan


def _runs(flags: NDArray[np.bool_]) -> Iterator[tuple[int, int]]:
    """First second and length of each run of true."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], flags, [False])).astype(np.int8)))
    for first, end in edges.reshape(-1, 2).tolist():
        yield first, end - first


def _printed(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.5g}"
