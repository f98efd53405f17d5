"""Asks a live board for its time now and then."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

from firmware_host.protocol.encode import encode_ping
from firmware_host.protocol.messages import Ping
from firmware_host.runtime.link import Link
from firmware_host.stream.clock import ping_every_s


@dataclass(slots=True)
class ClockAsker:
    """Sends PINGs over one link; a finite source and a board that is away are not asked.

    Time is the link's: a board that lives faster is asked as often in a second of its life.
    """

    link: Link
    _n_asked: int = field(default=0, init=False)
    _last_utc: float = field(default=-math.inf, init=False)

    def ask_if_due(self, t_s: float, asked: Callable[[Ping, float], None]) -> None:
        """Ask at ``t_s`` of a session if it is time; ``asked`` is told what and when, before it is sent."""
        if self.link.is_finite or not self.link.is_up:
            return
        now_utc = self.link.now_utc()
        # From-to, so that a host clock set back does not stop it.
        if 0 <= now_utc - self._last_utc < ping_every_s(t_s):
            return
        self._last_utc = now_utc
        self._n_asked += 1
        ping = Ping(self._n_asked)
        asked(ping, now_utc)
        self.link.write(encode_ping(ping, seq=self._n_asked))
