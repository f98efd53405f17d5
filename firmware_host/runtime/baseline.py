"""The wearer at rest: guided by a rest label, or else learned from the first calm minutes of wear.

Rest is learned anew each time the band is put on another day. Seen from the rest of another session,
stress is told hardly better than by chance (docs/studies/drift.md); within a session it never moves,
because a rest that follows is a clock.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np

from firmware_host.adaptation.coverage import WindowEnds, covered, needs_board
from firmware_host.events import Labelled
from firmware_host.signals.normalise import Baseline, BaselineEstimator
from firmware_host.signals.resting import QUIET_UNTIL_S, quiet_windows
from firmware_host.signals.stress import FEATURE_NAMES, StressWindow

# Two minutes: seven windows of 60 s, 10 s apart. With fewer the spread of a feature is mostly noise.
MIN_GUIDED_WINDOWS = 7
_HEART_RATE = FEATURE_NAMES.index("hr_median_bpm")
# A rest older than this is of another day. A band taken off for lunch keeps the morning's.
FRESH_S = 6 * 3600.0
# Off the skin for so long, or no window at all: what comes then is another wear.
NEW_WEAR_S = 1800.0
# Windows that a rest label given afterwards may reach back to: an hour.
_MAX_RECENT = 360


class Source(StrEnum):
    """Where a baseline came from; a guided one is worth more and replaces a quiet one."""

    GUIDED = "guided"
    QUIET = "quiet"


@dataclass(frozen=True, slots=True)
class TimedWindow:
    """A stress window with the host time of its end and the board session it belongs to."""

    window: StressWindow
    utc: float
    session: int


class WearerBaseline:
    """Keeps the one baseline in force and says when it changes.

    Parameters
    ----------
    max_motion_ms2
        Movement above which a minute is no rest, whatever the label says.
    current, source, taken_utc
        What an earlier run learned, if anything, and when.
    changed
        Called with every new baseline.
    """

    def __init__(
        self,
        *,
        window_s: float,
        max_motion_ms2: float = math.inf,
        current: Baseline | None = None,
        source: Source | None = None,
        taken_utc: float | None = None,
        changed: Callable[[Baseline, Source, float], None] = lambda *_: None,
    ) -> None:
        self.current = current
        self.source = source
        self.n_learned = 0
        self._taken_utc = taken_utc
        self._window_s = window_s
        self._max_motion_ms2 = max_motion_ms2
        self._changed = changed
        self._recent: deque[TimedWindow] = deque(maxlen=_MAX_RECENT)
        self._first_worn_utc: float | None = None
        self._last_worn_utc: float | None = None

    @property
    def progress(self) -> float:
        """Share of the first minutes that has been seen, 0 to 1; 1 once there is a baseline."""
        if self.current is not None:
            return 1.0
        if self._first_worn_utc is None or not self._recent:
            return 0.0
        return min(1.0, (self._recent[-1].utc - self._first_worn_utc) / QUIET_UNTIL_S)

    def replace(self, baseline: Baseline, source: Source, *, taken_utc: float) -> None:
        """Another process put this baseline in force; nobody is told, it is stored already."""
        self.current, self.source, self._taken_utc = baseline, source, taken_utc

    def watch(self, timed: TimedWindow) -> None:
        """Take note of a window; without any baseline, learn one once enough minutes were worn."""
        if timed.window.worn:
            self._forget_if_old(timed.utc)
            self._last_worn_utc = timed.utc
        self._recent.append(timed)
        if self.current is not None or not timed.window.worn:
            return
        if self._first_worn_utc is None:
            self._first_worn_utc = timed.utc - self._window_s
        if _whole_s(timed.utc - self._first_worn_utc) >= QUIET_UNTIL_S:
            self._learn_quiet(self._first_worn_utc, timed.utc)

    def _forget_if_old(self, utc: float) -> None:
        """Begin anew when the band is put on and the rest in force, or what was seen of one, is of another day."""
        last_utc, taken_utc = self._last_worn_utc, self._taken_utc
        is_same_wear = last_utc is not None and abs(utc - last_utc) < NEW_WEAR_S
        # A replay may be of a day before: old is far off either way.
        is_fresh = taken_utc is not None and abs(utc - taken_utc) < FRESH_S
        is_given = taken_utc is None and self.current is not None
        if not (is_same_wear or is_fresh or is_given):
            self.forget()

    def forget(self) -> None:
        """The rest in force is nobody's of today: the next minutes of wear give another."""
        self.current = self.source = self._taken_utc = self._first_worn_utc = None
        self._recent.clear()

    def rest_labelled(self, label: Labelled) -> bool:
        """A stretch of rest as the wearer says; the first one long enough becomes the guided baseline."""
        if self.source is Source.GUIDED:
            return False
        ends = WindowEnds(
            np.array([timed.utc for timed in self._recent]),
            np.array([timed.session for timed in self._recent], np.int64),
            np.array([timed.window.t_end_s for timed in self._recent]),
        )
        if not needs_board(label, ends, self._window_s):
            label = replace(label, on_board=None)
        inside = [
            timed.window
            for timed, is_inside in zip(
                self._recent, covered(label, ends, self._window_s).tolist(), strict=True
            )
            if is_inside and timed.window.worn and timed.window.motion <= self._max_motion_ms2
        ]
        if len(inside) < MIN_GUIDED_WINDOWS:
            return False
        self._adopt(inside, Source.GUIDED, label.utc)
        return True

    def _learn_quiet(self, since_utc: float, now_utc: float) -> None:
        worn = [t for t in self._recent if t.window.worn and t.utc > since_utc]
        chosen = quiet_windows(
            np.array([_whole_s(t.utc - since_utc) for t in worn]),
            np.array([t.window.quality["bvp"] for t in worn]),
            np.array([t.window.features[_HEART_RATE] for t in worn]),
            np.array([t.window.motion for t in worn]),
        )
        self._adopt([worn[i].window for i in chosen], Source.QUIET, now_utc)

    def _adopt(self, windows: Iterable[StressWindow], source: Source, now_utc: float) -> None:
        estimator = BaselineEstimator()
        for window in windows:
            estimator.add(window.features, window.quality)
        self.current, self.source = estimator.baseline(), source
        self._taken_utc = now_utc
        self.n_learned += 1
        self._changed(self.current, source, now_utc)


def _whole_s(elapsed_s: float) -> float:
    """Whole seconds: the clock fit moves by milliseconds, which must not move a window over a limit."""
    return float(round(elapsed_s))
