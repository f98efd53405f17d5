"""Board ticks become stream time, and stream time is mapped to host time.

Stream time ``t_s`` comes from the board's ticks alone, so nothing computed on it depends on how the
data was delivered. Host time annotates: it comes from a line under the delivery delays
(envelope.py) and, where the board answers PING, from the round trip.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from firmware_host.stream.envelope import LowerEnvelope
from firmware_host.stream.round_trips import RoundTrips
from firmware_host.units import MICROSECONDS_PER_SECOND, TICKS_WRAP_US, ticks_delta_us

# After half a wrap without a message the ticks alone cannot tell how many wraps went by.
_AMBIGUOUS_S = TICKS_WRAP_US / 2 / MICROSECONDS_PER_SECOND
# A silence must agree on both clocks to this share, and its end may be delivered this late.
_SILENCE_SKEW = 1e-3
_SILENCE_LATE_S = 30.0
# Deliveries this much earlier than any, or for long this much later, show that one of the clocks was
# set. No smaller step is told from jitter, of which a step is at least this many times more...
STEP_BACK_S = (0.02, 0.25)
STEP_FORWARD_S = (0.05, 1.0)
_STEP_JITTERS = 4.0
# ...but a question sent after its answer by this much is proof.
STEP_PROVEN_S = 0.02
# By less than that, and the host's clock is being slewed, faster than the line can follow.
_SLEWED_S = 0.002
# A delivery this much earlier than the earliest is worth a look.
_EARLY_S = 0.005
# A stalled link delays too, but then catches up: later for this long while data flows live is a
# step.
STEP_CONFIRM_S = 20.0
# Before this much data an early arrival is the first fast one, not a step; before as much again
# it has to be early by more than any first one.
_SETTLED_S = 10.0
_WELL_SETTLED_S = 60.0
# Weight of one more message in the running delay and jitter, about the last hundred messages.
_EWMA = 0.01


# Often enough to follow a crystal as it warms up, and nothing beside the stream itself; more often at
# first, when each answer still tells much.
_PING_S, _FIRST_PING_S = 10.0, 2.0


def ping_every_s(t_s: float) -> float:
    """Seconds from one PING to the next at ``t_s`` of a session."""
    return _FIRST_PING_S if t_s < _WELL_SETTLED_S else _PING_S


@dataclass(frozen=True, slots=True)
class ClockHealth:
    """How the two clocks relate.

    ``drift_ppm`` is how much faster than the host's the board's clock runs; ``delay_ms`` and
    ``jitter_ms`` are running means of how late deliveries are and how that varies;
    ``round_trip_ms`` is the fastest answer to a PING, NaN without one; ``span_s`` is the stretch
    the fit rests on.
    """

    drift_ppm: float
    delay_ms: float
    jitter_ms: float
    round_trip_ms: float
    span_s: float
    n_wraps: int
    n_steps: int


class StreamClock:
    """Clock of one board session.

    Parameters
    ----------
    first_ticks_us
        Ticks of the session's first message: stream time zero.
    arrival_utc
        When it arrived.
    """

    def __init__(self, first_ticks_us: int, arrival_utc: float) -> None:
        if not 0 <= first_ticks_us < TICKS_WRAP_US:
            msg = f"first_ticks_us must be an unsigned 32-bit count, got {first_ticks_us}"
            raise ValueError(msg)
        _require_finite(arrival_utc)
        self._last_ticks_us = first_ticks_us
        self._elapsed_us = 0
        self._wrap_base_us = first_ticks_us
        self._last_arrival_utc = arrival_utc
        self._shift_s = 0.0
        self.last_jump_s = 0.0
        """What the last `jump` added to stream time."""
        self.last_jump_at_s = -math.inf
        """Stream time of what showed it: only what was measured before can lack it."""
        self.n_wraps = 0
        self.n_steps = 0
        self._envelope = LowerEnvelope()
        self._envelope.add(0.0, arrival_utc)
        self._delay_s = 0.0
        self._jitter_s = 0.0
        self._late_since: tuple[float, float] | None = None
        self._late_low_s = math.inf
        self._trips = RoundTrips()

    def jump(self, by_s: float, *, at_s: float) -> None:
        """Add ``by_s`` to stream time from ``at_s`` on, to undo a leap of the board's count."""
        self._shift_s += by_s
        self.last_jump_s = by_s
        self.last_jump_at_s = at_s
        self._late_since = None

    def unwrap(self, ticks_us: int, arrival_utc: float, *, keep: bool = True) -> float:
        """Stream time of a tick count; counts up to 35 min older than the newest are right too.

        With ``keep`` off it is a pure read: what is asked is not the newest count from then on.
        """
        delta_us = ticks_delta_us(ticks_us, self._last_ticks_us)
        silence_s = arrival_utc - self._last_arrival_utc
        if silence_s > _AMBIGUOUS_S:
            delta_us = _nearest_delta_us(delta_us, silence_s)
        if delta_us >= 0 and keep:
            self._elapsed_us += delta_us
            self._last_ticks_us = ticks_us
            self._last_arrival_utc = arrival_utc
            return self._elapsed_us / MICROSECONDS_PER_SECOND + self._shift_s
        return (self._elapsed_us + delta_us) / MICROSECONDS_PER_SECOND + self._shift_s

    def wrapped(self) -> bool:
        """Whether the counter wrapped since the last call."""
        n_wraps = (self._wrap_base_us + self._elapsed_us) // TICKS_WRAP_US
        if n_wraps == self.n_wraps:
            return False
        self.n_wraps = n_wraps
        return True

    def observe(self, t_s: float, arrival_utc: float, *, may_step: bool = True) -> float | None:
        """Take one delivery: what happened at ``t_s`` arrived at ``arrival_utc``.

        Returns the step in seconds if this delivery shows that the host's clock was set (or that
        all deliveries so far came out of a backlog), else None. With ``may_step`` off an impossible
        delivery is left out instead: without samples a leap of the board's own count looks the
        same.
        """
        delay_s = arrival_utc - t_s
        envelope = self._envelope
        line = envelope.line
        if line is None:
            msg = "clock has no first observation"
            raise ValueError(msg)
        excess_s = delay_s - line.offset_s - line.skew * (t_s - line.t_ref_s)
        self._delay_s += _EWMA * (excess_s - self._delay_s)
        self._jitter_s += _EWMA * (abs(excess_s - self._delay_s) - self._jitter_s)
        # The least of each limit first: nearly every delivery lies within.
        if excess_s > STEP_FORWARD_S[0] and excess_s > self._latest_s():
            if may_step and self._is_lasting(t_s, arrival_utc, excess_s):
                return self._step(t_s, delay_s, self._late_low_s)
        else:
            self._late_since = None
            if excess_s < -_EARLY_S and envelope.span_s > _SETTLED_S:
                return self._take_early(t_s, delay_s, excess_s, may_step=may_step)
        envelope.add(t_s, delay_s)
        return None

    def observe_round_trip(self, t_s: float, sent_utc: float, arrival_utc: float) -> float | None:
        """Take one PING answered at ``t_s``; returns the step in seconds if it proves one, else None.

        Raises
        ------
        ValueError
            If the answer arrives before the question.
        """
        if not arrival_utc >= sent_utc:
            msg = f"answer at {arrival_utc} before its question at {sent_utc}"
            raise ValueError(msg)
        self.observe(t_s, arrival_utc, may_step=False)
        line = self._envelope.line
        ahead_s = sent_utc - t_s - line.at(t_s) if line else 0.0
        step_s = None
        if ahead_s > _SLEWED_S and self._envelope.has_skew:
            is_step = ahead_s > STEP_PROVEN_S
            self._restart(t_s, arrival_utc - t_s)
            self.n_steps += is_step
            step_s = ahead_s if is_step else None
        self._trips.add(t_s, sent_utc, arrival_utc)
        return step_s

    def utc(self, t_s: float) -> float:
        """Host time, UNIX seconds, at which the board was at ``t_s``; a pure read."""
        line = self._envelope.line
        if line is None:
            msg = "clock has no first observation"
            raise ValueError(msg)
        delay_s = line.offset_s + line.skew * (t_s - line.t_ref_s)
        return t_s + delay_s - self._trips.least_delay_s(line)

    def health(self) -> ClockHealth:
        """Drift, jitter and what happened so far."""
        line = self._envelope.line
        skew = line.skew if line else 0.0
        return ClockHealth(
            drift_ppm=0.0 - skew / (1.0 + skew) * 1e6,
            delay_ms=self._delay_s * 1e3,
            jitter_ms=self._jitter_s * 1e3,
            round_trip_ms=self._trips.fastest_s * 1e3,
            span_s=self._envelope.span_s,
            n_wraps=self.n_wraps,
            n_steps=self.n_steps,
        )

    def _latest_s(self) -> float:
        """How late a delivery may be before it may show a step."""
        return _clip(_STEP_JITTERS * self._jitter_s, STEP_FORWARD_S)

    def _take_early(
        self, t_s: float, delay_s: float, excess_s: float, *, may_step: bool
    ) -> float | None:
        """A delivery earlier than any should be: a step, a slewed clock, or just the fastest so far."""
        is_settled = self._envelope.span_s > _WELL_SETTLED_S
        jitters_s = _STEP_JITTERS * self._jitter_s
        limit_s = _clip(jitters_s, STEP_BACK_S) if is_settled else STEP_BACK_S[1]
        if excess_s < -limit_s:
            return self._step(t_s, delay_s, excess_s) if may_step else None
        if is_settled and may_step and -excess_s > self._jitter_s:
            # Whatever it was, what came before it says nothing of now.
            self._restart(t_s, delay_s)
        else:
            self._envelope.add(t_s, delay_s)
        return None

    def _is_lasting(self, t_s: float, arrival_utc: float, excess_s: float) -> bool:
        if self._late_since is None:
            self._late_since = (t_s, arrival_utc)
            self._late_low_s = excess_s
        self._late_low_s = min(self._late_low_s, excess_s)
        since_t_s, since_utc = self._late_since
        live_s = min(t_s - since_t_s, 2.0 * (arrival_utc - since_utc))
        return live_s >= STEP_CONFIRM_S

    def _step(self, t_s: float, delay_s: float, step_s: float) -> float:
        self._restart(t_s, delay_s)
        self.n_steps += 1
        return step_s

    def _restart(self, t_s: float, delay_s: float) -> None:
        self._envelope.restart(t_s, delay_s)
        self._trips.clear()
        self._late_since = None


def _clip(value: float, bounds: tuple[float, float]) -> float:
    low, high = bounds
    return low if value < low else min(value, high)


def _nearest_delta_us(delta_us: int, silence_s: float) -> int:
    """Choose the count of whole wraps that fits the host's idea of the silence.

    If none fits, the host's clock was set meanwhile and says nothing: the ticks alone count. So they do if any
    would fit, after a month by the host's clock.
    """
    forward_us = delta_us % TICKS_WRAP_US
    n_wraps = max(0, round((silence_s * MICROSECONDS_PER_SECOND - forward_us) / TICKS_WRAP_US))
    elapsed_us = forward_us + n_wraps * TICKS_WRAP_US
    late_s = silence_s - elapsed_us / MICROSECONDS_PER_SECOND
    slack_s = _SILENCE_SKEW * silence_s
    if slack_s >= _AMBIGUOUS_S:
        return delta_us
    return elapsed_us if -slack_s - 1.0 <= late_s <= slack_s + _SILENCE_LATE_S else delta_us


def _require_finite(arrival_utc: float) -> None:
    if not math.isfinite(arrival_utc):
        msg = f"arrival_utc must be finite UNIX seconds, got {arrival_utc}"
        raise ValueError(msg)
