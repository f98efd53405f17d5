"""Labels of a file, as they become known in their own good time."""

from __future__ import annotations

from collections.abc import Iterable

from firmware_host.events import Labelled


class PendingLabels:
    """Labels of a file, each handed out once the stream has passed its end: nobody knows it earlier."""

    def __init__(self, labels: Iterable[tuple[float, float, str]], *, source: str = "file") -> None:
        self._waiting = sorted(labels, key=lambda label: label[1], reverse=True)
        self._source = source

    def due(self, t_s: float, utc: float) -> list[Labelled]:
        """Labels whose end lies at or before ``utc``, in order of their ends."""
        ready = []
        while self._waiting and self._waiting[-1][1] <= utc:
            start_utc, end_utc, label = self._waiting.pop()
            ready.append(Labelled(t_s, utc, label, start_utc, end_utc, self._source))
        return ready

    def rest(self, t_s: float, utc: float) -> list[Labelled]:
        """Hand out those that have begun: the stream is over. Of what was never played nothing is known."""
        begun = [end for start, end, _ in self._waiting if start < utc]
        self._waiting = [label for label in self._waiting if label[0] < utc]
        return self.due(t_s, max([utc, *begun]))
