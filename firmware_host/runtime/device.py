"""A device for other programs: its samples as they come, and what happens to the stream."""

from __future__ import annotations

import re
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from os import PathLike, fspath
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from firmware_host.devices import open_device
from firmware_host.errors import LinkEnded, LinkError, ProtocolMismatch, SignetError
from firmware_host.events import StreamNoted
from firmware_host.protocol import frame
from firmware_host.protocol.messages import Channel, Command, Hello, Mismatch, Ping
from firmware_host.protocol.parser import MessageParser
from firmware_host.recording.registry import READERS
from firmware_host.runtime.link import lasting_link
from firmware_host.runtime.listening import Detail, Listening
from firmware_host.runtime.silence import SilenceLimits
from firmware_host.stream.assembler import StreamAssembler
from firmware_host.stream.samples import Samples

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
# Far more than come between two blocks; who never asks for them must not fill the memory.
_EVENTS_KEPT = 10_000


@dataclass(frozen=True, slots=True)
class Block:
    """Consecutive samples of one channel, none missing between them.

    ``t_s`` is the first one's time on the board's clock, in seconds since the session began; ``utc`` the same
    moment in UNIX seconds on the host's clock, as far as it was known then. ``values`` (n, axes) are in
    ``channel.unit``. ``missing_before`` samples are missing right before the first one.
    """

    channel: Channel
    t_s: float
    utc: float
    values: NDArray[np.float64]
    missing_before: int


class _Inbox:
    """What a device sent and nobody has taken yet."""

    def __init__(self, parser: MessageParser) -> None:
        self.parser = parser
        self.assembler = StreamAssembler()
        self.pending: deque[Block | StreamNoted] = deque()

    def feed(self, data: bytes, arrival_utc: float) -> None:
        """Take bytes of the board.

        Raises
        ------
        ProtocolMismatch
            If it speaks another version of the wire protocol.
        """
        for message in self.parser.feed(data):
            if isinstance(message, Mismatch):
                raise ProtocolMismatch(ours=frame.VERSION, theirs=message.theirs)
            # What waits has its times by the clock of the session that ends.
            self._take(self.assembler.end_before(message))
            self._take(self.assembler.feed(message, arrival_utc))

    def note(self, what: str, detail: Detail, utc: float) -> None:
        """Take what no message says."""
        t_s = self.assembler.t_s
        if self.assembler.clock is not None:
            utc = self.assembler.utc(t_s)
        self.pending.append(StreamNoted(t_s, utc, what, "", detail))

    def asked(self, ping: Ping, sent_utc: float) -> None:
        """A clock question is about to be sent."""
        self._take(self.assembler.feed(ping, sent_utc))

    def ordered(self, command: Command, sent_utc: float) -> None:
        """Nobody here is told of orders."""

    def end(self) -> None:
        """Nothing more comes: what waits for a gap to be filled waits in vain."""
        self._take(self.assembler.end())

    def _take(self, items: list[Samples | StreamNoted]) -> None:
        utc = self.assembler.utc
        for item in items:
            if isinstance(item, Samples):
                missing = item.gap_before_samples
                block = Block(item.channel, item.t0_s, utc(item.t0_s), item.values, missing)
                self.pending.append(block)
            else:
                self.pending.append(item)


