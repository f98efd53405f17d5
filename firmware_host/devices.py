"""Every device by URL, recordings included, and the first question to a board."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import TYPE_CHECKING

from firmware_host.errors import (
    ConfigError,
    LinkClosed,
    LinkEnded,
    LinkError,
    ProtocolMismatch,
    RecordingError,
)
from firmware_host.protocol import frame
from firmware_host.protocol.messages import (
    Ack,
    Block,
    Command,
    CommandKind,
    Event,
    Hello,
    Message,
    MessageParser,
    Mismatch,
    Pong,
    encode_ack,
    encode_block,
    encode_command,
    encode_event,
    encode_hello,
    encode_pong,
)
from firmware_host.transport.base import Chunk, DeviceUrl, Transport
from firmware_host.transport.registry import FACTORIES, open_transport

if TYPE_CHECKING:
    from firmware_host.recording.base import RecordingReader

# About what a host reads at once under load. Shorter makes a replay slower, longer makes cues late.
GROUP_S = 0.75
# A board says HELLO at boot, after START and each 5 s; opening the port may reboot it.
PROBE_S = 6.0
# START is lost while the board boots, so it is said again.
RESEND_S = 1.0
# Enough of what came to tell text from noise.
_SAMPLE_BYTES = 2048

Sleep = Callable[[float], None]
TimedMessage = tuple[float, Message]


class ReplayTransport:
    """A recording as a board: the same frames, with the arrival times that were recorded.

    Chunks, their cut and their ``arrival_utc`` are the same at any speed, so results are too.
    Commands written to it go nowhere: there is no board.

    Parameters
    ----------
    reader
        The recording; closed with the transport.
    speed
        Recorded seconds per real second, None for as fast as possible.
    monotonic, sleep
        Real time, used only if there is a speed. All waits count from the first read, so that a
        slow reader makes no lasting delay.
    """

    def __init__(
        self,
        reader: RecordingReader,
        *,
        url: str,
        speed: float | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Sleep = time.sleep,
    ) -> None:
        self.url = url
        self.virtual_time = speed is None
        self._reader = reader
        self._speed = speed
        self._monotonic = monotonic
        self._sleep = sleep
        self._chunks = encode_chunks(_with_hello(reader))
        self._next: Chunk | None = None
        self._anchor: tuple[float, float] | None = None
        self._now_utc = reader.start_utc
        self._closed = False

    def read(self, timeout_s: float) -> Chunk | None:
        """Read the next chunk; with a speed, None if it is not due within ``timeout_s``.

        Raises
        ------
        LinkEnded
            At the end of the recording.
        """
        self._require_open()
        if self._next is None:
            self._next = next(self._chunks, None)
        chunk = self._next
        if chunk is None:
            raise LinkEnded(f"{self.url}: recording is over")
        if not self._wait_until(chunk.arrival_utc, timeout_s):
            return None
        self._next = None
        self._now_utc = chunk.arrival_utc
        return chunk

    def write(self, data: bytes) -> None:  # noqa: ARG002 - there is no board to take it
        """Accept ``data`` and forget it."""
        self._require_open()

    def now_utc(self) -> float:
        """Recorded arrival time of the last chunk; the recording's start before the first."""
        return self._now_utc

    def close(self) -> None:
        """Close the recording; again is fine."""
        if not self._closed:
            self._closed = True
            self._reader.close()

    def _wait_until(self, arrival_utc: float, timeout_s: float) -> bool:
        if self._speed is None:
            return True
        if self._anchor is None:
            self._anchor = (self._monotonic(), arrival_utc)
        start_s, start_utc = self._anchor
        wait_s = start_s + (arrival_utc - start_utc) / self._speed - self._monotonic()
        if wait_s > 0:
            self._sleep(min(wait_s, timeout_s))
        return wait_s <= timeout_s

    def _require_open(self) -> None:
        if self._closed:
            raise LinkClosed(f"{self.url}: this link was closed")


def encode_chunks(messages: Iterable[TimedMessage], group_s: float = GROUP_S) -> Iterator[Chunk]:
    """Messages as wire bytes, grouped by arrival.

    A group holds what arrived less than ``group_s`` after its first message and carries the arrival
    of its last one: a chunk must not arrive before what is in it, or the clock fit believes it.
    """
    encode = MessageEncoder()
    parts: list[bytes] = []
    first_utc = last_utc = 0.0
    for arrival_utc, message in messages:
        if parts and arrival_utc - first_utc >= group_s:
            yield Chunk(last_utc, b"".join(parts))
            parts = []
        data = encode(message)
        if data:
            if not parts:
                first_utc = arrival_utc
            last_utc = arrival_utc
            parts.append(data)
    if parts:
        yield Chunk(last_utc, b"".join(parts))


