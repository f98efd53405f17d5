"""Presses of the board's labelling buttons become stretches of time."""

from __future__ import annotations

from dataclasses import dataclass

from firmware_host.events import Labelled, OnBoard
from firmware_host.protocol.messages import Button

STRESS, REST = "stress", "rest"
# Somebody who forgot the second press did not stress for hours.
MAX_OPEN_S = 3600.0

_STARTS = {Button.STRESS_STARTS: STRESS, Button.REST_STARTS: REST}
_ENDS = {Button.STRESS_ENDS: STRESS, Button.REST_ENDS: REST}


@dataclass(slots=True)
class ButtonLabels:
    """Pairs presses into labels.

    A start while another stretch is open ends that one. A plain press marks a moment and says nothing of stress:
    studies mark the edges of every stage with it. A stretch that stays open for an hour is forgotten.

    The board's clock says when a stretch was. Both its ends in host time are of then, as the times of all that was
    measured meanwhile are; where the host's clock was set so far between them that they make no stretch, or one
    of hours, the end is as it was shown and the start lies before that by what the board counted.
    """

    _open: tuple[str, float, float] | None = None

    def press(self, value: int, t_s: float, utc: float, *, session: int) -> Labelled | None:
        """The label that this press completes, if any; all presses are of one session until `forget`."""
        try:
            button = Button(value)
        except ValueError:
            return None
        if button not in _STARTS and button not in _ENDS:
            return None
        done = self._close(t_s, utc, _ENDS.get(button), session)
        if button in _STARTS:
            self._open = (_STARTS[button], t_s, utc)
        return done

    def forget(self) -> None:
        """The board rebooted: an open stretch has no known end."""
        self._open = None

    def _close(self, t_s: float, utc: float, ending: str | None, session: int) -> Labelled | None:
        """End the open stretch; an end of the other kind does not fit and changes nothing."""
        if self._open is None or (ending is not None and ending != self._open[0]):
            return None
        label, start_s, start_utc = self._open
        self._open = None
        on_board = OnBoard(session, start_s, t_s, start_utc)
        if not 0 < on_board.lasts_s <= MAX_OPEN_S:
            return None
        told_utc = start_utc if 0 < utc - start_utc <= MAX_OPEN_S else utc - on_board.lasts_s
        return Labelled(t_s, utc, label, told_utc, utc, "button", on_board)
