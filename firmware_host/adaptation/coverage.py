"""Which windows a label covers, whatever was done to the host's clock meanwhile.

A label of the board's buttons lies between two moments of the board's clock, and so does a window. Host time
annotates both, and where nobody set the host's clock it says the same; then it decides, as it does for every other
label. Where it was set, some host times are of two moments, and the board's clock decides.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from firmware_host.events import OnBoard

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

# The fit of a clock that nobody sets moves by milliseconds, that of a slewed one by 2 s in an hour, as long as a label
# lasts. A window whose host time is further from where the label's presses put it is of another run of the session,
# or of another session with the same number: a number has 16 bits, and stream time begins anew with each run.
_SAME_S = 2.0


class _Stretch(Protocol):
    """A label, as an event or as it is stored."""

    @property
    def start_utc(self) -> float: ...
    @property
    def end_utc(self) -> float: ...
    @property
    def on_board(self) -> OnBoard | None: ...


@dataclass(frozen=True, slots=True)
class WindowEnds:
    """When (n,) windows ended: `utc` as the host's clock showed it, `t_s` in stream time of a `session`.

    The session is -1 where it is not known.
    """

    utc: FloatArray
    session: NDArray[np.int64]
    t_s: FloatArray


Edge = float | FloatArray
"""A host time, or one for each of (n,) windows."""


def seen(label: _Stretch, ends: WindowEnds) -> tuple[Edge, Edge]:
    """Start and end of a label in the host time of each window.

    By the board's clock these are infinitely far off for the windows that it does not count.
    """
    board = label.on_board
    if board is None:
        return label.start_utc, label.end_utc
    since_start_s, until_end_s = ends.t_s - board.start_s, board.end_s - ends.t_s
    at_start_s = np.abs(ends.utc - (board.start_utc + since_start_s))
    at_end_s = np.abs(ends.utc - (label.end_utc - until_end_s))
    is_own = (ends.session == board.session) & (np.minimum(at_start_s, at_end_s) <= _SAME_S)
    start = np.where(is_own, ends.utc - since_start_s, np.inf)
    return start, np.where(is_own, ends.utc + until_end_s, -np.inf)


def covered(label: _Stretch, ends: WindowEnds, window_s: float) -> BoolArray:
    """Mark (n,) windows that lie wholly inside a label."""
    start, end = seen(label, ends)
    return (ends.utc - window_s >= start) & (ends.utc <= end)


def needs_board(label: _Stretch, ends: WindowEnds, window_s: float) -> bool:
    """Whether the board's clock must decide: of some window the host's says otherwise."""
    if label.on_board is None:
        return False
    start, end = seen(label, ends)
    begins = ends.utc - window_s
    touched = (ends.utc > start) & (begins < end)
    touched |= (ends.utc > label.start_utc) & (begins < label.end_utc)
    off_s = np.maximum(np.abs(start - label.start_utc), np.abs(end - label.end_utc))
    return bool((off_s[touched] > _SAME_S).any())


def host_spans(label: _Stretch) -> list[tuple[float, float]]:
    """Host times, start and end, that windows inside a label can have: by the clock of either press."""
    board = label.on_board
    if board is None or abs(label.end_utc - board.start_utc - board.lasts_s) <= _SAME_S:
        return [(label.start_utc, label.end_utc)]
    return [
        (board.start_utc, board.start_utc + board.lasts_s),
        (label.end_utc - board.lasts_s, label.end_utc),
    ]
