"""What a board is worn on: raw samples per channel and events, on the body's own time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Protocol

import numpy as np

from sim.schedule import BodyEvent, Schedule
from sim.sensors import CHANNELS, to_raw

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from firmware_host.protocol.messages import Button, Channel
    from sim.person import PieceSignals, Wearer

    Ints = NDArray[np.int64]


class Body(Protocol):
    """Sensors on a body, read in order.

    Sample ``i`` of a channel is taken at ``offset_s(name) + i / rate_hz`` body seconds, counting only
    those with power.
    """

    @property
    def channels(self) -> tuple[Channel, ...]:
        """Channels as HELLO announces them."""
        ...

    @property
    def duration_s(self) -> float:
        """Body seconds until nothing more comes."""
        ...

    def offset_s(self, name: str) -> float:
        """Body time of the channel's first sample."""
        ...

    def read(self, name: str, n: int) -> Ints:
        """Take the next (up to n, axes) raw samples; fewer only at the end."""
        ...

    def events(self) -> list[BodyEvent]:
        """Every event in time order."""
        ...

    def dark(self) -> list[tuple[float, float]]:
        """When the board is without power, (start_s, end_s) in order."""
        ...

    def answer_to_cue(self, t_s: float) -> Button | None:
        """Button that is pressed some seconds after a tap at body time ``t_s``; None if none is."""
        ...


class SyntheticBody:
    """A simulated wearer through simulated sensors."""

    channels = CHANNELS

    def __init__(self, wearer: Wearer) -> None:
        self._wearer = wearer
        self._schedule: Schedule = wearer.schedule
        self._pieces: Iterator[PieceSignals] = iter(wearer)
        self._queues = {channel.name: _SampleQueue(channel.axes) for channel in CHANNELS}
        self._watch: Callable[[PieceSignals], None] | None = None

    def watch(self, take: Callable[[PieceSignals], None]) -> None:
        """Tell somebody of every piece that is lived from now on."""
        self._watch = take

    @property
    def duration_s(self) -> float:
        """Length of the schedule."""
        return float(self._schedule.duration_s)

    def offset_s(self, name: str) -> float:  # noqa: ARG002 - every channel starts at once
        """Zero: every channel starts with the schedule."""
        return 0.0

    def read(self, name: str, n: int) -> Ints:
        """Take the next (up to n, axes) raw samples; fewer only at the end."""
        queue = self._queues[name]
        while queue.n_waiting < n and self._make_piece():
            pass
        return queue.take(n)

    def events(self) -> list[BodyEvent]:
        """Every event of the schedule in time order."""
        return self._schedule.events(seed=self._wearer.seed)

    def dark(self) -> list[tuple[float, float]]:
        """When the scenario's board charges."""
        return self._schedule.dark()

    def answer_to_cue(self, t_s: float) -> Button | None:
        """What the scenario's wearer says of a tap."""
        return self._schedule.answer_to_cue(t_s)

    def _make_piece(self) -> bool:
        signals = next(self._pieces, None)
        if signals is None:
            return False
        if self._watch is not None:
            self._watch(signals)
        for channel in CHANNELS:
            values = signals.channel(channel.name)
            for drift in self._schedule.drifts:
                if drift.channel == channel.name and signals.piece.start_s >= drift.start_s:
                    values = drift.apply(
                        values,
                        seed=self._wearer.seed,
                        piece_idx=signals.piece.idx,
                        now_s=signals.piece.start_s,
                    )
            self._queues[channel.name].put(to_raw(channel, values))
        return True


class _SampleQueue:
    """Samples made but not yet read; never copies what is already queued."""

    def __init__(self, axes: int) -> None:
        self._axes = axes
        self._parts: list[Ints] = []
        self._at = 0
        self.n_waiting = 0

    def put(self, samples: Ints) -> None:
        self._parts.append(samples)
        self.n_waiting += len(samples)

    def take(self, n: int) -> Ints:
        n = min(n, self.n_waiting)
        self.n_waiting -= n
        out: list[Ints] = []
        while n:
            part = self._parts[0][self._at : self._at + n]
            self._at += len(part)
            n -= len(part)
            out.append(part)
            if self._at == len(self._parts[0]):
                self._parts.pop(0)
                self._at = 0
        if len(out) == 1:
            return out[0]
        return np.concatenate(out) if out else np.empty((0, self._axes), dtype=np.int64)
