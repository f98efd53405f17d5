"""Bytes to blocks: our decoder and the obvious one by hand: ``python -m bench.decode``."""

from __future__ import annotations

import struct
import zlib

import numpy as np

from bench.rows import Options, Row, cpu_s, main
from bench.stream.by_hand import uncobs
from firmware_host.protocol.encode import encode_block
from firmware_host.protocol.messages import Block
from firmware_host.protocol.parser import MessageParser

_HEADER = struct.Struct("<BBHHIH")
_CHUNK_BYTES = 2048


def rows(options: Options) -> list[Row]:
    wire = _wire(2_000 if options.quick else 20_000)
    by_hand = decode_by_hand(wire)
    ours = decode(wire)
    if ours != by_hand:
        raise RuntimeError("the two decoders do not agree")
    ours_s = cpu_s(lambda: decode(wire), repeats=options.repeats)
    theirs_s = cpu_s(lambda: decode_by_hand(wire), repeats=options.repeats)
    return [
        Row(
            "decode a frame of 25 motion samples",
            ours_s / len(ours) * 1e6,
            "µs",
            "COBS byte by byte, zlib.crc32 and struct by hand",
            ours_s / theirs_s,
        )
    ]


def decode(wire: bytes) -> list[tuple[int, int, bytes]]:
    """(stream, sample index, samples) of every block, read in pieces as from a port."""
    parser = MessageParser()
    pieces = (wire[i : i + _CHUNK_BYTES] for i in range(0, len(wire), _CHUNK_BYTES))
    messages = [message for piece in pieces for message in parser.feed(piece)]
    return [(m.stream, m.sample_idx, m.data) for m in messages if isinstance(m, Block)]


def decode_by_hand(wire: bytes) -> list[tuple[int, int, bytes]]:
    """As the textbook says, on all bytes at once."""
    found = []
    for code in wire.split(b"\0")[:-1]:
        body = uncobs(code)
        if zlib.crc32(body[:-4]) != struct.unpack("<I", body[-4:])[0]:
            continue
        _, stream, _, _, _, _ = _HEADER.unpack_from(body)
        found.append((stream, struct.unpack_from("<I", body, 12)[0], body[16:-4]))
    return found


def _wire(n_blocks: int) -> bytes:
    rng = np.random.default_rng(2)
    samples = rng.normal(0.0, 300.0, (n_blocks, 75)).astype("<i2")
    return b"".join(
        encode_block(Block(7, 3, k % 65536, k * 500_000 % (1 << 32), 0, 25 * k, row.tobytes()))
        for k, row in enumerate(samples)
    )


if __name__ == "__main__":
    raise SystemExit(main(rows, "bench.decode"))
