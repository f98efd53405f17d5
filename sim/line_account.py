"""What arrived of what the board sent: known to the sample, because the line's two ends are both here.

Nothing is decoded on the far side. A piece between two zeros arrived whole if and only if its bytes are
those of a frame that was sent, so that the account does not rest on the decoder it is held against.
"""

from __future__ import annotations

import struct
from binascii import crc32
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

from firmware_host.protocol import frame
from firmware_host.protocol.messages import STATE_EVENTS, Channel

# Four hours: one that has not arrived until then was lost, and one that has does not come again, neither
# doubled by the line nor out of the board's ring.
_KEPT_FRAMES = 1 << 17
# The host forgets older holes too, and takes what would fill one for something it has.
_OPEN_HOLES = 64
_MAX_CODE_BYTES = frame.MAX_BODY_BYTES + 1
_U32 = 1 << 32
_IDX = struct.Struct("<I")
_EVENT = struct.Struct("<Bi")


class _Sent(NamedTuple):
    """What one frame says, as far as the account needs it."""

    kind: int
    stream: int
    session: int
    dropped: int
    sample_idx: int
    n_samples: int
    part: int
    n_parts: int
    event: tuple[int, int]
    crc: int


@dataclass(slots=True)
class Hole:
    """Samples that were missing when the next ones of their channel arrived."""

    t_s: float
    session: int
    sample_idx: int
    n_samples: int


@dataclass(slots=True)
class ChannelAccount:
    """One channel over all sessions.

    ``samples`` arrived in order, ``late_samples`` after later ones, into a hole. ``missing_samples`` are
    all holes when they showed. ``sent_samples`` left the board.
    """

    sent_samples: int = 0
    samples: int = 0
    missing_samples: int = 0
    late_blocks: int = 0
    late_samples: int = 0
    duplicate_blocks: int = 0
    board_dropped: int = 0
    holes: list[Hole] = field(default_factory=list)


class _Follow:
    """Where one stream of one session is."""

    def __init__(self, sent: _Sent) -> None:
        self.next_idx = sent.sample_idx
        self.dropped = sent.dropped
        self.open: list[tuple[int, int]] = []

    def fill(self, start: int, n: int) -> bool:
        """Close the part of an open hole that a late block fits into."""
        for i, (at, size) in enumerate(self.open):
            if at <= start and start + n <= at + size:
                rest = [(at, start - at), (start + n, at + size - start - n)]
                self.open[i : i + 1] = [(first, left) for first, left in rest if left]
                return True
        return False


@dataclass(slots=True)
class LineCounts:
    """Pieces between two zeros, and what they were."""

    bytes: int = 0
    frames_sent: int = 0
    frames: int = 0
    bad_frames: int = 0
    oversize: int = 0
    skipped_bytes: int = 0
    foreign_messages: int = 0
    sessions: int = 0
    events: int = 0


