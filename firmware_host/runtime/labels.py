"""Labels as they become known in a run: those of a file in their own good time, each once."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator

from firmware_host.events import Labelled
from firmware_host.recording.labels import Span, is_said

# More than anybody says in the days that a recording may last.
_KEPT = 256


class LabelsOnce:
    """Each label of a run once, though a recording carries the labels that its buttons give again."""

    def __init__(self) -> None:
        self._said: deque[Labelled] = deque(maxlen=_KEPT)

    def new(self, labels: Iterable[Labelled]) -> Iterator[Labelled]:
        """Those that nobody said before; what is said on purpose counts, even if it was taken back before."""
        for label in labels:
            # The same host time pressed twice is another time: the clock was set back.
            others = (x for x in self._said if None in (x.on_board, label.on_board))
            if label.source == "cli" or not is_said(_span(label), map(_span, others)):
                self._said.append(label)
                yield label


class PendingLabels:
    """Labels of a file, each handed out once the stream has passed its end: nobody knows it earlier.

    Parameters
    ----------
    pressed
        Those of the buttons. Their presses tell when they are due, which host time does not where the clock was
        set back; one whose presses are not played is handed out at the end.
    """

    def __init__(
        self, labels: Iterable[Span], pressed: Iterable[Span] = (), *, source: str = "file"
    ) -> None:
        self._waiting = sorted(labels, key=lambda label: label[1], reverse=True)
        self._pressed = list(pressed)
        self._source = source

    def pressed(self, label: Labelled) -> None:
        """A label was given by its presses."""
        self._pressed = [x for x in self._pressed if not is_said(x, [_span(label)])]

    def due(self, t_s: float, utc: float) -> list[Labelled]:
        """Labels whose end lies at or before ``utc``, in order of their ends."""
        ready = []
        while self._waiting and self._waiting[-1][1] <= utc:
            start_utc, end_utc, label = self._waiting.pop()
            ready.append(Labelled(t_s, utc, label, start_utc, end_utc, self._source))
        return ready

    def rest(self, t_s: float, utc: float) -> list[Labelled]:
        """Hand out those that have begun: the stream is over. Of what was never played nothing is known."""
        begun = [label for label in (*self._waiting, *self._pressed) if label[0] < utc]
        self._waiting = sorted(begun, key=lambda label: label[1], reverse=True)
        self._pressed = []
        return self.due(t_s, max([utc, *(end for _, end, _ in begun)]))


def _span(label: Labelled) -> Span:
    return (label.start_utc, label.end_utc, label.label)
