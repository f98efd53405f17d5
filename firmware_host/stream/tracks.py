"""The streams that a board describes: where each one stands, and its counters through all sessions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from firmware_host.protocol.messages import Channel
from firmware_host.stream.gaps import StreamCounters
from firmware_host.stream.totals import ChannelTotals
from firmware_host.stream.track import StreamTrack

# Nearly free this seldom, and soon enough to notice a channel that has stopped. If it was longer, all
# were silent: then each has time anew.
_LOOK_EVERY_S = 1.0
_ALL_SILENT_S = 4.0


class Tracks:
    """Follows the layout of a board, from session to session.

    A stream that is described as before goes on where it is; one that is not described any more is over, and
    its counters are kept.
    """

    def __init__(self) -> None:
        self.by_stream: dict[int, StreamTrack] = {}
        """By stream number, those of this session and layout."""
        self.look_s = 0.0
        """Stream time from which on `stopped` may find something."""
        # Every stream number of this session so far.
        self._numbers: set[int] = set()
        self._under_way_s = 0.0
        self._totals = ChannelTotals()

    @property
    def counters(self) -> dict[str, StreamCounters]:
        """Counters of this session by channel name."""
        return {track.channel.name: track.counters for track in self.by_stream.values()}

    @property
    def totals(self) -> dict[str, Counter[str]]:
        """Counters of all sessions so far, by channel name."""
        return self._totals.with_present(self.counters)

    @property
    def channels(self) -> Mapping[str, Channel]:
        """Every channel of all sessions so far by name, as it was last described; bounded as `totals` is."""
        return self._totals.channels

    @property
    def block_s(self) -> float:
        """Seconds from block to block of the stream that sends most often, 0 before the first."""
        spans = (track.block_s for track in self.by_stream.values())
        return min((span_s for span_s in spans if span_s), default=0.0)

    @property
    def measured_rates_hz(self) -> dict[str, float | None]:
        """Measured sample rate by channel name, None before the first 30 s."""
        return {track.channel.name: track.rate.measured_hz for track in self.by_stream.values()}

    def begin_session(self, channels: tuple[Channel, ...]) -> None:
        """Close all streams and follow those of a new session."""
        for track in self.by_stream.values():
            self._totals.close(track.channel, track.counters)
        self.look_s = self._under_way_s = 0.0
        self.by_stream = {c.stream: StreamTrack(c) for c in channels}
        self._numbers = set(self.by_stream)
        self._totals.describe(channels)

    def change(self, channels: tuple[Channel, ...], t_s: float) -> None:
        """Follow another layout of the same session from stream time ``t_s`` on."""
        kept = {track.channel: track for track in self.by_stream.values()}
        for channel in kept.keys() - set(channels):
            self._totals.close(channel, kept[channel].counters)
        self.by_stream = {
            c.stream: kept.get(c)
            or StreamTrack(c, is_new=c.stream not in self._numbers, since_s=t_s)
            for c in channels
        }
        self._numbers |= set(self.by_stream)
        self._totals.describe(channels)

    def stopped(self, t_s: float) -> list[tuple[str, float]]:
        """(name, silent_s) of the channels that send nothing more while others do, each told once."""
        if t_s - self.look_s > _ALL_SILENT_S:
            self._under_way_s = t_s
        self.look_s = t_s + _LOOK_EVERY_S
        told = [
            (track.channel.name, track.stopped_s(t_s, self._under_way_s))
            for track in self.by_stream.values()
        ]
        return [(name, silent_s) for name, silent_s in told if silent_s]
