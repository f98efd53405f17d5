"""No data from a live board: said once, and after long enough the end."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from firmware_host.errors import StreamSilent
from firmware_host.protocol.messages import Channel
from firmware_host.runtime.link import Link

SILENCE_NOTE = "silence"
LINK_NOTE = "link"
BACK_NOTE = "data_again"
# A board that is there and mute is broken; one that is away may be in use elsewhere, for days.
MUTE_SILENCES = 60
# A slow sensor is not silent between two of its samples.
_MOST_PERIODS = 3.0


@dataclass(frozen=True, slots=True)
class SilenceLimits:
    """After how many seconds without data it is said, and after how many it is the end.

    ``end_s`` of 0 waits for a board that is away as long as it takes, and for one that is there but
    mute sixty times ``say_s``.
    """

    say_s: float = 5.0
    end_s: float = 0.0


@dataclass(slots=True)
class SilenceWatch:
    """Looks at one link; a finite source is never silent.

    Parameters
    ----------
    monotonic
        Real seconds.
    """

    link: Link
    limits: SilenceLimits
    monotonic: Callable[[], float] = time.monotonic
    _since_s: float = field(default=0.0, init=False)
    _is_said: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        self._since_s = self.monotonic()

    @property
    def silent_s(self) -> float:
        """Seconds since data came."""
        return self.monotonic() - self._since_s

    def heard(self) -> float | None:
        """Data came; returns how long it was awaited if that had been said, else None."""
        was_s = self.silent_s if self._is_said else None
        self._since_s = self.monotonic()
        self._is_said = False
        return was_s

    def look(self, channels: Iterable[Channel]) -> str | None:
        """Nothing came: the name of the note to write, once, else None.

        Raises
        ------
        StreamSilent
            If it has lasted too long.
        """
        if self.link.is_finite:
            return None
        silent_s = self.silent_s
        end_s = self.limits.end_s
        if not end_s and self.link.is_up:
            end_s = MUTE_SILENCES * self.limits.say_s
        say_s = max(self.limits.say_s, _slowest_answer_s(channels))
        # Said before it is the end, even if the end comes first.
        if not self._is_said and silent_s >= min(say_s, end_s or say_s):
            self._is_said = True
            return SILENCE_NOTE if self.link.is_up else LINK_NOTE
        if self._is_said and end_s and silent_s >= end_s:
            where = "the board is there but mute" if self.link.is_up else "the board is away"
            msg = f"no data for {silent_s:.0f} s: {where}; what came before is kept"
            raise StreamSilent(msg)
        return None


def _slowest_answer_s(channels: Iterable[Channel]) -> float:
    fastest_hz = max((channel.rate_hz for channel in channels), default=0.0)
    return _MOST_PERIODS / fastest_hz if fastest_hz else 0.0
