"""How much of the stream went missing lately."""

from __future__ import annotations

from collections import deque

_SPAN_S = 60.0
# Less says more about where blocks begin than about the line.
_MIN_SPAN_S = 10.0


class LossMeter:
    """Share of samples that did not arrive during the last minute of the stream."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int, int]] = deque()

    def take(self, t_s: float, n_arrived: int, n_missing: int) -> None:
        """Take totals as they stand at ``t_s`` of the stream."""
        if self._seen and t_s < self._seen[-1][0]:
            # Another session: its time begins anew.
            self._seen.clear()
        self._seen.append((t_s, n_arrived, n_missing))
        while t_s - self._seen[0][0] > _SPAN_S:
            self._seen.popleft()

    @property
    def percent(self) -> float | None:
        """0 to 100; None as long as there is too little to tell."""
        if not self._seen or self._seen[-1][0] - self._seen[0][0] < _MIN_SPAN_S:
            return None
        n_arrived = self._seen[-1][1] - self._seen[0][1]
        n_missing = self._seen[-1][2] - self._seen[0][2]
        n_due = n_arrived + n_missing
        return 100.0 * n_missing / n_due if n_due else None