class Device:
    """A board, a recording or the simulator, opened; a context manager, and an iterator over blocks.

    A live board that goes away is waited for, as ``signet run`` does, and the gap is in ``missing_before`` and
    in the events. Iteration ends where a recording or a simulated day does.

    Parameters
    ----------
    device
        A device URL, the path of a serial port, or of a recording.
    rates
        Sample rates in Hz by channel that a live board is asked for.
    silence_s, max_silence_s
        After how many seconds without data a live board's silence is an event, and after how many an error;
        0 waits for a board that is away as long as it takes.

    Raises
    ------
    ConfigError, LinkError, RecordingError
        If it cannot be opened, or is no Signet board; the text says what to do.
    """

    def __init__(
        self,
        device: str | PathLike[str],
        *,
        rates: Mapping[str, float] | None = None,
        silence_s: float = 5.0,
        max_silence_s: float = 0.0,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.url = device_url(device)
        self._events: deque[StreamNoted] = deque(maxlen=_EVENTS_KEPT)
        self._is_over = False
        self._failure: SignetError | None = None
        self.n_events_dropped = 0
        """Events that nobody had asked for in time."""
        self._link = lasting_link(lambda: open_device(self.url), monotonic=monotonic)
        self._inbox = _Inbox(MessageParser(board_only=not self._link.is_finite))
        silence = SilenceLimits(silence_s, max_silence_s)
        self._listening = Listening(self._link, self._inbox, silence, rates or {}, monotonic)
        try:
            self._first_hello = self._wait_for_hello()
        except BaseException:
            self.close()
            raise

    @property
    def hello(self) -> Hello:
        """What the board says it is: name, firmware, session and channels."""
        return self._inbox.assembler.hello or self._first_hello

    @property
    def channels(self) -> tuple[Channel, ...]:
        """What it measures, with unit and rate."""
        return self.hello.channels

    @property
    def counters(self) -> dict[str, dict[str, int]]:
        """What came and what did not, by channel, over all sessions: samples, gaps, lost_samples and so on."""
        return {name: dict(totals) for name, totals in self._inbox.assembler.tracks.totals.items()}

    def read(self) -> list[Block | StreamNoted]:
        """Blocks and events in the order they came; nothing if nothing did for a quarter of a second.

        Raises
        ------
        LinkEnded
            If a recording or a simulated day is over.
        StreamSilent
            If a live board has been silent for longer than it may.
        """
        if not self._inbox.pending:
            self._fill()
        items = list(self._inbox.pending)
        self._inbox.pending.clear()
        return items

    def events(self) -> list[StreamNoted]:
        """What has happened since this was last asked while blocks were iterated over: gaps, buttons, reboots.

        Asked after a block, those that came before the next one's samples.
        """
        events = list(self._events)
        self._events.clear()
        return events

    def __iter__(self) -> Iterator[Block]:
        while True:
            while self._inbox.pending:
                item = self._inbox.pending.popleft()
                if isinstance(item, Block):
                    yield item
                else:
                    self.n_events_dropped += len(self._events) == _EVENTS_KEPT
                    self._events.append(item)
            try:
                self._fill()
            except LinkEnded:
                return

    def close(self) -> None:
        """Let go of the device, which stops streaming; again is fine."""
        if not self._is_over:
            self._is_over = True
            self._link.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _wait_for_hello(self) -> Hello:
        while self._inbox.assembler.hello is None:
            try:
                self._fill()
            except LinkEnded as err:
                msg = f"{self.url}: it ended before a board said what it is"
                raise LinkError(msg) from err
        return self._inbox.assembler.hello

    def _fill(self) -> None:
        """Read once; what it brings is pending, and so is, before the end, what waited for a gap to be filled."""
        if self._failure is not None:
            failure, self._failure = self._failure, None
            raise failure
        if self._is_over:
            raise LinkEnded(f"{self.url}: this device was closed or is over")
        try:
            self._listening.once()
        except SignetError as err:
            self._inbox.end()
            self.close()
            if not self._inbox.pending:
                raise
            self._failure = err


def device_url(device: str | PathLike[str]) -> str:
    """The URL of what somebody calls a device: a URL, a serial port, or the path of a recording."""
    text = fspath(device)
    if isinstance(device, str) and _SCHEME.match(text):
        return text
    path = Path(text)
    # A port is neither a file nor a folder. The question mark ends a name that may hold others.
    if path.suffix.lower() in READERS or path.is_file() or path.is_dir():
        return f"replay:{text}?speed=max"
    return text
