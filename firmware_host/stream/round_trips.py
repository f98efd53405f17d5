"""Questions and answers about the board's time: what they say of the delay that every delivery has.

An answer was made after its question was sent, so the sending bounds the host's time from below as
arrivals bound it from above; the truth lies between (Zhang, Liu and Xia, "Clock synchronization
algorithms for network measurements", INFOCOM 2002).
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

from firmware_host.stream.envelope import Line

# As long as the envelope looks back.
_HORIZON_S = 600.0
# More than are asked in that time, so that none is lost to the bound.
_MAX_TRIPS = 128


# Questions that may be open at once; older ones are taken as lost.
_MAX_OPEN = 16


class OpenQuestions:
    """When each question was sent that no answer has come to yet."""

    def __init__(self) -> None:
        self._sent_utc: dict[int, float] = {}

    def clear(self) -> None:
        """Forget all: who was asked is another one now."""
        self._sent_utc.clear()

    def ask(self, token: int, sent_utc: float) -> None:
        """Remember a question; one that comes twice was sent when it came first."""
        self._sent_utc.setdefault(token, sent_utc)
        if len(self._sent_utc) > _MAX_OPEN:
            del self._sent_utc[next(iter(self._sent_utc))]

    def take(self, token: int) -> float | None:
        """When the question was sent that an answer belongs to, None if it was not; no longer open."""
        return self._sent_utc.pop(token, None)


@dataclass(frozen=True, slots=True)
class _Trip:
    t_s: float
    sent_delay_s: float
    round_trip_s: float


class RoundTrips:
    """The last ten minutes of answered questions; memory is bounded."""

    def __init__(self) -> None:
        self._trips: deque[_Trip] = deque(maxlen=_MAX_TRIPS)
        self._line: Line | None = None
        self._gap_s = 0.0

    def clear(self) -> None:
        """Forget all: the host's clock was set."""
        self._trips.clear()
        self._line = None

    def add(self, t_s: float, sent_utc: float, arrival_utc: float) -> None:
        """Take one question that the board answered at ``t_s``."""
        self._trips.append(_Trip(t_s, sent_utc - t_s, arrival_utc - sent_utc))
        while t_s - self._trips[0].t_s > _HORIZON_S:
            self._trips.popleft()
        self._line = None

    @property
    def fastest_s(self) -> float:
        """The shortest round trip, NaN without one."""
        return min((trip.round_trip_s for trip in self._trips), default=math.nan)

    def least_delay_s(self, line: Line) -> float:
        """How late the fastest delivery itself is, for a line under the arrivals: 0 without a trip.

        Nothing tells how a round trip divides into its two ways, so the middle of what is possible is
        taken: wrong by half the difference of the fastest ways at most.
        """
        if line is not self._line:
            self._line = line
            gaps = (line.at(trip.t_s) - trip.sent_delay_s for trip in self._trips)
            # Below zero where the host's clock was slewed since: such a trip says nothing of now.
            self._gap_s = max(min(gaps, default=0.0), 0.0)
        return self._gap_s / 2
