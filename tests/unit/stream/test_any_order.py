"""Any sequence of messages over a bad line: every sample is handed on once or counted lost, to the sample."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from firmware_host.protocol.messages import Block, Channel, Event, EventKind, Hello, Ping, Pong
from firmware_host.stream.samples import Samples
from tests.fuzz.accounts import Accounts, Items
from tests.unit.stream.streams import UTC0

# Samples are their own index, so that what is handed on says where it was taken.
CHANNELS = (
    Channel(0, "bvp", "au", 64.0, 1.0, 0.0, "i32", 1),
    Channel(1, "eda", "uS", 4.0, 1.0, 0.0, "i32", 1),
)
STREAMS = st.sampled_from([0, 1])


@dataclass(slots=True)
class _Stream:
    """What the board made of a stream in this session, and what of it came."""

    made: list[Block] = field(default_factory=list)
    next_idx: int = 0
    first_came: int | None = None
    end_came: int = 0
    live: set[int] = field(default_factory=set)
    handed: list[int] = field(default_factory=list)


class BadLine(RuleBasedStateMachine):
    """A board, a line that loses, repeats, delays and delivers late, and the assembler behind it."""

    @initialize(ring_bytes=st.sampled_from([0, 4096]), first_idx=st.sampled_from([0, 5000]))
    def boot(self, ring_bytes: int, first_idx: int) -> None:
        self.accounts = Accounts()
        self.t_s = 0.0
        self.late_s = 0.0
        self.hello = Hello(7, "board-1", "fw", CHANNELS, ring_bytes=ring_bytes)
        self.first_idx = first_idx
        self.streams: dict[int, _Stream] = {}
        self._say_hello()

    def _say_hello(self) -> None:
        self.streams = {c.stream: _Stream(next_idx=self.first_idx) for c in CHANNELS}
        self.t0_s = self.t_s
        self._feed(replace(self.hello, ticks_us=self._ticks(self.t_s)))

    def _ticks(self, t_s: float) -> int:
        return round(t_s * 1e6) % (1 << 32)

    def _feed(self, message: Block | Event | Hello | Ping | Pong) -> None:
        self._enter(self.accounts.feed(message, UTC0 + self.t_s + self.late_s))

    def _enter(self, out: Items) -> None:
        for item in out:
            if isinstance(item, Samples):
                handed = self.streams[item.channel.stream].handed
                idx = [int(v) for v in item.values[:, 0]]
                assert idx == list(range(idx[0], idx[0] + len(idx)))
                if handed:
                    assert idx[0] == handed[-1] + 1 + item.gap_before_samples
                handed += idx

    def _make(self, stream: int, n_samples: int) -> Block:
        s, channel = self.streams[stream], CHANNELS[stream]
        idx = s.next_idx
        first_s = self.t0_s + (idx - self.first_idx) / channel.rate_hz
        self.t_s = max(self.t_s, first_s + (n_samples - 1) / channel.rate_hz)
        data = np.arange(idx, idx + n_samples, dtype="<i4").tobytes()
        session, ticks_us = self.hello.session, self._ticks(first_s)
        block = Block(session, stream, len(s.made) % (1 << 16), ticks_us, 0, idx, data)
        s.made.append(block)
        s.next_idx += n_samples
        return block

    def _deliver(self, block: Block) -> None:
        s = self.streams[block.stream]
        end = block.sample_idx + len(block.data) // 4
        if s.first_came is None:
            s.first_came = block.sample_idx
        if block.sample_idx >= s.end_came:
            s.live |= set(range(block.sample_idx, end))
        s.end_came = max(s.end_came, end)
        self._feed(block)

    @rule(stream=STREAMS, n_samples=st.integers(1, 50), n_blocks=st.integers(1, 5))
    def blocks_come(self, stream: int, n_samples: int, n_blocks: int) -> None:
        for _ in range(n_blocks):
            self._deliver(self._make(stream, n_samples))

    @rule(stream=STREAMS, n_samples=st.integers(1, 50), n_blocks=st.integers(1, 20))
    def blocks_are_lost(self, stream: int, n_samples: int, n_blocks: int) -> None:
        for _ in range(n_blocks):
            self._make(stream, n_samples)

    @precondition(lambda self: any(s.made for s in self.streams.values()))
    @rule(data=st.data())
    def an_old_block_comes(self, data: st.DataObject) -> None:
        """Late, again, or because it was asked for."""
        made = [b for s in self.streams.values() if s.first_came is not None for b in s.made]
        old = [b for b in made if b.sample_idx >= (self.streams[b.stream].first_came or 0)]
        if old:
            self._deliver(data.draw(st.sampled_from(old)))

    @rule(late_s=st.floats(0.0, 3.0))
    def delivery_becomes(self, late_s: float) -> None:
        self.late_s = late_s

    @rule(kind=st.sampled_from(EventKind))
    def event_comes(self, kind: EventKind) -> None:
        self._feed(Event(self.hello.session, self._ticks(self.t_s), kind, 1))

    @rule()
    def ping_is_answered(self) -> None:
        self._feed(Ping(3))
        self._feed(Pong(self.hello.session, self._ticks(self.t_s), 3))

    @rule()
    def hello_is_said_again(self) -> None:
        self._feed(replace(self.hello, ticks_us=self._ticks(self.t_s)))

    @rule()
    def board_reboots(self) -> None:
        self._finish()
        self.hello = replace(self.hello, session=self.hello.session % 60_000 + 1)
        self._say_hello()

    @invariant()
    def accounts_agree(self) -> None:
        for name, counters in self.accounts.assembler.tracks.counters.items():
            stream = next(c.stream for c in CHANNELS if c.name == name)
            assert counters.samples == len(self.streams[stream].handed)
            assert counters.index_restarts == counters.bad_blocks == 0

    def _finish(self) -> None:
        """End the session: what came live was handed on, and the rest is counted lost, to the sample."""
        self._enter(self.accounts.end())
        for channel in CHANNELS:
            s = self.streams[channel.stream]
            counters = self.accounts.assembler.tracks.counters[channel.name]
            assert s.live <= set(s.handed)
            span = s.end_came - (s.first_came or 0)
            assert counters.samples + counters.lost_samples == span
            assert counters.paused_samples == 0

    def teardown(self) -> None:
        if self.streams:
            self._finish()


BadLine.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
test_any_sequence_balances = pytest.mark.filterwarnings("error")(BadLine.TestCase)
