"""A board that says again what another one said: an MCAP recording behind a serial line.

It says the recorded messages, in frames made anew, at the recorded pace or N times faster, and hears nothing but
START and STOP: what a board never did it cannot answer, so a PING, a CUE, another rate or lost blocks asked for
again get no answer.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import IO, TYPE_CHECKING

from firmware_host.errors import ConfigError
from firmware_host.protocol.messages import Command, CommandKind
from firmware_host.protocol.parser import MessageParser
from firmware_host.recording.playing import Played, Playing, play
from firmware_host.recording.registry import MCAP, open_recording
from sim.links import CHUNK_HEADER, END_OF_DAY, TICK_S, read_reply

if TYPE_CHECKING:
    import argparse

    from firmware_host.recording.base import RecordingReader
    from sim.ports import Port

# What lies in the line's buffers at the end is read within this, or nobody reads.
_LINGER_S = 1.0
# A line that is full is tried again soon: a host empties it in less than a millisecond.
_RETRY_S = 0.001


def add_options(parser: argparse.ArgumentParser) -> None:
    """Options of a recorded board."""
    group = parser.add_argument_group(
        "an .mcap recording, which is said again as its board said it"
    )
    group.add_argument("--from", dest="start", default="", metavar="PLACE", help="10m, 25%%, 14:05")
    group.add_argument("--to", dest="end", default="", metavar="PLACE", help="the same")
    group.add_argument("--loop", default="", metavar="N", help="play N times, or forever")


def is_recorded_board(args: argparse.Namespace) -> bool:
    """Whether a board's own words are to be said again; anything else is a body, and worn again.

    Raises
    ------
    ConfigError
        If the options do not go together.
    """
    if args.recording is None or args.recording.suffix.lower() != MCAP:
        if args.start or args.end or args.loop:
            raise ConfigError("from, to and loop", "an .mcap --recording", str(args.recording))
        return False
    bodily = ("fault", "drift_ppm", "hours", "host", "text")
    if wrong := [name for name in bodily if getattr(args, name)]:
        expected = "a recording of a body (signet convert makes one), or none of them with an .mcap"
        raise ConfigError(" and ".join(wrong), expected, str(args.recording))
    return True


class RecordedBoard:
    """What a recording's board said, for one line.

    Raises
    ------
    RecordingError, ConfigError
        If the recording cannot be read, or there is nothing in it from where to where it is to be played.
    """

    def __init__(self, args: argparse.Namespace) -> None:
        self.reader: RecordingReader = open_recording(args.recording)
        self.playing = Playing.of(start=args.start, end=args.end, loop=args.loop, skip_gaps="")
        self.playing.span(self.reader)

    def serve_stdio(self, source: IO[bytes], sink: IO[bytes]) -> None:
        """Lock-step with a parent, each piece with its recorded arrival: as if played in the parent itself."""
        arrival_utc = self.reader.start_utc
        for piece in play(self.reader, self.playing):
            arrival_utc = piece.arrival_utc
            sink.write(CHUNK_HEADER.pack(arrival_utc, len(piece.data)) + piece.data)
            sink.flush()
            if read_reply(source) is None:
                return
        sink.write(CHUNK_HEADER.pack(arrival_utc, END_OF_DAY))
        sink.flush()

    def serve(
        self, port: Port, *, speed: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Play whenever a host says START, until that was to the end; STOP ends it before.

        Nothing is dropped: a host that reads slowly is waited for, and the pace then caught up.
        """
        parser = MessageParser()
        is_over = False
        while not is_over:
            while CommandKind.START not in _heard(port, parser):
                port.wait(TICK_S)
            is_over = _play(self._pieces(), port, parser, speed, clock)
        ends_s = clock() + _LINGER_S
        while clock() < ends_s and CommandKind.STOP not in _heard(port, parser):
            port.wait(TICK_S)

    def _pieces(self) -> Iterator[Played]:
        return play(self.reader, self.playing, questions=False)


def _play(
    pieces: Iterator[Played],
    port: Port,
    parser: MessageParser,
    speed: float,
    clock: Callable[[], float],
) -> bool:
    """Whether it was played to the end."""
    start_s = clock()
    for piece in pieces:
        data = piece.data
        due_s = start_s + piece.due_s / speed
        while (wait_s := due_s - clock()) > 0 or data:
            if wait_s <= 0:
                data = data[port.write(data) :]
            if wait_s > 0 or data:
                port.wait(min(wait_s, TICK_S) if wait_s > 0 else _RETRY_S)
            if CommandKind.STOP in _heard(port, parser):
                return False
    return True


def _heard(port: Port, parser: MessageParser) -> list[int]:
    return [m.kind for m in parser.feed(port.read()) if isinstance(m, Command)]
