"""How true a replay keeps its pace, and how soon one in the middle of a day begins: ``python -m bench.pace``."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

from bench.rows import Options, Row, cpu_s, main
from firmware_host.devices import ReplayTransport, open_device
from firmware_host.errors import LinkEnded
from firmware_host.protocol.messages import Block, Channel, Hello, Message
from firmware_host.recording.mcap_reader import McapReader
from firmware_host.recording.mcap_writer import McapWriter

_UTC0 = 1_700_000_000.0
_HOUR_S = 3600
_POLL_S = 0.25
_CHANNEL = Channel(0, "bvp", "au", 64.0, 0.01, 0.0, "i16", 1)
_HELLO_EVERY_S = 5


def rows(options: Options) -> list[Row]:
    # An hour has 7200 waits; played in a few seconds they are as many, and each may end late.
    hours = 1 if options.quick else 24
    speed = 3600.0 if options.quick else 900.0
    with tempfile.TemporaryDirectory() as folder:
        hour, day = Path(folder) / "hour.mcap", Path(folder) / "day.mcap"
        _write(hour, _HOUR_S)
        _write(day, hours * _HOUR_S)
        return [_pace(hour, speed), *_opening(day, hours)]


def _pace(path: Path, speed: float) -> Row:
    anchored_s = _lateness_s(path, speed)
    naive_s = _naive_lateness_s(path, speed)
    return Row(
        "replay: how late the last of an hour's 7200 pieces comes",
        1000 * anchored_s,
        "ms",
        f"waiting from piece to piece: {1000 * naive_s:.0f} ms",
        anchored_s / naive_s,
        note=f"real time, played in {_HOUR_S / speed:.0f} s",
    )


def _opening(day: Path, hours: int) -> list[Row]:
    cut = day.with_name("cut.mcap")
    cut.write_bytes(day.read_bytes()[:-1])
    by_index_s, by_reading_s = (cpu_s(lambda p=path: _seek(p), repeats=2) for path in (day, cut))
    return [
        Row(
            f"replay: open {hours} h of MCAP and read the first piece of its middle",
            1000 * by_index_s,
            "ms",
            f"without the index: {1000 * by_reading_s:.0f} ms",
            by_index_s / by_reading_s,
        )
    ]


def _lateness_s(path: Path, speed: float) -> float:
    """Real seconds by which the last piece comes after its due time."""
    transport = ReplayTransport(McapReader(path), url=f"replay:{path}", speed=speed)
    start_s: float | None = None
    late_s = 0.0
    try:
        while True:
            chunk = transport.read(_POLL_S)
            if chunk is not None:
                start_s = time.monotonic() if start_s is None else start_s
                late_s = time.monotonic() - start_s - (chunk.arrival_utc - _UTC0) / speed
    except LinkEnded:
        return late_s


def _naive_lateness_s(path: Path, speed: float) -> float:
    arrivals = [utc for utc, _ in McapReader(path).messages()]
    start_s = time.monotonic()
    for before, utc in pairwise(arrivals):
        time.sleep((utc - before) / speed)
    return time.monotonic() - start_s - (arrivals[-1] - arrivals[0]) / speed


def _seek(path: Path) -> None:
    transport = open_device(f"replay:{path}?from=50%")
    transport.read(_POLL_S)
    transport.close()


def _write(path: Path, n_s: int) -> None:
    # Nothing here is worth waiting for the disk.
    with McapWriter(path, sync_s=1e9) as writer:
        for utc, message in _messages(n_s):
            writer.write(message, utc)


def _messages(n_s: int) -> Iterator[tuple[float, Message]]:
    samples = os.urandom(64)
    for i in range(2 * n_s):
        ticks_us = (500_000 * i) % (1 << 32)
        if i % (2 * _HELLO_EVERY_S) == 0:
            yield _UTC0 + i / 2, Hello(7, "bench", "bench", (_CHANNEL,), ticks_us=ticks_us)
        yield _UTC0 + (i + 1) / 2, Block(7, 0, i % 65536, ticks_us, 0, 32 * i, samples)


if __name__ == "__main__":
    raise SystemExit(main(rows, "bench.pace"))
