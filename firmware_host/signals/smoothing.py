"""Short smoothing of the stress log-odds. Longer than 30 s only lags: stages last minutes."""

from __future__ import annotations

import math

TIME_CONSTANT_S = 30.0
# Across a longer silence the old value says nothing.
FORGET_AFTER_S = 120.0


class LogitEma:
    """Exponential mean over stream time; the first value passes unchanged."""

    def __init__(self, *, time_constant_s: float = TIME_CONSTANT_S) -> None:
        if not time_constant_s > 0:
            raise ValueError(f"expected a positive time constant, got {time_constant_s}")
        self._time_constant_s = time_constant_s
        self._value = 0.0
        self._t_s: float | None = None

    def update(self, logit: float, t_s: float) -> float:
        """Smoothed log-odds after one window that ends at `t_s`."""
        elapsed_s = math.inf if self._t_s is None else t_s - self._t_s
        if not 0 <= elapsed_s <= FORGET_AFTER_S:
            self._value = logit
        else:
            step = 1.0 - math.exp(-elapsed_s / self._time_constant_s)
            self._value += step * (logit - self._value)
        self._t_s = t_s
        return self._value
