"""Every device by URL, recordings included, and the first question to a board."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from firmware_host.errors import ConfigError, LinkClosed, LinkEnded, LinkError, ProtocolMismatch
from firmware_host.protocol import frame
from firmware_host.protocol.encode import encode_command
from firmware_host.protocol.messages import Command, CommandKind, Hello, Message, Mismatch
from firmware_host.protocol.parser import MessageParser
from firmware_host.transport.base import Chunk, DeviceUrl, Transport
from firmware_host.transport.registry import FACTORIES, open_transport
from firmware_host.transport.text_options import is_printed, text_url

if TYPE_CHECKING:
    from firmware_host.recording.base import RecordingReader
    from firmware_host.recording.playing import Mark, Played, Playing

ONLY_BOARD = "auto"
REPLAY_OPTIONS = ("speed", "from", "to", "loop", "skip_gaps")
# A board says HELLO at boot, after START and each 5 s; opening the port may reboot it.
PROBE_S = 6.0
# START is lost while the board boots, so it is said again.
RESEND_S = 1.0
_SAFE_MODE = "signet-safe"
# Enough of what came to tell text from noise.
_SAMPLE_BYTES = 2048

Sleep = Callable[[float], None]


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
    playing
        What of it is played, and how often; None for all of it, once.
    monotonic, sleep
        Real time, used only if there is a speed. All waits count from the first read, so that a
        slow reader makes no lasting delay.

    Raises
    ------
    ConfigError
        If it is to be played from or to a place outside the recording.
    """

    def __init__(
        self,
        reader: RecordingReader,
        *,
        url: str,
        speed: float | None = None,
        playing: Playing | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Sleep = time.sleep,
    ) -> None:
        from firmware_host.recording.playing import Playing, play

        self.url = url
        self.virtual_time = speed is None
        self._reader = reader
        self._speed = speed
        self._monotonic = monotonic
        self._sleep = sleep
        playing = playing or Playing()
        self.rounds = playing.rounds
        self._span = playing.span(reader)
        self._pieces = play(reader, playing)
        self._next: Played | None = None
        self._anchor_s: float | None = None
        self._now_utc = self._span.start_utc
        self._marks: list[Mark] = []
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
            self._next = next(self._pieces, None)
        piece = self._next
        if piece is None:
            raise LinkEnded(f"{self.url}: recording is over")
        if not self._wait_until(piece.due_s, timeout_s):
            return None
        self._next = None
        self._now_utc = piece.arrival_utc
        self._marks += piece.marks
        return Chunk(piece.arrival_utc, piece.data)

    def write(self, data: bytes) -> None:  # noqa: ARG002 - there is no board to take it
        """Accept ``data`` and forget it."""
        self._require_open()

    def now_utc(self) -> float:
        """Recorded arrival time of the last chunk, in later rounds moved on; before the first, the start."""
        return self._now_utc

    def marks(self) -> list[Mark]:
        """What was done to the recording before the last chunk, since this was last asked."""
        marks, self._marks = self._marks, []
        return marks

    @property
    def n_played(self) -> float:
        """Rounds so far, with what is done of the present one."""
        return max(self._now_utc - self._span.start_utc, 0.0) / self._span.round_s

    def close(self) -> None:
        """Close the recording; again is fine."""
        if not self._closed:
            self._closed = True
            self._reader.close()

    def _wait_until(self, due_s: float, timeout_s: float) -> bool:
        if self._speed is None:
            return True
        if self._anchor_s is None:
            self._anchor_s = self._monotonic()
        wait_s = self._anchor_s + due_s / self._speed - self._monotonic()
        if wait_s > 0:
            self._sleep(min(wait_s, timeout_s))
        return wait_s <= timeout_s

    def _require_open(self) -> None:
        if self._closed:
            raise LinkClosed(f"{self.url}: this link was closed")


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
        # Here, so that a live board costs none of the recording formats' libraries.
        from firmware_host.recording.registry import open_recording

        wish = replay_wish(parsed)
        reader = open_recording(parsed.target)
        try:
            return wish.transport(reader, monotonic=monotonic, sleep=sleep)
        except BaseException:
            reader.close()
            raise

    return open_transport(url, {**FACTORIES, "replay": open_replay, ONLY_BOARD: open_only_board})


def open_only_board(parsed: DeviceUrl, root: Path = Path("/")) -> Transport:
    """Factory for ``auto:``: the one board that is plugged in, by the name that stays its own.

    Boards are told by their USB ids. What hangs on a bridge chip may be anything, a printer that opening would
    reset: it has to be named.

    Raises
    ------
    ConfigError
        If more is said than ``auto:``.
    LinkError
        If there is none, or several.
    """
    from firmware_host.host.ports import known_boards

    parsed.check_options(())
    if parsed.target:
        raise ConfigError("device URL", "auto: alone, or the port's path", parsed.text)
    found = known_boards(root)
    if len(found) == 1:
        return open_transport(found[0])
    if not found:
        raise LinkError(
            "no board that we know is plugged in; name its port if it is (signet ports)"
        )
    raise LinkError(f"{len(found)} boards are plugged in: {', '.join(found)}; name one of them")


@dataclass(frozen=True, slots=True)
class ReplayWish:
    """What a ``replay:`` URL asks for; ``speed`` None is as fast as possible."""

    url: str
    speed: float | None
    playing: Playing

    def transport(
        self,
        reader: RecordingReader,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Sleep = time.sleep,
    ) -> ReplayTransport:
        """The opened recording as a link."""
        return ReplayTransport(
            reader,
            url=self.url,
            speed=self.speed,
            playing=self.playing,
            monotonic=monotonic,
            sleep=sleep,
        )


def replay_wish(parsed: DeviceUrl) -> ReplayWish:
    """Read the options of a ``replay:FILE`` URL: ``speed``, ``from``, ``to``, ``loop`` and ``skip_gaps``.

    Raises
    ------
    ConfigError
        If there is no file, or an option makes no sense.
    """
    from firmware_host.recording.playing import Playing

    parsed.check_options(REPLAY_OPTIONS)
    if not parsed.target:
        raise ConfigError(f"device URL {parsed.text}", "replay:FILE", parsed.text)
    is_max = parsed.option("speed") in (None, "max")
    start, end, loop, skip_gaps = (parsed.option(key) or "" for key in REPLAY_OPTIONS[1:])
    return ReplayWish(
        parsed.text,
        None if is_max else parsed.number("speed", default=1.0),
        Playing.of(start=start, end=end, loop=loop, skip_gaps=skip_gaps),
    )


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
    if not parser.decoder.frames and is_printed(sample):
        raise LinkError(f"{transport.url}: {_describe_printer(transport.url)}")
    raise LinkError(f"{transport.url}: {_describe_stranger(sample, n_bytes, parser, timeout_s)}")


def is_safe_mode(hello: Hello) -> bool:
    """Whether a board answers without its app, which cannot run; its log says why (SPEC.md, LOG)."""
    return hello.firmware.startswith(_SAFE_MODE)


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


def _describe_printer(url: str) -> str:
    advice = f"read it with --device '{text_url(url)}', or flash the app"
    return f"not a Signet board: it prints lines of numbers; {advice}"


def _is_text(sample: bytes) -> bool:
    # A chunk may start within a UTF-8 character, so bytes above ASCII are not held against it.
    return b"\n" in sample and all(byte >= 32 or byte in b"\t\n\r\x1b" for byte in sample)
