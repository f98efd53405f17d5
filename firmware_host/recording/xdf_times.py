"""Sample times of a regular XDF stream, as recorders write them: exact, or each one early or late by chance."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from firmware_host.recording.take import Counts, Piece, measured_rate_hz, pieces_of

# A file without jitter has no short steps at all; a recorder that was held up now and then has a few.
_MAX_SHORT_SHARE = 0.005
# No delivery is later than this. The field's reader takes an interruption of a second for one too (pyxdf,
# load_xdf, jitter_break_threshold_seconds).
_MAX_JITTER_S = 1.0
_MAX_JITTER_SAMPLES = 3.0
# Twice as long as the latest delivery, so that most times of it are right.
_MEDIAN_S = 2.0


def stream_pieces(times_s: NDArray[np.float64], raw: Counts, rate_hz: float) -> tuple[Piece, ...]:
    """Samples cut where some are missing; times that jitter are put on an even grid first.

    Among times that jitter, a gap shows only if it is longer than the jitter.

    Raises
    ------
    ValueError
        If a time is no number, or times go back or wander further than late delivery explains.
    """
    if not np.isfinite(times_s).all():
        msg = "a time is no number"
        raise ValueError(msg)
    steps = np.diff(times_s)
    limit_s = max(_MAX_JITTER_S, _MAX_JITTER_SAMPLES / rate_hz)
    if steps.min(initial=0.0) < -limit_s:
        msg = f"times go back by {-steps.min():.3g} s"
        raise ValueError(msg)
    # Not by the declared rate: a sensor that runs faster has no jitter for that.
    n_short = np.count_nonzero(steps < 0.5 * np.median(steps)) if len(steps) else 0
    if not (np.any(steps < 0) or n_short > _MAX_SHORT_SHARE * len(steps)):
        return pieces_of(times_s, raw, rate_hz)
    cuts = [0, *_gaps(times_s, rate_hz, limit_s), len(times_s)]
    return tuple(_evened(times_s[a:b], raw[a:b], rate_hz, limit_s) for a, b in pairwise(cuts))


def _gaps(times_s: NDArray[np.float64], rate_hz: float, limit_s: float) -> list[int]:
    """Where samples are missing among times that jitter: the first ones after."""
    period_s, steps = 1.0 / rate_hz, np.diff(times_s)
    late_s = times_s - times_s[0] - np.arange(len(times_s)) * period_s
    # Jitter makes a step too long about as much as another one too short.
    suspects = np.flatnonzero(steps - period_s > 1.5 * (period_s - steps.min())) + 1
    width = math.ceil(_MEDIAN_S * rate_hz)
    found = []
    for at in suspects.tolist():
        # What came late is caught up with; after a gap everything stays later.
        shift_s = np.median(late_s[at : at + width]) - np.median(late_s[max(at - width, 0) : at])
        if steps[at - 1] > limit_s or shift_s > 0.5 * (steps[at - 1] - period_s):
            found.append(at)
    return found


def _evened(times_s: NDArray[np.float64], raw: Counts, rate_hz: float, limit_s: float) -> Piece:
    """One piece on the straight line through its times."""
    middle_s = float(times_s.mean())
    number = np.arange(len(times_s)) - (len(times_s) - 1) / 2
    late_s = times_s - middle_s
    # Seconds that all samples but the last one took.
    span_s = float(number @ late_s / max(number @ number, 1.0)) * (len(times_s) - 1)
    found_hz = measured_rate_hz(rate_hz, len(times_s) - 1, span_s)
    worst_s = float(np.abs(late_s - number / found_hz).max())
    if worst_s > limit_s:
        msg = f"times are up to {worst_s:.3g} s off {found_hz:.6g} Hz"
        raise ValueError(msg)
    return Piece(middle_s + float(number[0]) / found_hz, raw, found_hz)