class MessageEncoder:
    """Messages of a board back to its frames.

    Blocks and events keep their recorded sequence numbers; kinds that do not carry one get a
    running number. What a host sends is no part of a board's stream and becomes nothing.
    """

    def __init__(self) -> None:
        self._n_hellos = 0
        self._n_answers = 0

    def __call__(self, message: Message) -> bytes:
        """Frames of ``message``, empty if a board does not send its kind."""
        if isinstance(message, Block):
            return encode_block(message)
        if isinstance(message, Event):
            return encode_event(message)
        if isinstance(message, Hello):
            data = encode_hello(message, seq=self._n_hellos, ticks_us=message.ticks_us)
            # One zero byte ends each frame, and a frame holds one part.
            self._n_hellos += data.count(0)
            return data
        self._n_answers += 1
        if isinstance(message, Pong):
            return encode_pong(message, seq=self._n_answers)
        if isinstance(message, Ack):
            return encode_ack(message, seq=self._n_answers)
        return b""


def open_device(
    url: str, *, monotonic: Callable[[], float] = time.monotonic, sleep: Sleep = time.sleep
) -> Transport:
    """Open the device a URL names: a board, the simulator or a recording.

    Raises
    ------
    ConfigError
        If the URL is malformed or its scheme unknown; the text lists the known ones.
    LinkError
        If the board cannot be reached.
    RecordingError
        If the recording cannot be read.
    """

    def open_replay(parsed: DeviceUrl) -> Transport:
        parsed.check_options(["speed"])
        if not parsed.target:
            raise ConfigError(f"device URL {url}", "replay:FILE", url)
        speed = (
            None if parsed.option("speed") == "max" else parsed.number("speed", default=0) or None
        )
        # Here, so that a live board costs none of the recording formats' libraries.
        from firmware_host.recording.registry import open_recording

        reader = open_recording(parsed.target)
        return ReplayTransport(reader, url=url, speed=speed, monotonic=monotonic, sleep=sleep)

    return open_transport(url, {**FACTORIES, "replay": open_replay})


def probe(transport: Transport, timeout_s: float = PROBE_S) -> Hello:
    """Ask the board what it is. What it sent before its HELLO is used up.

    Raises
    ------
    ProtocolMismatch
        If it speaks another version of the protocol.
    LinkError
        If it is no Signet board; the text says what came instead, without its contents.
    """
    clock = transport.now_utc if transport.virtual_time else time.monotonic
    parser = MessageParser()
    sample = b""
    n_bytes = 0
    deadline_s, resend_s = clock() + timeout_s, clock()
    while (now_s := clock()) < deadline_s:
        if now_s >= resend_s:
            _send_start(transport)
            resend_s = now_s + RESEND_S
        chunk = transport.read(min(deadline_s, resend_s) - now_s)
        if chunk is None:
            continue
        n_bytes += len(chunk.data)
        sample = (sample + chunk.data)[-_SAMPLE_BYTES:]
        hello = _find_hello(parser.feed(chunk.data))
        if hello is not None:
            return hello
    raise LinkError(f"{transport.url}: {_describe_stranger(sample, n_bytes, parser, timeout_s)}")


def _with_hello(reader: RecordingReader) -> Iterator[TimedMessage]:
    messages = iter(reader.messages())
    first = next(messages, None)
    if first is None:
        raise RecordingError(reader.hello.board_id, "at least one message", "none")
    if isinstance(first[1], Hello):
        return chain([first], messages)
    return chain([(first[0], reader.hello), first], messages)


def _send_start(transport: Transport) -> None:
    # The zero ends whatever half frame an earlier program left in the board's receiver.
    transport.write(b"\0" + encode_command(Command(CommandKind.START), seq=0))


def _find_hello(messages: Iterable[Message]) -> Hello | None:
    for message in messages:
        if isinstance(message, Hello):
            return message
        if isinstance(message, Mismatch):
            raise ProtocolMismatch(ours=frame.VERSION, theirs=message.theirs)
    return None


def _describe_stranger(sample: bytes, n_bytes: int, parser: MessageParser, timeout_s: float) -> str:
    if not n_bytes:
        return f"not a Signet board: it says nothing for {timeout_s:g} s; is the app flashed?"
    if parser.decoder.frames:
        n_frames = parser.decoder.frames
        return f"board sends frames ({n_frames}) but no HELLO in {timeout_s:g} s; reset it"
    if b">>> " in sample:
        return "not a Signet board: a MicroPython prompt answers; flash the app"
    if _is_text(sample):
        n_lines = sample.count(b"\n")
        return f"not a Signet board: it prints text ({n_lines} lines), not frames; flash the app"
    return (
        f"not a Signet board: {n_bytes} bytes and no valid frame; check the baud rate and the app"
    )


def _is_text(sample: bytes) -> bool:
    # A chunk may start within a UTF-8 character, so bytes above ASCII are not held against it.
    return b"\n" in sample and all(byte >= 32 or byte in b"\t\n\r\x1b" for byte in sample)
