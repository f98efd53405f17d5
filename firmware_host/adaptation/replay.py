"""The replay set: which labelled windows are kept for ever, so that old stressors are not forgotten.

Every job learns anew from everything labelled, so nothing is forgotten while the windows are there.
Their number is bounded. When it is reached, rest and stress share it equally and the episodes of a
class share theirs: long ones are thinned out evenly, for neighbours overlap by 50 of 60 s and hardly
tell more; an old episode never gives way to a new one.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from firmware_host.adaptation.episodes import Label, LabelSpan

_Ids = NDArray[np.int64]

# Eleven hours of labelled minutes, every 10 s; a job on as many reads 4 MB.
MAX_WINDOWS = 4096
# An episode that is halved for the gate must leave enough on either side.
_MIN_OF_EPISODE = 8


def replay_set(
    spans: Sequence[LabelSpan],
    windows: Sequence[tuple[int, float]],
    *,
    max_windows: int = MAX_WINDOWS,
) -> set[int]:
    """Choose windows, given as (id, end in UTC), that end inside a label.

    All of them while they are no more than `max_windows`.
    """
    ordered = sorted(windows, key=lambda window: (window[1], window[0]))
    ids = np.array([record_id for record_id, _ in ordered], np.int64)
    ends = np.array([end_utc for _, end_utc in ordered], np.float64)
    episodes: dict[Label, list[_Ids]] = {label: [] for label in Label}
    for span in sorted(spans, key=lambda s: (s.start_utc, s.end_utc)):
        first = np.searchsorted(ends, span.start_utc, "left")
        last = np.searchsorted(ends, span.end_utc, "right")
        episodes[span.label].append(ids[first:last])
    everything = {int(i) for own in episodes.values() for episode in own for i in episode}
    if len(everything) <= max_windows:
        return everything
    return {
        int(i) for own in episodes.values() for i in _thinned(own, max_windows // len(episodes))
    }


def _thinned(episodes: list[_Ids], max_windows: int) -> list[int]:
    """At most so many windows of one class: short episodes whole, the others with equal shares."""
    found = [episode for episode in episodes if len(episode)]
    n_fit = max(1, max_windows // _MIN_OF_EPISODE)
    if len(found) > n_fit:
        # Too many for even a few windows of each: as many as fit, evenly over the years.
        found = [found[i] for i in _evenly(len(found), n_fit)]
    chosen: list[int] = []
    room = max_windows
    for n_left, episode in zip(range(len(found), 0, -1), sorted(found, key=len), strict=True):
        share = min(len(episode), room // n_left)
        room -= share
        chosen += [int(episode[i]) for i in _evenly(len(episode), share)]
    return chosen


def _evenly(n: int, n_wanted: int) -> list[int]:
    return [int(i) for i in np.linspace(0, n - 1, n_wanted).round()] if n_wanted else []