class LineAccount:
    """Both ends of the line: `sent` is told what the board gives, `arrived` what the host gets.

    Parameters
    ----------
    channels
        Those of the board now.
    """

    def __init__(self, channels: Callable[[], Iterable[Channel]]) -> None:
        self.counts = LineCounts()
        self._board_channels = channels
        self._by_stream = {channel.stream: channel for channel in channels()}
        self.channels = {channel.name: ChannelAccount() for channel in channels()}
        self._sent: dict[bytes, _Sent] = {}
        self._tail = b""
        self._flooded = False
        self.session_starts: list[tuple[float, int]] = []
        """(t_s, session) of every description that began a session."""
        self.content: dict[int, list[int]] = {}
        """By minute of arrival: how many blocks, and the sum of the CRCs of their payloads."""
        self.n_messages = 0
        """Messages that the host can make of what arrived."""
        self._session = -1
        self._parts: list[int] = []
        # By kind of event; one that is said again is none.
        self._states: dict[int, int] = {}
        self._follows: dict[int, _Follow] = {}

    def sent(self, data: bytes) -> None:
        """Whole frames that the board gives to the line."""
        for code in data.split(b"\0")[:-1]:
            if not code or code in self._sent:
                # A zero in front of a boot's first frame; a frame that the board sends again.
                continue
            sent = self._sent[code] = self._read(code)
            self.counts.frames_sent += 1
            if sent.kind == frame.BLOCK:
                self._account(sent).sent_samples += sent.n_samples
            if len(self._sent) > _KEPT_FRAMES:
                del self._sent[next(iter(self._sent))]

    def arrived(self, data: bytes, now_s: float) -> None:
        """Bytes that the host gets at ``now_s``."""
        self.counts.bytes += len(data)
        pieces = (self._tail + data).split(b"\0")
        self._tail = pieces.pop()
        for piece in pieces:
            if self._flooded:
                self._flooded = False
                self.counts.skipped_bytes += len(piece)
            elif piece:
                self._take(piece, now_s)
        if len(self._tail) > _MAX_CODE_BYTES:
            self.counts.oversize += not self._flooded
            self._flooded = True
            self.counts.skipped_bytes += len(self._tail)
            self._tail = b""

    def as_dict(self) -> dict[str, Any]:
        """Everything, as plain values."""
        return {
            "line": asdict(self.counts),
            "sessions": self.session_starts,
            "messages": self.n_messages,
            "content": self.content,
            "channels": {name: asdict(account) for name, account in self.channels.items()},
        }

    def _read(self, code: bytes) -> _Sent:
        body = frame.cobs_decode(code)
        kind, stream, session, _seq, _ticks, dropped = struct.unpack_from(frame.HEADER, body)
        idx = n = part = n_parts = 0
        event = (0, 0)
        if kind == frame.BLOCK:
            (idx,) = _IDX.unpack_from(body, frame.HEADER_BYTES)
            size = len(body) - frame.HEADER_BYTES - _IDX.size - frame.CRC_BYTES
            n = size // self._channel(stream).sample_bytes
        elif kind == frame.HELLO:
            part, n_parts = body[frame.HEADER_BYTES + 1], body[frame.HEADER_BYTES + 2]
        elif kind == frame.EVENT:
            event = _EVENT.unpack_from(body, frame.HEADER_BYTES)
        crc = crc32(body[frame.HEADER_BYTES : -frame.CRC_BYTES])
        return _Sent(kind, stream, session, dropped, idx, n, part, n_parts, event, crc)

    def _account(self, sent: _Sent) -> ChannelAccount:
        return self.channels[self._channel(sent.stream).name]

    def _channel(self, stream: int) -> Channel:
        if stream not in self._by_stream:
            # A channel gets another number with another rate; the old ones keep theirs.
            self._by_stream |= {channel.stream: channel for channel in self._board_channels()}
        return self._by_stream[stream]

    def _take(self, piece: bytes, now_s: float) -> None:
        sent = self._sent.get(piece)
        if sent is None:
            is_long = len(piece) > _MAX_CODE_BYTES
            self.counts.oversize += is_long
            self.counts.bad_frames += not is_long
            self.counts.skipped_bytes += len(piece)
            return
        self.counts.frames += 1
        if sent.kind == frame.HELLO:
            self._hear_hello(sent, now_s)
            return
        self.n_messages += 1
        if sent.kind == frame.BLOCK:
            sums = self.content.setdefault(int(now_s // 60), [0, 0])
            sums[0] += 1
            sums[1] += sent.crc
        if sent.session != self._session:
            self.counts.foreign_messages += 1
        elif sent.kind == frame.BLOCK:
            self._place(sent, now_s)
        elif sent.kind == frame.EVENT:
            self._hear_event(*sent.event)

    def _hear_hello(self, sent: _Sent, now_s: float) -> None:
        """A description counts when all its parts came, in order, with no other part between them."""
        if sent.part == 0 or sent.part != len(self._parts):
            self._parts = []
        if sent.part != len(self._parts):
            return
        self._parts.append(sent.part)
        if len(self._parts) == sent.n_parts:
            self._parts = []
            self.n_messages += 1
            if sent.session != self._session:
                self._session = sent.session
                self._follows, self._states = {}, {}
                self.counts.sessions += 1
                self.session_starts.append((now_s, sent.session))

    def _hear_event(self, kind: int, value: int) -> None:
        if kind in STATE_EVENTS:
            if self._states.get(kind) == value:
                return
            self._states[kind] = value
        self.counts.events += 1

    def _place(self, sent: _Sent, now_s: float) -> None:
        account, n = self._account(sent), sent.n_samples
        follow = self._follows.get(sent.stream)
        if follow is None:
            follow = self._follows[sent.stream] = _Follow(sent)
        if sent.sample_idx < follow.next_idx:
            if follow.fill(sent.sample_idx, n):
                account.late_blocks += 1
                account.late_samples += n
            else:
                account.duplicate_blocks += 1
            return
        account.board_dropped += (sent.dropped - follow.dropped) % (1 << 16)
        follow.dropped = sent.dropped
        missing = sent.sample_idx - follow.next_idx
        if missing:
            account.missing_samples += missing
            account.holes.append(Hole(now_s, sent.session, follow.next_idx, missing))
            follow.open.append((follow.next_idx, missing))
            del follow.open[:-_OPEN_HOLES]
        account.samples += n
        follow.next_idx = (sent.sample_idx + n) % _U32
