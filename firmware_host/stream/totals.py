"""What all sessions of a stream came to by channel; bounded, whatever boards call their channels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict

from firmware_host.protocol.messages import Channel
from firmware_host.stream.gaps import StreamCounters

# As many as one board can describe at once; only a faulty one, or a forger, comes to more.
MAX_NAMES = 256
OTHERS = "(others)"
"""Stands for the channels of earlier sessions when they are too many to be told apart."""


class ChannelTotals:
    """Counters of sessions and layouts that are over, and the latest description of every channel."""

    def __init__(self) -> None:
        self.channels: dict[str, Channel] = {}
        """By name, as described last."""
        self._earlier: dict[str, Counter[str]] = {}

    def describe(self, channels: Iterable[Channel]) -> None:
        """Take what the board has now; when names are too many, those that it has not go together."""
        present = {channel.name: channel for channel in channels}
        self.channels.update(present)
        if len(self.channels) <= MAX_NAMES:
            return
        self.channels = present
        for name in self._earlier.keys() - present.keys() - {OTHERS}:
            self._earlier.setdefault(OTHERS, Counter()).update(self._earlier.pop(name))

    def close(self, channel: Channel, counters: StreamCounters) -> None:
        """Take the counters of a stream that is over."""
        self._earlier.setdefault(channel.name, Counter()).update(asdict(counters))

    def with_present(self, counters: Mapping[str, StreamCounters]) -> dict[str, Counter[str]]:
        """Add the counters of the session that goes on; by channel name."""
        totals = {name: Counter(counts) for name, counts in self._earlier.items()}
        for name, present in counters.items():
            totals.setdefault(name, Counter()).update(asdict(present))
        return totals
