"""No samples from a live board: said once, and after long enough the end."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from firmware_host.errors import StreamSilent
from firmware_host.runtime.link import Link
from firmware_host.stream.assembler import StreamAssembler

SILENCE_NOTE = "silence"
LINK_NOTE = "link"
BACK_NOTE = "data_again"
# A board that is there and mute is broken; one that is away may be in use elsewhere, for days.
MUTE_SILENCES = 60
# A slow sensor is not silent between two of its samples, nor one that fills long blocks between two of them.
_MOST_PERIODS = 3.0
_MOST_BLOCKS = 2.0


@dataclass(frozen=True, slots=True)
class SilenceLimits:
    """After how many seconds without samples it is said, and after how many it is the end.

    What else a board sends, who it is and answers, is no data. ``end_s`` of 0 waits for a board that is
    away as long as it takes, and for one that is there but mute sixty times ``say_s``.
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
    # Since when the board has been there: what it did not send while it was away says nothing of it.
    _up_since_s: float = field(default=0.0, init=False)
    _is_said: bool = field(default=False, init=False)
    _over_s: float = field(default=0.0, init=False)

    def __post_init__(self) -> None:
        self._since_s = self._up_since_s = self.monotonic()

    @property
    def silent_s(self) -> float:
        """Seconds since samples came."""
        return self.monotonic() - self._since_s

    @property
    def is_said(self) -> bool:
        """Whether the present silence was said."""
        return self._is_said

    @property
    def told_s(self) -> float:
        """Length of all silences that were said so far, together, in seconds."""
        return self._over_s + (self.silent_s if self._is_said else 0.0)

    def heard(self) -> float | None:
        """Samples came; returns how long they were awaited if that had been said, else None."""
        if self.link.is_finite:
            return None
        silent_s, was_said = self.silent_s, self._is_said
        self._since_s = self.monotonic()
        self._is_said = False
        if not was_said:
            return None
        self._over_s += silent_s
        return silent_s

    def look(self, stream: StreamAssembler) -> str | None:
        """Whether it is silent by now: the name of the note to write, once, else None.

        Raises
        ------
        StreamSilent
            If it has lasted too long.
        """
        if self.link.is_finite:
            return None
        if not self.link.is_up:
            self._up_since_s = self.monotonic()
        silent_s, end_s = self.silent_s, self.limits.end_s
        say_s = max(self.limits.say_s, _between_blocks_s(stream))
        # Said before it is the end, even if the end comes first.
        if not self._is_said and silent_s >= min(say_s, end_s or say_s):
            self._is_said = True
            return SILENCE_NOTE if self.link.is_up else LINK_NOTE
        if self._is_said and self._is_end(silent_s):
            where = "there but sends no samples" if self.link.is_up else "away"
            why = self.link.trouble or f"the board is {where}"
            msg = f"no data for {silent_s:.0f} s: {why}; what came before is kept"
            raise StreamSilent(msg)
        return None

    def _is_end(self, silent_s: float) -> bool:
        if self.limits.end_s:
            return silent_s >= self.limits.end_s
        mute_s = min(silent_s, self.monotonic() - self._up_since_s)
        return self.link.is_up and mute_s >= MUTE_SILENCES * self.limits.say_s


def _between_blocks_s(stream: StreamAssembler) -> float:
    """Seconds for which a board that is well may send nothing, by what it says and sends."""
    channels = () if stream.hello is None else stream.hello.channels
    fastest_hz = max((channel.rate_hz for channel in channels), default=0.0)
    of_samples_s = _MOST_PERIODS / fastest_hz if fastest_hz else 0.0
    return max(of_samples_s, _MOST_BLOCKS * stream.tracks.block_s)
