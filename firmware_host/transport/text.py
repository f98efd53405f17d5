"""Any board that prints numbers: its lines as a link that speaks our wire (docs/text-boards.md)."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace

from firmware_host.errors import LinkClosed, LinkError
from firmware_host.protocol.encode import encode_ack
from firmware_host.protocol.messages import Ack, AckResult, Command, CommandKind
from firmware_host.protocol.parser import MessageParser
from firmware_host.transport.base import Chunk, DeviceUrl, LineNote, Transport
from firmware_host.transport.serial_port import OPTIONS as SERIAL_OPTIONS
from firmware_host.transport.serial_port import open_serial
from firmware_host.transport.simulator import OPTIONS as SIMULATOR_OPTIONS
from firmware_host.transport.simulator import open_simulator
from firmware_host.transport.tcp import OPTIONS as TCP_OPTIONS
from firmware_host.transport.tcp import open_tcp
from firmware_host.transport.text_layout import Wishes
from firmware_host.transport.text_options import OPTIONS, board_id, wishes_of
from firmware_host.transport.text_receiver import TextReceiver

INNER: Mapping[str, tuple[Callable[[DeviceUrl], Transport], tuple[str, ...]]] = {
    "serial": (open_serial, SERIAL_OPTIONS),
    "pty": (open_serial, SERIAL_OPTIONS),
    "socket": (open_tcp, TCP_OPTIONS),
    "synthetic": (open_simulator, SIMULATOR_OPTIONS),
}
"""Links that lines may come over, with their options."""
SIMULATED_RATE_HZ = "50"
# Without a reading: a board boots in seconds, and at 0.2 Hz its second line comes within ten.
QUIET_S = 30.0
# Lines that come in rough bursts, or unevenly, say their rate later.
LISTEN_S = 60.0
# With a slower rate declared, so many of its lines.
_LISTEN_LINES = 10
# Fine enough that a line of a slow board does not wait.
_TICK_S = 0.05
# A board that only prints does these without being asked.
_IMPLIED = (CommandKind.START, CommandKind.STOP)


class TextTransport:
    """A board's printed lines as HELLO and BLOCK frames.

    Nothing is ever sent to the board: orders are answered in its place with UNKNOWN, or left unanswered.

    Parameters
    ----------
    inner
        The link that the lines come over; closed with this one.
    wishes
        What the URL says of the board.
    board_id
        What HELLO calls it.
    """

    def __init__(
        self,
        inner: Transport,
        wishes: Wishes,
        *,
        url: str,
        board_id: str,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.url = url
        self.virtual_time = inner.virtual_time
        self.hello_s = max(LISTEN_S, _LISTEN_LINES / (wishes.rate_hz or 1.0))
        """How long the first HELLO may take; after it `read` gives up, after half of it without a reading."""
        self._inner = inner
        self._wishes = wishes
        self._receiver = TextReceiver(board_id, wishes)
        self._clock = inner.now_utc if inner.virtual_time else monotonic
        self._started_s = self._clock()
        self._ready: deque[Chunk] = deque()
        self._orders = MessageParser()
        self._n_answers = self._n_bytes = 0
        self._lost: LinkClosed | None = None

    @property
    def counters(self) -> Mapping[str, int]:
        """Lines so far by what they were, those of the connections before this one included."""
        return asdict(self._receiver.counters)

    @property
    def trouble(self) -> str:
        """Why lines that come bring no samples, empty if they do or none come."""
        return self._receiver.trouble

    def line_notes(self) -> list[LineNote]:
        """That the board prints other columns, and whether they are taken up."""
        return self._receiver.take_notes()

    def resume(self, before: Transport) -> None:
        """Take over what an earlier connection to the same board found out, and its counters."""
        if isinstance(before, TextTransport):
            self._receiver.resume(before._receiver)

    def read(self, timeout_s: float) -> Chunk | None:
        """See :class:`~firmware_host.transport.base.Transport`.

        Raises
        ------
        LinkError
            If for ``hello_s`` the lines do not say what they are, or they are not what the URL says.
        """
        deadline_s = self._clock() + timeout_s
        while not self._ready:
            if self._lost is not None:
                raise self._lost
            left_s = max(0.0, deadline_s - self._clock())
            self._take(min(left_s, _TICK_S))
            if not self._ready and self._clock() >= deadline_s:
                break
        if self._ready:
            return self._ready.popleft()
        self._give_up_late()
        return None

    def write(self, data: bytes) -> None:
        """Answer orders in the board's place: it takes none."""
        stream = self._receiver.stream
        orders = [order for order in self._orders.feed(data) if isinstance(order, Command)]
        for order in orders:
            if stream is not None and order.kind not in _IMPLIED:
                result = AckResult.UNKNOWN
                ack = Ack(stream.session, stream.ticks_us, order.kind, result, order.token)
                self._n_answers += 1
                answer = encode_ack(ack, seq=self._n_answers)
                self._ready.append(Chunk(self._inner.now_utc(), answer))

    def now_utc(self) -> float:
        """As the link that the lines come over."""
        return self._inner.now_utc()

    def close(self) -> None:
        """Let go of the link; again is fine."""
        self._inner.close()

    def _take(self, timeout_s: float) -> None:
        try:
            chunk = self._inner.read(timeout_s)
        except LinkClosed as err:
            # The last lines came before it went.
            self._lost = err
            self._ready += self._receiver.finish()
            return
        if chunk is None:
            self._ready += self._receiver.flush(self._inner.now_utc())
        else:
            self._n_bytes += len(chunk.data)
            self._ready += self._receiver.feed(chunk.data, chunk.arrival_utc)

    def _give_up_late(self) -> None:
        limit_s = self.hello_s if self._receiver.n_rows else self.hello_s * QUIET_S / LISTEN_S
        if self._receiver.stream is None and self._clock() - self._started_s >= limit_s:
            msg = f"{self.url}: {self._what_came(limit_s)}"
            raise LinkError(msg)

    def _what_came(self, listened_s: float) -> str:
        counters, for_s = self._receiver.counters, f"in {listened_s:g} s"
        n_rows, n_words = self._receiver.n_rows, counters.words
        if not self._n_bytes:
            return f"the board prints nothing {for_s}; check cable, program and baud rate"
        if n_rows:
            return f"only {n_rows} lines of numbers {for_s}; a slow board needs its rate in the URL"
        if n_words:
            return f"{n_words} lines {for_s}, none of numbers; print lines such as 0.12,9.81,36.5"
        return f"{self._n_bytes} bytes {for_s} and no line of text; check the baud rate"


def open_text(url: DeviceUrl) -> TextTransport:
    """Factory for ``text:PATH?columns=...``, ``text+socket://HOST:PORT?...`` and so on.

    Raises
    ------
    ConfigError
        If an option is not usable, or one the link behind it does not have.
    LinkError
        If the link behind it does not open.
    """
    inner_scheme = url.scheme.partition("+")[2] or "serial"
    wishes = wishes_of(url)
    inner_options = {key: value for key, value in url.options.items() if key not in OPTIONS}
    open_inner, known = INNER[inner_scheme]
    url.check_options([*OPTIONS, *known])
    if inner_scheme == "synthetic":
        # Its board sends frames unless it is told to print.
        inner_options.setdefault("text", (SIMULATED_RATE_HZ,))
    inner = open_inner(replace(url, scheme=inner_scheme, options=inner_options))
    return TextTransport(inner, wishes, url=url.text, board_id=board_id(url.target))
