"""How the stream does, for another process to read: one record in the vault, written over and over."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from firmware_host.errors import VaultError
from firmware_host.host.process import is_same_process, process_mark
from firmware_host.runtime.drops import drops
from firmware_host.runtime.listening import Listening
from firmware_host.runtime.pipeline import Pipeline
from firmware_host.runtime.summary import summarise
from firmware_host.vault.pack import pack, unpack
from firmware_host.vault.records import Vault

LIVE_KIND = "live"
# As often as events are written: a memory card takes it.
_EVERY_S = 10.0
# News at once, but not from each time that a loose plug touches.
_NEWS_EVERY_S = 1.0
_KEPT = (
    "board",
    "firmware",
    "battery_percent",
    "board_status",
    "stream_s",
    "n_sessions",
    "clock",
    "channels",
    "notes",
)


@dataclass(slots=True)
class LiveHealth:
    """Writes how one run's stream does: of a live one every 10 s and when link or data go or are back, and at its end.

    Parameters
    ----------
    monotonic
        Real seconds.
    """

    vault: Vault
    listening: Listening
    pipeline: Pipeline
    monotonic: Callable[[], float] = time.monotonic
    _last_s: float | None = field(default=None, init=False)
    _told: str = field(default="", init=False)
    _record_id: int | None = field(default=None, init=False)

    def look(self, *, now: bool = False) -> None:
        """Write it if it is time, or ``now``; of a finite source nobody waits for news.

        The first time waits for the first samples, so that a board which has just said what it is does not
        stand there as silent.
        """
        if self.listening.link.is_finite or self.pipeline.hello is None:
            return
        now_s = self.monotonic()
        is_begun = self._last_s is not None or self.listening.last_data_utc is not None
        doing = self.listening.doing()
        every_s = _EVERY_S if doing == self._told else _NEWS_EVERY_S
        is_due = self._last_s is None or now_s - self._last_s >= every_s
        if now or (is_begun and is_due):
            self._last_s, self._told = now_s, doing
            self._write("")

    def end(self, why: str) -> None:
        """The run is over, and why in a line."""
        self._write(why)

    def _write(self, ended: str) -> None:
        link, pid = self.listening.link, os.getpid()
        utc = link.now_utc()
        seen = summarise(self.pipeline, Counter(), wall_s=0.0)
        facts = {
            **{name: seen[name] for name in _KEPT},
            **drops(self.pipeline.assembler, self.pipeline.parser),
            "quality": dict(self.pipeline.quality),
            **self.listening.counts(),
            "is_up": link.is_up,
            "trouble": link.trouble,
            "is_live": not link.is_finite,
            "last_data_utc": self.listening.last_data_utc,
            "told_utc": utc,
            "pid": pid,
            "process": process_mark(pid),
            "ended": ended,
        }
        self._put(pack({}, facts), utc)

    def _put(self, payload: bytes, utc: float) -> None:
        if self._record_id is None:
            self._record_id = self._id_of_last(utc)
        self.vault.replace(self._record_id, LIVE_KIND, payload, utc)

    def _id_of_last(self, utc: float) -> int:
        """The record of the run before, which nobody reads any more, or a new one."""
        ids = self.vault.times(LIVE_KIND, since_utc=float("-inf"), until_utc=float("inf"))
        return ids[-1][0] if ids else self.vault.put(LIVE_KIND, b"", utc, durable=False)


def live_health(vault: Vault) -> dict[str, Any] | None:
    """How the latest run's stream does or did; None if there was none, or its record is damaged."""
    try:
        record = vault.latest(LIVE_KIND)
    except VaultError:
        return None
    return None if record is None or not record.payload else dict(unpack(record.payload)[1])


def is_going_on(health: Mapping[str, Any]) -> bool:
    """Whether the run that wrote this has neither ended nor been killed."""
    return not health["ended"] and is_same_process(int(health["pid"]), health.get("process", ""))
