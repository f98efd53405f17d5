"""Declared against measured sample rate, on the board's own clock."""

from __future__ import annotations

# Shorter stretches mistake the ticks' jitter for a wrong rate.
_MIN_SPAN_S = 30.0
TOLERANCE = 0.02
"""Share by which the measured sample rate may differ from the declared one."""


class RateMonitor:
    """Measures the rate of one stream over stretches of at least 30 s.

    Lost samples count as samples, so losses do not look like a slow sensor.
    """

    def __init__(self, declared_hz: float) -> None:
        self._declared_hz = declared_hz
        self._start_s: float | None = None
        self._n_samples = 0
        self.due_s = 0.0
        self.measured_hz: float | None = None
        self.is_off = False

    @property
    def verdict(self) -> dict[str, float | int | str]:
        """Whether the board keeps the rate it declared, with both."""
        return {
            "declared_hz": self._declared_hz,
            "measured_hz": self.measured_hz or 0.0,
            "is_off": int(self.is_off),
        }

    def restart(self) -> None:
        """Begin a new stretch with the next block, after a pause or a jump of the clock."""
        self._start_s = None
        self._n_samples = 0
        self.due_s = 0.0

    def add(self, t0_s: float, n_before: int, n_samples: int) -> bool:
        """Take one block: ``n_before`` missing samples, then ``n_samples`` from ``t0_s`` on.

        Returns whether the verdict ``is_off`` changed.
        """
        if self._start_s is None:
            self._start_s = t0_s
            self._n_samples = n_samples
            self.due_s = t0_s + _MIN_SPAN_S
            return False
        self._n_samples += n_before
        if t0_s < self.due_s:
            self._n_samples += n_samples
            return False
        self.measured_hz = self._n_samples / (t0_s - self._start_s)
        self._start_s = t0_s
        self._n_samples = n_samples
        self.due_s = t0_s + _MIN_SPAN_S
        was_off = self.is_off
        self.is_off = abs(self.measured_hz / self._declared_hz - 1.0) > TOLERANCE
        return self.is_off != was_off
