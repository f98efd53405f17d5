"""Lower envelope of delivery delays: a line under all points, as close to them as it can be.

A serial link delivers late, never early. The smallest delays therefore lie on the true relation of
two clocks, and a line that touches them from below gives offset and skew however bursty the
delivery is.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

# One minimum every 2 s for ten minutes: short enough to follow a crystal that warms up on skin. More
# of them in the first minute, when an unknown skew may hide the lowest point of a long one.
BUCKET_S = 2.0
FIRST_BUCKET_S = 0.5
_FIRST_S = 60.0
HORIZON_S = 600.0
# Old points go together, so that the hull is made anew this seldom.
_FORGET_EVERY_S = 75.0
# Below this span the delays' spread would be taken for skew; after a restart the skew known before is
# better than one of less than a minute.
MIN_SLOPE_SPAN_S = 20.0
RELEARN_SPAN_S = 60.0
# The worst on-chip RC oscillators are a few per cent off; a steeper line is a backlog being
# delivered.
MAX_SKEW = 0.05
# Refit when the data grew by this share, so that the first minute settles fast and later fits stay
# rare.
REFIT_SHARE = 0.05
MIN_REFIT_S = 2.0
MAX_REFIT_S = 20.0

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Line:
    """delay(t) = offset_s + skew * (t - t_ref_s)."""

    t_ref_s: float
    offset_s: float
    skew: float

    def at(self, t_s: float) -> float:
        """Delay on the line at ``t_s``, in seconds."""
        return self.offset_s + self.skew * (t_s - self.t_ref_s)


class LowerEnvelope:
    """Line under (t_s, delay_s) points that come in any number; memory is bounded.

    Determinism: the line depends on the points and their order alone, not on when it is read.
    """

    def __init__(self) -> None:
        self.line: Line | None = None
        self._points: list[Point] = []
        # The lower convex hull of the points.
        self._hull: list[Point] = []
        self._begun_s = 0.0
        self._slope_span_s = MIN_SLOPE_SPAN_S
        self._low = 0.0
        self._low_t = 0.0
        self._bucket_end_s = 0.0
        self._next_fit_s = 0.0

    def restart(self, t_s: float, delay_s: float) -> None:
        """Forget all points but this one; the skew learned so far is kept."""
        if self.has_skew:
            self._slope_span_s = RELEARN_SPAN_S
        self._points, self._hull = [], []
        self._begun_s = t_s
        self._next_fit_s = t_s + MIN_REFIT_S
        self._open(t_s, delay_s)
        self.line = Line(t_s, delay_s, self._skew)

    def add(self, t_s: float, delay_s: float) -> None:
        """Take one point; cheap, a fit runs only now and then."""
        line = self.line
        if line is None:
            self.restart(t_s, delay_s)
            return
        if t_s < self._bucket_end_s:
            # By the line's own slope, or the end of a bucket would always win over its start.
            if delay_s - line.skew * (t_s - self._low_t) < self._low:
                self._low, self._low_t = delay_s, t_s
                self._touch(t_s, delay_s)
            return
        self._close_bucket()
        self._open(t_s, delay_s)
        self._touch(t_s, delay_s)
        if t_s >= self._next_fit_s:
            self._fit()

    @property
    def has_skew(self) -> bool:
        """Whether a skew was ever learned."""
        return self._slope_span_s > MIN_SLOPE_SPAN_S or self.span_s >= MIN_SLOPE_SPAN_S

    @property
    def span_s(self) -> float:
        """Stream time the kept points cover."""
        return self._points[-1][0] - self._points[0][0] if self._points else 0.0

    @property
    def _skew(self) -> float:
        return self.line.skew if self.line else 0.0

    def _open(self, t_s: float, delay_s: float) -> None:
        self._low, self._low_t = delay_s, t_s
        is_first = t_s - self._begun_s < _FIRST_S
        self._bucket_end_s = t_s + (FIRST_BUCKET_S if is_first else BUCKET_S)

    def _touch(self, t_s: float, delay_s: float) -> None:
        """Lower the line at once if a point lies under it."""
        line = self.line
        if line is not None and delay_s < line.at(t_s):
            self.line = Line(t_s, delay_s, line.skew)

    def _close_bucket(self) -> None:
        point = (self._low_t, self._low)
        self._points.append(point)
        _extend(self._hull, point)
        if self.span_s > HORIZON_S + _FORGET_EVERY_S:
            self._forget_old()

    def _forget_old(self) -> None:
        since_s = self._low_t - HORIZON_S
        self._points = [point for point in self._points if point[0] >= since_s]
        self._hull = []
        for point in self._points:
            _extend(self._hull, point)

    def _fit(self) -> None:
        span_s, skew = self.span_s, self._skew
        self._next_fit_s = self._low_t + min(MAX_REFIT_S, max(MIN_REFIT_S, REFIT_SHARE * span_s))
        line = self._supporting_line() if span_s >= self._slope_span_s else None
        if line is None:
            # With the skew known so far, lifted until it touches; a vertex of the hull is the first.
            t_s, delay_s = min(self._hull, key=lambda point: point[1] - skew * point[0])
            line = Line(t_s, delay_s, skew)
        self.line = line

    def _supporting_line(self) -> Line | None:
        """Line below all points, closest to them midway: the hull edge under the middle of their time.

        None if every edge from there on is steeper than any clock.
        """
        middle_s = (self._points[0][0] + self._points[-1][0]) / 2
        for (t0, d0), (t1, d1) in pairwise(self._hull):
            skew = (d1 - d0) / (t1 - t0)
            if t1 >= middle_s and abs(skew) <= MAX_SKEW:
                return Line(t0, d0, skew)
        return None


def _extend(hull: list[Point], point: Point) -> None:
    """Add a later point to a lower convex hull (Andrew 1979, monotone chain)."""
    t, d = point
    while len(hull) > 1:
        (t0, d0), (t1, d1) = hull[-2], hull[-1]
        # The last one stays if it lies below the line from the one before it to the new one.
        if (d1 - d0) * (t - t0) < (d - d0) * (t1 - t0):
            break
        hull.pop()
    hull.append(point)
