"""One lasting stream of chunks from a device that comes and goes."""

from __future__ import annotations

import contextlib
import logging
import random
import shlex
import time
from collections import deque
from collections.abc import Callable, Mapping

from firmware_host.devices import PROBE_S, is_safe_mode, probe
from firmware_host.errors import LinkClosed, LinkEnded, LinkError
from firmware_host.protocol.encode import encode_command
from firmware_host.protocol.messages import Command, CommandKind, Hello
from firmware_host.reconnect import LinkState, Reconnect
from firmware_host.transport.base import Chunk, LineNote, Listening, Transport, WithHost, WithMarks

_LOGGER = logging.getLogger(__name__)

# The longest a read blocks, so that a stop or a finished learner is noticed at once.
POLL_S = 0.25


def _never() -> bool:
    return False


class Rewound:
    """A transport that gives again what a probe has read from it.

    Parameters
    ----------
    stop
        Asked while it is probed whether nobody wants to know any more.
    """

    def __init__(self, inner: Transport, stop: Callable[[], bool] = _never) -> None:
        self.url = inner.url
        self.virtual_time = inner.virtual_time
        self.inner = inner
        self._stop = stop
        self._kept: deque[Chunk] = deque()
        self._is_keeping = True

    def rewind(self) -> None:
        """From here on give what was read, then what comes."""
        self._is_keeping = False

    def read(self, timeout_s: float) -> Chunk | None:
        """As the transport behind it.

        Raises
        ------
        LinkError
            If it is told to stop before the probe is over.
        """
        if not self._is_keeping and self._kept:
            return self._kept.popleft()
        if self._is_keeping and self._stop():
            raise LinkError(f"{self.url}: stopped before the board said what it is")
        chunk = self.inner.read(timeout_s)
        if self._is_keeping and chunk is not None:
            self._kept.append(chunk)
        return chunk

    def write(self, data: bytes) -> None:
        """As the transport behind it."""
        self.inner.write(data)

    def now_utc(self) -> float:
        """As the transport behind it."""
        return self.inner.now_utc()

    def close(self) -> None:
        """As the transport behind it."""
        self.inner.close()


def connect(
    open_transport: Callable[[], Transport],
    before: Transport | None = None,
    stop: Callable[[], bool] = _never,
) -> tuple[Transport, Hello | None]:
    """Open a device and, if it is a live one, see that a board answers before anything else happens.

    Parameters
    ----------
    before
        The link that was lost, if this is to go on for it.
    stop
        Whether to give up.

    Raises
    ------
    LinkError
        If there is no such device, it is busy or forbidden, or it is no Signet board.
    """
    transport = open_transport()
    if transport.virtual_time or transport.url.startswith("replay:"):
        return transport, None
    hello_s = PROBE_S
    if isinstance(transport, Listening):
        # It gives up by itself, and knows better why.
        hello_s += transport.hello_s
        if before is not None:
            transport.resume(_behind(before))
    rewound = Rewound(transport, stop)
    try:
        hello = probe(rewound, hello_s)
        _require_app(transport.url, hello)
    except BaseException:
        transport.close()
        raise
    rewound.rewind()
    return rewound, hello


def _require_app(url: str, hello: Hello) -> None:
    if is_safe_mode(hello):
        what = f"{hello.board_id} is in safe mode, its app cannot run"
        raise LinkError(f"{url}: {what}; signet board logs --device {shlex.quote(url)} says why")


