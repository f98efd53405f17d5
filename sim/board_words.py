"""What a virtual board says beside its blocks, each kind of frame numbered from 0 at boot."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from firmware_host.protocol.encode import (
    encode_ack,
    encode_event,
    encode_hello,
    encode_log,
    encode_pong,
    encode_status,
)
from firmware_host.protocol.messages import Ack, Event, Hello, Log, Pong, Status

FIRMWARE = "signet-sim 0.1"
SAFE_FIRMWARE = "signet-safe sim 0.1"
SAFE_WHY = "safe mode: the host asked for it"
WARNING, ERROR = 30, 40


class Words:
    """Frames of one boot."""

    def __init__(self) -> None:
        self._seqs: Counter[type] = Counter()

    def _next(self, kind: type) -> int:
        self._seqs[kind] += 1
        return self._seqs[kind] - 1

    def hello(self, hello: Hello) -> bytes:
        """All parts of a HELLO."""
        seq = self._seqs[Hello]
        encoded = encode_hello(hello, seq=seq, ticks_us=hello.ticks_us)
        self._seqs[Hello] += encoded.count(0)
        # At boot, whatever a bootloader or a failing supply put on the line ends here.
        return encoded if seq else b"\0" + encoded

    def log(self, log: Log) -> bytes:
        """LOG."""
        return encode_log(log, seq=self._next(Log))

    def status(self, status: Status) -> bytes:
        """STATUS."""
        return encode_status(status, seq=self._next(Status))

    def event(self, event: Event) -> bytes:
        """EVENT; its number is set here."""
        return encode_event(replace(event, seq=self._next(Event)))

    def pong(self, pong: Pong) -> bytes:
        """PONG."""
        return encode_pong(pong, seq=self._next(Pong))

    def ack(self, ack: Ack) -> bytes:
        """ACK."""
        return encode_ack(ack, seq=self._next(Ack))
