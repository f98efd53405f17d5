"""Long pauses cut short, so that an hour a day of a whole week can be drawn on one axis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from firmware_host.report.model import FloatArray, ProbabilityTrack, ReportData, Span

# Shorter ones are part of the story.
_LONG_S = 1800.0
# Drawn length of a pause, as a share of everything recorded.
_SHARE = 0.012


def _no_knots() -> FloatArray:
    return np.zeros(0)


@dataclass(frozen=True, slots=True, eq=False)
class Pauses:
    """True times and drawn times of the same moments, both increasing; without any, time is as it is.

    Parameters
    ----------
    true_utc, drawn_utc
        (2 n,) begin and end of each recorded stretch.
    """

    true_utc: FloatArray = field(default_factory=_no_knots)
    drawn_utc: FloatArray = field(default_factory=_no_knots)

    @property
    def stretches(self) -> list[tuple[float, float]]:
        """Recorded stretches in true time; none if nothing is cut."""
        pairs = self.true_utc.reshape(-1, 2).tolist()
        return [(a, b) for a, b in pairs]

    def drawn(self, t_utc: FloatArray) -> FloatArray:
        """Where true times are drawn."""
        return _moved(t_utc, self.true_utc, self.drawn_utc)

    def true(self, t_utc: float) -> float:
        """Which time is drawn there."""
        return float(_moved(np.array([t_utc]), self.drawn_utc, self.true_utc)[0])

    def spans(self, spans: Sequence[Span]) -> list[Span]:
        """Spans as they are drawn."""
        edges = self.drawn(np.array([span[:2] for span in spans], np.float64).reshape(-1, 2))
        names = [span[2] for span in spans]
        return [(a, b, name) for (a, b), name in zip(edges.tolist(), names, strict=True)]

    def shorten(self, data: ReportData) -> ReportData:
        """Everything that a time axis shows, moved to where it is drawn."""
        if not self.true_utc.size:
            return data
        worn = self.spans([(a, b, "") for a, b in data.not_worn])
        instants = self.spans([(t, t, name) for t, name in data.events])
        start, end = self.drawn(np.array([data.start_utc, data.end_utc])).tolist()
        return replace(
            data,
            start_utc=start,
            end_utc=end,
            signals=[replace(s, t_utc=self.drawn(_array(s.t_utc))) for s in data.signals],
            not_worn=[(a, b) for a, b, _ in worn],
            states=self.spans(data.states),
            labels=self.spans(data.labels),
            truth=self.spans(data.truth),
            activities=self.spans(data.activities),
            events=[(t, name) for t, _, name in instants],
            probability=self._track(data),
        )

    def _track(self, data: ReportData) -> ProbabilityTrack | None:
        track = data.probability
        if track is None:
            return None
        learned = self.spans([(t, t, words) for t, words in track.learned])
        return replace(
            track,
            t_utc=self.drawn(_array(track.t_utc)),
            learned=[(t, words) for t, _, words in learned],
        )


def pauses_of(data: ReportData) -> Pauses:
    """Pauses of what was recorded that are long enough to be cut."""
    edges = sorted((a, b) for a, b, _ in (*data.states, *data.activities))
    stretches: list[tuple[float, float]] = []
    for a, b in edges:
        if stretches and a - stretches[-1][1] < _LONG_S:
            last = stretches.pop()
            stretches.append((last[0], max(last[1], b)))
        else:
            stretches.append((a, b))
    if len(stretches) < 2:
        return Pauses()
    pause_s = _SHARE * sum(b - a for a, b in stretches)
    knots, at = [], stretches[0][0]
    for a, b in stretches:
        knots += [at, at + b - a]
        at += b - a + pause_s
    return Pauses(np.array(stretches).ravel(), np.array(knots))


def _moved(t_utc: FloatArray, before: FloatArray, after: FloatArray) -> FloatArray:
    if not before.size:
        return t_utc
    inside = np.interp(t_utc, before, after)
    # Beyond both ends time goes on as it does.
    early = np.minimum(t_utc - before[0], 0.0)
    late = np.maximum(t_utc - before[-1], 0.0)
    return np.asarray(inside + early + late, dtype=np.float64)


def _array(values: npt.ArrayLike) -> FloatArray:
    return np.asarray(values, dtype=np.float64).ravel()