class Link:
    """Chunks from a device; a live one that goes away is opened again, as long as it takes.

    Parameters
    ----------
    open_transport
        Opens the device; called again after a loss.
    sleep
        Waits real seconds.
    stop
        Asked while a board is awaited whether nobody waits any more.
    """

    def __init__(
        self,
        open_transport: Callable[[], Transport],
        reconnect: Reconnect,
        *,
        sleep: Callable[[float], None],
        stop: Callable[[], bool] = _never,
    ) -> None:
        self._open = open_transport
        self._stop = stop
        self._reconnect = reconnect
        self._sleep = sleep
        self._reconnect.trying()
        self._transport, self.hello = connect(open_transport, stop=stop)
        self._printing = _printing(self._transport)
        self._reconnect.up()
        self.is_finite = self._transport.virtual_time or self._transport.url.startswith("replay:")
        self.has_board = not self._transport.url.startswith("replay:")
        self.virtual_time = self._transport.virtual_time
        # Never another one later: what is marked is a recording, and that does not come back.
        self._marked = self._transport if isinstance(self._transport, WithMarks) else None
        self.n_lost = 0

    @property
    def is_up(self) -> bool:
        """Whether the device is there."""
        return self._reconnect.state is LinkState.UP

    def now_utc(self) -> float:
        """UNIX seconds on the clock that stamps the chunks."""
        return self._transport.now_utc()

    def read(self) -> Chunk | None:
        """The next chunk, or None if nothing came for a moment or the device is away.

        Raises
        ------
        LinkEnded
            If a finite source is over.
        """
        if not self.is_up and not self._try_again():
            return None
        try:
            return self._transport.read(POLL_S)
        except LinkEnded:
            raise
        except LinkClosed as err:
            if self.is_finite:
                raise
            self._lost(err)
            return None

    def write(self, data: bytes) -> None:
        """Send to the board if it is there; what is sent while it is away is lost."""
        if not self.is_up:
            return
        try:
            self._transport.write(data)
        except LinkError as err:
            self._lost(err)

    def work(self, cpu_s: float) -> None:
        """Tell a simulated host, if there is one behind the link, what it worked besides the stream."""
        if isinstance(self._transport, WithHost):
            self._transport.work(cpu_s)

    def marks(self) -> list[tuple[str, dict[str, float | int | str]]]:
        """What a recording says was done to it just before the chunk that was read."""
        return [] if self._marked is None else self._marked.marks()

    @property
    def line_counters(self) -> Mapping[str, int]:
        """Lines of a board that prints by what they were; empty for one that sends frames."""
        return self._printing.counters if self._printing else {}

    @property
    def trouble(self) -> str:
        """Why a board that prints brings no samples though its lines come; empty otherwise."""
        return self._printing.trouble if self._printing and self.is_up else ""

    def line_notes(self) -> list[LineNote]:
        """What happened to the lines of a board that prints."""
        return self._printing.line_notes() if self._printing else []

    def close(self) -> None:
        """Let go of the device; a live board is told to stop streaming, since nobody listens any more."""
        if self.is_up and not self.is_finite:
            with contextlib.suppress(LinkError):
                self._transport.write(encode_command(Command(CommandKind.STOP), seq=0))
        self._transport.close()

    def _lost(self, err: LinkError) -> None:
        self.n_lost += 1
        _LOGGER.warning("link lost: %s; waiting for it to come back", err)
        self._transport.close()
        self._reconnect.lost(str(err))

    def _try_again(self) -> bool:
        wait_s = self._reconnect.wait_s()
        if wait_s > 0:
            self._sleep(min(wait_s, POLL_S))
            return False
        self._reconnect.trying()
        try:
            self._transport, self.hello = connect(self._open, self._transport, self._stop)
            self._printing = _printing(self._transport)
        except LinkError as err:
            _LOGGER.debug("still away: %s", err)
            self._reconnect.lost(str(err))
            return False
        self._reconnect.up()
        _LOGGER.warning("link is back")
        return True


def _behind(transport: Transport) -> Transport:
    return transport.inner if isinstance(transport, Rewound) else transport


def _printing(transport: Transport) -> Listening | None:
    # Looked up once for each transport: the look takes longer than to read a chunk.
    behind = _behind(transport)
    return behind if isinstance(behind, Listening) else None


def lasting_link(
    opens: Callable[[], Transport],
    *,
    monotonic: Callable[[], float] = time.monotonic,
    stop: Callable[[], bool] = _never,
) -> Link:
    """A link that is opened again whenever it is lost, for as long as it takes.

    Parameters
    ----------
    stop
        Asked while a board is awaited whether to end.
    """
    reconnect = Reconnect(clock=monotonic, rng=random.Random())
    return Link(opens, reconnect, sleep=time.sleep, stop=stop)
