"""Presses of the board's labelling buttons become stretches of time."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from firmware_host.events import Labelled
from firmware_host.protocol.messages import Button

_LOGGER = logging.getLogger(__name__)

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

    Both ends are host time of then, as the times of all that was measured meanwhile are: a label covers what it
    is about, also if the host's clock was set forwards within it and it looks longer. Where the clock was set so
    far that it covers nothing, or hours of another day, it is left out, with a line.
    """

    _open: tuple[str, float, float] | None = None

    def press(self, value: int, t_s: float, utc: float) -> Labelled | None:
        """The label that this press completes, if any."""
        try:
            button = Button(value)
        except ValueError:
            return None
        if button not in _STARTS and button not in _ENDS:
            return None
        done = self._close(t_s, utc, _ENDS.get(button))
        if button in _STARTS:
            self._open = (_STARTS[button], t_s, utc)
        return done

    def forget(self) -> None:
        """The board rebooted: an open stretch has no known end."""
        self._open = None

    def _close(self, t_s: float, utc: float, ending: str | None) -> Labelled | None:
        """End the open stretch; an end of the other kind does not fit and changes nothing."""
        if self._open is None or (ending is not None and ending != self._open[0]):
            return None
        label, start_s, start_utc = self._open
        self._open = None
        if not 0 < t_s - start_s <= MAX_OPEN_S:
            return None
        if not 0 < utc - start_utc <= MAX_OPEN_S:
            _LOGGER.warning(
                "a label of the buttons, %s for %.0f s, is left out: the host's clock was set meanwhile",
                label,
                t_s - start_s,
            )
            return None
        return Labelled(t_s, utc, label, start_utc, utc, "button")
