"""Our decoder, with gaps counted, and the whole assembler: ``python -m bench.stream.ours``."""

from __future__ import annotations

from bench.stream.probe import Contestant, main
from bench.stream.wire import ACC, PERIOD_US, wire
from bench.stream.workload import N_SAMPLES, reads
from firmware_host import __version__
from firmware_host.protocol.messages import Block
from firmware_host.protocol.parser import MessageParser
from firmware_host.stream.assembler import StreamAssembler
from firmware_host.stream.gaps import GapTracker, StreamCounters

_SAMPLE_BYTES = ACC.sample_bytes


def decode(stream: bytes) -> tuple[int, int]:
    """Frames checked and taken apart, losses counted by frame and by sample: what the peers do."""
    parser, counters = MessageParser(), StreamCounters()
    gaps, n_blocks = GapTracker(counters), 0
    for piece in reads(stream):
        for block in parser.feed(piece):
            if isinstance(block, Block):
                n_samples = len(block.data) // _SAMPLE_BYTES
                gaps.take(block.sample_idx, block.seq, block.dropped, n_samples)
                n_blocks += 1
    if counters.lost_samples != counters.lost_frames * N_SAMPLES:
        raise RuntimeError("frames and samples tell of different losses")
    return n_blocks, counters.lost_frames


def assemble(stream: bytes) -> tuple[int, int]:
    """All that a run does with a frame before features: SI units, clock, measured rate, gap events."""
    parser, assembler = MessageParser(), StreamAssembler()
    arrival_utc, per_byte_s = 1_767_600_000.0, PERIOD_US * 1e-6 / 166
    for piece in reads(stream):
        arrival_utc += len(piece) * per_byte_s
        for message in parser.feed(piece):
            assembler.feed(message, arrival_utc)
    counters = assembler.tracks.counters["acc"]
    return counters.blocks, counters.lost_frames


if __name__ == "__main__":
    version = f"signet {__version__}"
    ways = {"decode": decode, "assemble": assemble}
    raise SystemExit(main({name: Contestant(wire, way, version) for name, way in ways.items()}))
