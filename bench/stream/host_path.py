"""Bytes to events and vault, all of it, in a process of its own: ``python -m bench.stream.host_path``.

The session is the one that ``signet run --json`` makes; only the link is another: chunks of a
simulated board that were written to a file before, so that the simulator's work is not counted.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from firmware_host.cli.streaming import EventPrinter
from firmware_host.errors import LinkEnded
from firmware_host.runtime.build import SessionOptions, open_session
from firmware_host.transport.base import Chunk, parse_url
from firmware_host.transport.simulator import CHUNK_HEADER, open_simulator
from firmware_host.vault.records import Vault

_SAMPLE_EVERY_S = 1800.0


def capture(url: str, path: Path) -> int:
    """Write what a simulated board sends to a file; the number of bytes."""
    link = open_simulator(parse_url(url))
    n_bytes = 0
    with path.open("wb") as file, contextlib.suppress(LinkEnded), contextlib.closing(link):
        while True:
            chunk = link.read(0.0)
            if chunk is not None:
                file.write(CHUNK_HEADER.pack(chunk.arrival_utc, len(chunk.data)) + chunk.data)
                n_bytes += len(chunk.data)
    return n_bytes


def chunks(path: Path) -> Iterator[Chunk]:
    """What `capture` wrote, read piece by piece so that memory stays that of the host."""
    with path.open("rb") as file:
        while head := file.read(CHUNK_HEADER.size):
            arrival_utc, n_bytes = CHUNK_HEADER.unpack(head)
            yield Chunk(arrival_utc, file.read(n_bytes))


class FileLink:
    """A captured board as a link in virtual time, which notes this process' memory on the way."""

    virtual_time = True

    def __init__(self, path: Path) -> None:
        self.url = f"captured:{path}"
        self.memory: list[tuple[float, float]] = []
        self._chunks = chunks(path)
        self._now_utc = 0.0
        self._start_utc: float | None = None

    def read(self, timeout_s: float) -> Chunk | None:  # noqa: ARG002 - nothing is waited for
        """The next chunk."""
        chunk = next(self._chunks, None)
        if chunk is None:
            self._note_memory()
            raise LinkEnded(f"{self.url}: over")
        self._now_utc = chunk.arrival_utc
        if self._start_utc is None:
            self._start_utc = chunk.arrival_utc
        if self._elapsed_s >= len(self.memory) * _SAMPLE_EVERY_S:
            self._note_memory()
        return chunk

    def write(self, data: bytes) -> None:
        """Nobody listens."""

    def now_utc(self) -> float:
        """Arrival of the last chunk."""
        return self._now_utc

    def close(self) -> None:
        """Nothing to give back."""

    @property
    def _elapsed_s(self) -> float:
        return self._now_utc - (self._start_utc or self._now_utc)

    def _note_memory(self) -> None:
        self.memory.append((self._elapsed_s, resident_mb()))


def resident_mb() -> float:
    """Resident size of this process now, in 10^6 bytes."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def play(wire: Path, state: Path, key: Path) -> dict[str, Any]:
    """Run a captured stream through a session and its vault; what it took."""
    link = FileLink(wire)
    with Vault.open_or_create(state, key) as vault:
        options = SessionOptions(url=link.url)
        session = open_session(
            options,
            lambda: vault,
            emit=EventPrinter(as_json=True),
            stop=lambda: False,
            open_transport=lambda: link,
        )
        opened_s = time.process_time()
        summary = session.run()
        took_s = time.process_time() - opened_s
    return {
        "cpu_s": took_s,
        "start_cpu_s": opened_s,
        "stream_s": summary["stream_s"],
        "n_samples": sum(c["n_samples"] for c in summary["channels"].values()),
        "n_missing": sum(c["missing_samples"] for c in summary["channels"].values()),
        "bad_frames": summary["bad_frames"],
        "n_events": sum(summary["events"].values()),
        "memory": link.memory,
        "peak_mb": summary["peak_rss_mb"],
    }


def main() -> int:
    """Play one file: the cost as JSON on standard output, the events nowhere."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--wire", type=Path, required=True)
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--key-file", type=Path, required=True)
    args = parser.parse_args()
    with open(os.devnull, "w", encoding="ascii") as nowhere, contextlib.redirect_stdout(nowhere):  # noqa: PTH123
        found = play(args.wire, args.state, args.key_file)
    print(json.dumps(found))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
