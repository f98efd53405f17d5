"""Board ticks become stream time, and stream time is mapped to host time.

Stream time ``t_s`` comes from the board's ticks alone, so nothing computed on it depends on how the
data was delivered. Host time annotates: it comes from a line under the delivery delays
(envelope.py) and, where the board answers PING, from the round trip.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from firmware_host.stream.envelope import LowerEnvelope
from firmware_host.units import MICROSECONDS_PER_SECOND, TICKS_WRAP_US, ticks_delta_us

# After half a wrap without a message the ticks alone cannot tell how many wraps went by.
_AMBIGUOUS_S = TICKS_WRAP_US / 2 / MICROSECONDS_PER_SECOND
# A silence must agree on both clocks to this share, and its end may be delivered this late.
_SILENCE_SKEW = 1e-3
_SILENCE_LATE_S = 30.0
# No crystal drifts this far between two fits: one of the clocks was set.
STEP_BACK_S = 0.25
# A stalled link delays too, but then catches up: later for this long while data flows live is a
# step.
STEP_FORWARD_S = 1.0
STEP_CONFIRM_S = 20.0
# Before this much data an early arrival is the first fast one, not a step.
_SETTLED_S = 10.0
# Weight of one more message in the running delay and jitter, about the last hundred messages.
_EWMA = 0.01
# Round trips wait in a bounded list until a faster one or their age removes them.
_PONG_HORIZON_S = 600.0


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
        self.n_wraps = 0
        self.n_steps = 0
        self._envelope = LowerEnvelope()
        self._envelope.add(0.0, arrival_utc)
        self._delay_s = 0.0
        self._jitter_s = 0.0
        self._late_since: tuple[float, float] | None = None
        self._late_low_s = math.inf
        self._pong: tuple[float, float, float] | None = None

    def jump(self, by_s: float) -> None:
        """Add ``by_s`` to stream time from here on, to undo a leap of the board's count."""
        self._shift_s += by_s
        self.last_jump_s = by_s
        self._late_since = None

    def unwrap(self, ticks_us: int, arrival_utc: float) -> float:
        """Stream time of a tick count; counts up to 35 min older than the newest are right too."""
        delta_us = ticks_delta_us(ticks_us, self._last_ticks_us)
        silence_s = arrival_utc - self._last_arrival_utc
        if silence_s > _AMBIGUOUS_S:
            delta_us = _nearest_delta_us(delta_us, silence_s)
        if delta_us >= 0:
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
        if excess_s > STEP_FORWARD_S:
            if may_step and self._is_lasting(t_s, arrival_utc, excess_s):
                return self._step(t_s, delay_s, self._late_low_s)
        else:
            self._late_since = None
            if excess_s < -STEP_BACK_S and envelope.span_s > _SETTLED_S:
                return self._step(t_s, delay_s, excess_s) if may_step else None
        envelope.add(t_s, delay_s)
        return None

    def observe_round_trip(self, t_s: float, sent_utc: float, arrival_utc: float) -> None:
        """Take one PING answered at ``t_s``: the fastest one says how late the envelope is.

        Raises
        ------
        ValueError
            If the answer arrives before the question.
        """
        if not arrival_utc >= sent_utc:
            msg = f"answer at {arrival_utc} before its question at {sent_utc}"
            raise ValueError(msg)
        self.observe(t_s, arrival_utc, may_step=False)
        round_trip_s = arrival_utc - sent_utc
        best = self._pong
        if best is None or round_trip_s <= best[1] or t_s - best[0] > _PONG_HORIZON_S:
            self._pong = (t_s, round_trip_s, (sent_utc + arrival_utc) / 2)

    def utc(self, t_s: float) -> float:
        """Host time, UNIX seconds, at which the board was at ``t_s``; a pure read."""
        line = self._envelope.line
        if line is None:
            msg = "clock has no first observation"
            raise ValueError(msg)
        return t_s + line.offset_s + line.skew * (t_s - line.t_ref_s) - self._least_delay_s()

    def health(self) -> ClockHealth:
        """Drift, jitter and what happened so far."""
        line = self._envelope.line
        skew = line.skew if line else 0.0
        return ClockHealth(
            drift_ppm=0.0 - skew / (1.0 + skew) * 1e6,
            delay_ms=self._delay_s * 1e3,
            jitter_ms=self._jitter_s * 1e3,
            round_trip_ms=self._pong[1] * 1e3 if self._pong else math.nan,
            span_s=self._envelope.span_s,
            n_wraps=self.n_wraps,
            n_steps=self.n_steps,
        )

    def _least_delay_s(self) -> float:
        """Delay of the fastest delivery itself, from the best round trip: 0 without one."""
        line = self._envelope.line
        if self._pong is None or line is None:
            return 0.0
        t_s, round_trip_s, middle_utc = self._pong
        # The envelope can be late by no more than the whole trip took.
        return min(max(t_s + line.at(t_s) - middle_utc, 0.0), round_trip_s / 2)

    def _is_lasting(self, t_s: float, arrival_utc: float, excess_s: float) -> bool:
        if self._late_since is None:
            self._late_since = (t_s, arrival_utc)
            self._late_low_s = excess_s
        self._late_low_s = min(self._late_low_s, excess_s)
        since_t_s, since_utc = self._late_since
        live_s = min(t_s - since_t_s, 2.0 * (arrival_utc - since_utc))
        return live_s >= STEP_CONFIRM_S

    def _step(self, t_s: float, delay_s: float, step_s: float) -> float:
        self._envelope.restart(t_s, delay_s)
        self._late_since = None
        self._pong = None
        self.n_steps += 1
        return step_s


def _nearest_delta_us(delta_us: int, silence_s: float) -> int:
    """Choose the count of whole wraps that fits the host's idea of the silence.

    If none fits, the host's clock was set meanwhile and says nothing: the ticks alone count.
    """
    forward_us = delta_us % TICKS_WRAP_US
    n_wraps = max(0, round((silence_s * MICROSECONDS_PER_SECOND - forward_us) / TICKS_WRAP_US))
    elapsed_us = forward_us + n_wraps * TICKS_WRAP_US
    late_s = silence_s - elapsed_us / MICROSECONDS_PER_SECOND
    slack_s = _SILENCE_SKEW * silence_s
    return elapsed_us if -slack_s - 1.0 <= late_s <= slack_s + _SILENCE_LATE_S else delta_us


def _require_finite(arrival_utc: float) -> None:
    if not math.isfinite(arrival_utc):
        msg = f"arrival_utc must be finite UNIX seconds, got {arrival_utc}"
        raise ValueError(msg)
