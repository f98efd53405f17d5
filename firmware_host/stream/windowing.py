"""When a window is complete: a fixed grid on stream time, the same however the data arrived."""

from __future__ import annotations

import math
from collections.abc import Iterable


class HopGrid:
    """Says which window ends have been passed by all the channels a window needs.

    Ends are multiples of ``hop_s`` on stream time, the first one not before ``window_s``. A channel
    that stalls, or never starts, holds an end back until another one is ``max_lag_s`` past it; the
    window is then due without it. Ends of windows in which no channel has a single sample are
    skipped, so a long silence costs nothing.

    Raises
    ------
    ValueError
        If a length is not positive or no channel is named.
    """

    def __init__(
        self,
        channels: Iterable[str],
        *,
        window_s: float,
        hop_s: float,
        max_lag_s: float = 5.0,
    ) -> None:
        self._reached_s = dict.fromkeys(channels, -math.inf)
        if not self._reached_s or not window_s > 0 or not hop_s > 0 or max_lag_s < 0:
            msg = (
                "expected one or more channels, positive window_s and hop_s, max_lag_s >= 0, got "
                f"{list(self._reached_s)}, {window_s}, {hop_s}, {max_lag_s}"
            )
            raise ValueError(msg)
        self._window_s = float(window_s)
        self._hop_s = float(hop_s)
        self._max_lag_s = max_lag_s
        # A hair of slack, so that 60.0 / 10.0 is six hops whatever the floats say.
        self._hop_idx = math.ceil(window_s / hop_s - 1e-9)
        self._newest_s = -math.inf

    def advance(self, channel: str, t0_s: float, t_end_s: float) -> list[float]:
        """Note samples of ``[t0_s, t_end_s)``; return the window ends that are now due, in order.

        Channels nobody asked for are ignored.

        Raises
        ------
        ValueError
            If the stretch runs backwards.
        """
        if not t_end_s >= t0_s:
            msg = f"expected t_end_s >= t0_s, got {t_end_s} < {t0_s}"
            raise ValueError(msg)
        reached_s = self._reached_s
        if channel not in reached_s:
            return []
        due = self._flush_before(t0_s)
        if t_end_s > reached_s[channel]:
            reached_s[channel] = t_end_s
            self._newest_s = max(self._newest_s, t_end_s)
        if self._newest_s + 1e-9 < self._end_s:
            # The usual case: nobody has got to the next end yet.
            return due
        complete_s = max(min(reached_s.values()), self._newest_s - self._max_lag_s)
        while self._end_s <= complete_s + 1e-9:
            due.append(self._end_s)
            self._hop_idx += 1
        return due

    def lagging(self, t_end_s: float) -> tuple[str, ...]:
        """Channels that have not reached ``t_end_s``."""
        return tuple(name for name, at_s in self._reached_s.items() if at_s < t_end_s - 1e-9)

    @property
    def _end_s(self) -> float:
        return self._hop_idx * self._hop_s

    def _flush_before(self, t0_s: float) -> list[float]:
        """Over a silence longer than a window: the ends that saw data, then on to its end."""
        if t0_s <= self._newest_s + self._window_s:
            return []
        due = []
        while self._end_s < self._newest_s + self._window_s:
            due.append(self._end_s)
            self._hop_idx += 1
        # The first end whose window holds a sample again; at the start of a stream, at all.
        self._hop_idx = max(self._hop_idx, math.floor(t0_s / self._hop_s) + 1)
        return due
