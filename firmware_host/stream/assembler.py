"""From messages to samples on one clock, and to events about the stream."""

from __future__ import annotations

import math
from collections import deque

from firmware_host.protocol.messages import (
    Ack,
    Block,
    Command,
    Hello,
    Log,
    Message,
    Mismatch,
    Ping,
    PlainMessage,
    Status,
)
from firmware_host.stream.clock import StreamClock
from firmware_host.stream.hold import Hole
from firmware_host.stream.samples import Detail, Note, Samples, StreamEvent, noted
from firmware_host.stream.session import StreamSession
from firmware_host.stream.tracks import Tracks

_MAX_ANSWERS = 64


class StreamAssembler:
    """Puts the messages of one board together.

    Stream time is zero at a session's first HELLO and starts anew with every session; a session
    shows as an event before its first samples, so whoever keeps windows starts over there. What
    arrives before the first HELLO of its session is counted and dropped: its units are not known
    yet, and a board repeats HELLO every 5 s.

    Where a board can send blocks again, what comes after a gap waits until the gap is filled, or
    nothing more is to be expected; `end` hands on what waits at the end of the stream.
    """

    def __init__(self) -> None:
        self.tracks = Tracks()
        """The streams of this session, and the counters of all."""
        self._session: StreamSession | None = None
        self.n_foreign = 0
        """Messages of a session whose HELLO has not come (or is over)."""
        self.n_unknown_stream = 0
        """Blocks of a stream the board did not describe."""
        self.n_blocks = 0
        """Blocks of announced streams that arrived, whatever became of them."""
        self.n_sessions = 0
        self.earlier_sessions_s = 0.0
        """Stream time of the sessions before this one, added up."""
        self.answers: deque[Ack] = deque(maxlen=_MAX_ANSWERS)
        """What the board answered to commands, for whoever gave them to take away."""

    @property
    def hello(self) -> Hello | None:
        """What the board said of itself last."""
        return self._session.hello if self._session else None

    @property
    def clock(self) -> StreamClock | None:
        """The clock of this session."""
        return self._session.clock if self._session else None

    @property
    def t_s(self) -> float:
        """Newest stream time handed on in this session."""
        return self._session.t_s if self._session else 0.0

    @property
    def holes(self) -> list[Hole]:
        """What is missing and may yet be filled: worth asking the board for."""
        return self._session.hold.holes if self._session else []

    @property
    def waiting_at_s(self) -> float:
        """Newest stream time at which the board was alive while something waits."""
        return self._session.hold.now_s if self._session else -math.inf

    def utc(self, t_s: float) -> float:
        """Host time of a stream time; NaN before the first HELLO."""
        return self._session.clock.utc(t_s) if self._session else math.nan

    def is_announced(self, session: int) -> bool:
        """Whether this is the session of the last HELLO."""
        return self._session is not None and session == self._session.number

    def sent_utc(self, block: Block, arrival_utc: float) -> float:
        """Host time at which the first sample of a block that was just fed was taken; NaN if unknown.

        A pure read: who asks hears the same stream as who does not.
        """
        session = self._session
        if session is None or block.session != session.number:
            return math.nan
        clock = session.clock
        return clock.utc(clock.unwrap(block.ticks_us, arrival_utc, keep=False))

    def feed(self, message: Message, arrival_utc: float) -> list[Samples | StreamEvent]:
        """Take one message; return the samples and events it brings, in order.

        A `Ping` is fed when it is sent, with the time of sending; its `Pong` then serves the clock. Who
        looks at `utc` or `t_s` asks `end_before` first.

        Raises
        ------
        ValueError
            If ``arrival_utc`` is not finite.
        """
        if not math.isfinite(arrival_utc):
            msg = f"arrival_utc must be finite UNIX seconds, got {arrival_utc}"
            raise ValueError(msg)
        if not isinstance(message, Block):
            return self._take_plain(message, arrival_utc)
        # The hot path: every call counts.
        session = self._session
        if session is None or message.session != session.number:
            self.n_foreign += 1
            return []
        track = self.tracks.by_stream.get(message.stream)
        if track is None:
            self.n_unknown_stream += 1
            return []
        self.n_blocks += 1
        return session.take_block(track, message, arrival_utc)

    def end_before(self, message: Message) -> list[Samples | StreamEvent]:
        """Hand on what waits of the session that this message is the end of; nothing for most messages.

        `feed` would hand it on too, but with `utc` and `t_s` of the new session already.
        """
        is_end = isinstance(message, Hello) and not self.is_announced(message.session)
        return self.end() if is_end else []

    def end(self) -> list[Samples | StreamEvent]:
        """Hand on the samples and events that still wait: the stream, or its session, is over."""
        return self._session.end() if self._session else []

    def _take_plain(self, message: PlainMessage, arrival_utc: float) -> list[Samples | StreamEvent]:
        session = self._session
        if isinstance(message, Hello):
            return self._take_hello(message, arrival_utc)
        if isinstance(message, Mismatch):
            detail: Detail = {"theirs": message.theirs}
            return [noted(Note.MISMATCH, detail, self.t_s, self.utc(self.t_s))]
        if isinstance(message, Ping | Command):
            if session is not None and isinstance(message, Ping):
                session.ask(message, arrival_utc)
            return []
        if session is None or message.session != session.number:
            self.n_foreign += 1
            return []
        if isinstance(message, Status | Log):
            return []
        if isinstance(message, Ack):
            self.answers.append(message)
        return session.take_other(message, arrival_utc)

    def _take_hello(self, hello: Hello, arrival_utc: float) -> list[Samples | StreamEvent]:
        before = self._session
        if before is None:
            return [self._begin_session(hello, arrival_utc, Note.SESSION)]
        if hello.session == before.number:
            return before.take_hello(hello, arrival_utc)
        waited = before.end()
        is_same = hello.board_id == before.hello.board_id
        what = Note.REBOOT if is_same else Note.SWAP
        return [*waited, self._begin_session(hello, arrival_utc, what)]

    def _begin_session(self, hello: Hello, arrival_utc: float, what: Note) -> StreamEvent:
        self.earlier_sessions_s += self.t_s
        self.n_sessions += 1
        self.tracks.begin_session(hello.channels)
        self._session = StreamSession(hello, arrival_utc, self.tracks)
        detail: Detail = {
            "session": hello.session,
            "board": hello.board_id,
            "firmware": hello.firmware,
            "n_channels": len(hello.channels),
        }
        return self._session.note(what, detail, 0.0)
