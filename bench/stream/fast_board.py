"""A board that fills a fast line: ``python -m bench.stream.fast_board``, a process of its own.

The five channels are what a simulated wearer's board sent, at their own pace; four more, as wide as
raw sensors at a few kilohertz, fill the line. Like a UART it does not wait for the host: what does
not fit into its buffer when it is due is dropped, counted and told in the frames.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path

from bench.stream.host_path import chunks
from firmware_host.protocol import frame
from firmware_host.protocol.encode import (
    encode_ack,
    encode_block,
    encode_event,
    encode_hello,
    encode_pong,
)
from firmware_host.protocol.messages import (
    Ack,
    AckResult,
    Block,
    Channel,
    Command,
    CommandKind,
    Event,
    Hello,
    Ping,
    Pong,
)
from firmware_host.protocol.parser import MessageParser
from sim.ports import PtyPort

_N_WIDE = 4
_WIDE_SAMPLES = 38
_WIDE_BYTES = 6 * _WIDE_SAMPLES
_FRAME_BYTES = frame.HEADER_BYTES + 4 + _WIDE_BYTES + frame.CRC_BYTES + 2
_TICK_S = 0.002
# Later than this and the machine, not the line, kept the board waiting.
_STALL_S = 0.02
# As much as a terminal takes at once.
_TTY_BYTES = 4096
_HELLO_EVERY_S = 5.0


class Source:
    """Frames in order of the moment they are due, seconds since the start of the stream."""

    def __init__(self, wire: Path, bytes_per_s: float) -> None:
        parser = MessageParser()
        self.messages = [m for chunk in chunks(wire) for m in parser.feed(chunk.data)]
        hello = next(m for m in self.messages if isinstance(m, Hello))
        n_bytes = sum(len(m.data) + 24 for m in self.messages if isinstance(m, Block))
        last_us = max(m.ticks_us for m in self.messages if isinstance(m, Block))
        body_bytes_per_s = n_bytes / ((last_us - hello.ticks_us) * 1e-6)
        frames_per_s = (bytes_per_s - body_bytes_per_s) / _FRAME_BYTES
        self._every_s = 1.0 / frames_per_s
        rate_hz = frames_per_s / _N_WIDE * _WIDE_SAMPLES
        free = max(c.stream for c in hello.channels) + 1
        wide = tuple(
            Channel(free + k, f"wide{k}", "au", rate_hz, 1.0, 0.0, "i16", 3) for k in range(_N_WIDE)
        )
        self.hello = replace(hello, channels=hello.channels + wide)
        self._first = free
        self._rng = random.Random(3)

    def __iter__(self) -> Iterator[tuple[float, Block | Event]]:
        body, wide = self._body(), self._wide()
        at_body, at_wide = next(body, None), next(wide)
        while at_body is not None:
            if at_body[0] <= at_wide[0]:
                yield at_body
                at_body = next(body, None)
            else:
                yield at_wide
                at_wide = next(wide)

    def _body(self) -> Iterator[tuple[float, Block | Event]]:
        rates = {c.stream: (c.rate_hz, c.sample_bytes) for c in self.hello.channels}
        for message in self.messages:
            if isinstance(message, Event | Block):
                due_s = ((message.ticks_us - self.hello.ticks_us) % (1 << 32)) * 1e-6
                if isinstance(message, Block):
                    rate_hz, sample_bytes = rates[message.stream]
                    due_s += (len(message.data) // sample_bytes - 1) / rate_hz
                yield due_s, message

    def _wide(self) -> Iterator[tuple[float, Block]]:
        data = [self._rng.randbytes(_WIDE_BYTES) for _ in range(64)]
        for number in count():
            turn, stream = divmod(number, _N_WIDE)
            start_s = number * self._every_s
            ticks_us = (self.hello.ticks_us + round(start_s * 1e6)) % (1 << 32)
            block = Block(
                *(self.hello.session, self._first + stream, turn % (1 << 16), ticks_us),
                *(0, turn * _WIDE_SAMPLES, data[number % len(data)]),
            )
            yield start_s + self._every_s * _N_WIDE, block


class FastBoard:
    """Sends what is due, answers START and PING, and counts."""

    def __init__(self, source: Source, port: PtyPort, buffer_bytes: int) -> None:
        self._source, self._port = source, port
        self._buffer_bytes = buffer_bytes
        self._parser = MessageParser()
        self._pending: deque[bytes] = deque()
        self._n_pending = 0
        self._n_hellos = 0
        self.most_pending = 0
        self.stalled_s = 0.0
        self.sent: Counter[str] = Counter()
        self.samples: Counter[str] = Counter()

    def run(self, seconds: float) -> None:
        """Wait for START, stream for so long, then empty the buffer."""
        while not self._is_asked_to_start():
            self._port.wait(0.05)
        started_s, said_s = time.monotonic(), 0.0
        self._say_hello(0.0)
        for due_s, message in self._source:
            if due_s >= seconds:
                break
            while (now_s := time.monotonic() - started_s) < due_s:
                self._flush()
                self._answer(now_s)
                time.sleep(min(_TICK_S, due_s - now_s))
            if now_s - due_s > _STALL_S:
                # This process did not get to run; a board's crystal does not stop, nor does its UART.
                self.stalled_s += now_s - due_s
                started_s += now_s - due_s
            if due_s - said_s >= _HELLO_EVERY_S:
                said_s = due_s
                self._say_hello(due_s)
            self._send(message)
        while self._pending and time.monotonic() - started_s < seconds + 2.0:
            self._flush()
            time.sleep(_TICK_S)

    def _is_asked_to_start(self) -> bool:
        asked = self._parser.feed(self._port.read())
        return any(isinstance(m, Command) and m.kind == CommandKind.START for m in asked)

    def _send(self, message: Block | Event) -> None:
        if isinstance(message, Event):
            self._push(encode_event(message))
            return
        data = encode_block(message._replace(dropped=self.sent["dropped_frames"] % (1 << 16)))
        if self._n_pending >= _TTY_BYTES:
            self._flush()
        if self._n_pending + len(data) > self._buffer_bytes:
            self.sent["dropped_frames"] += 1
            return
        self._push(data)
        channel = next(c for c in self._source.hello.channels if c.stream == message.stream)
        self.samples[channel.name] += len(message.data) // channel.sample_bytes

    def _push(self, data: bytes) -> None:
        self._pending.append(data)
        self._n_pending += len(data)
        self.most_pending = max(self.most_pending, self._n_pending)
        self.sent["bytes"] += len(data)
        self.sent["frames"] += data.count(0)

    def _flush(self) -> None:
        if not self._pending:
            return
        data = b"".join(self._pending)
        n = self._port.write(data)
        self._pending.clear()
        if n < len(data):
            self._pending.append(data[n:])
        self._n_pending = len(data) - n

    def _answer(self, now_s: float) -> None:
        ticks_us = (self._source.hello.ticks_us + round(now_s * 1e6)) % (1 << 32)
        session = self._source.hello.session
        for message in self._parser.feed(self._port.read()):
            self.sent["answers"] += 1
            if isinstance(message, Ping):
                pong = Pong(session, ticks_us, message.token)
                self._push(encode_pong(pong, seq=self.sent["answers"]))
            elif isinstance(message, Command):
                ack = Ack(session, ticks_us, message.kind, AckResult.DONE, message.token)
                self._push(encode_ack(ack, seq=self.sent["answers"]))

    def _say_hello(self, now_s: float) -> None:
        ticks_us = (self._source.hello.ticks_us + round(now_s * 1e6)) % (1 << 32)
        data = encode_hello(self._source.hello, seq=self._n_hellos, ticks_us=ticks_us)
        self._n_hellos += data.count(0)
        self._push(data)


def main() -> int:
    """Stream once; the counts as JSON on standard output."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--wire", type=Path, required=True, help="a captured body")
    parser.add_argument("--link", type=Path, required=True, help="where to put the terminal")
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--bytes-per-s", type=float, required=True)
    parser.add_argument("--buffer-bytes", type=int, required=True)
    args = parser.parse_args()
    port = PtyPort(args.link, lambda name: print(name, file=sys.stderr, flush=True))
    board = FastBoard(Source(args.wire, args.bytes_per_s), port, args.buffer_bytes)
    port.plug(plugged=True)
    started_s, cpu_s = time.monotonic(), time.process_time()
    board.run(args.seconds)
    told = {
        **board.sent,
        "dropped_frames": board.sent["dropped_frames"],
        "samples": board.samples,
        "most_pending_bytes": board.most_pending,
        "stalled_s": board.stalled_s,
        "cpu_share": (time.process_time() - cpu_s) / (time.monotonic() - started_s),
    }
    print(json.dumps(told), flush=True)
    # The cable stays in until whoever started this says so.
    sys.stdin.read()
    port.close()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
