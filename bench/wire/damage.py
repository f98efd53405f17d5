"""Damaged lines and what the decoder makes of them: any frame that comes out must be one that was sent."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import combinations
from random import Random

from firmware_host.protocol import frame

Frame = tuple[int, int, int, int, int, int, bytes]
_CRC_BITS = 32


@dataclass(frozen=True, slots=True)
class Line:
    """A frame with a shorter one on either side, zeros between, as they lie on the wire.

    Damage goes from the zero before the frame to the zero that ends it, so that frames also run together and
    break apart.
    """

    wire: bytes
    start: int
    end: int
    sent: tuple[Frame, ...]


@dataclass(slots=True)
class Count:
    """What came of many damaged lines.

    On ``lost`` of them one or more frames were missing, on ``repeated`` one came more than once, on ``as_sent``
    all came. ``wrong`` must stay empty: it holds lines that gave a frame nobody sent.
    """

    tried: int = 0
    lost: int = 0
    repeated: int = 0
    as_sent: int = 0
    wrong: list[bytes] = field(default_factory=list)


def line(code: bytes) -> Line:
    """The frame between two pings of other numbers."""
    before, after = (_ping(seq) for seq in (1, 2))
    wire = b"\0".join([b"", before, code, after, b""])
    start = len(before) + 1
    sent = tuple(frame.FrameDecoder().feed(wire))
    return Line(wire, start, start + len(code) + 2, sent)


def _ping(seq: int) -> bytes:
    return frame.encode(frame.PING, 0, 0, seq, 0, 0, b"\x11\x22\x33\x44")[:-1]


def judge(sent: tuple[Frame, ...], wires: Iterable[bytes]) -> Count:
    """Decode every line by the host's own decoder, and compare with what was sent."""
    count = Count()
    whole = list(sent)
    for wire in wires:
        got = frame.FrameDecoder().feed(wire)
        count.tried += 1
        if got == whole:
            count.as_sent += 1
        elif not all(f in sent for f in got):
            count.wrong.append(wire)
        elif all(got.count(f) <= 1 for f in got):
            count.lost += 1
        else:
            count.repeated += 1
    return count


def flips(at: Line, n_flips: int) -> Iterator[bytes]:
    """Every pattern of so many flipped bits."""
    masks = [(k >> 3, 1 << (k & 7)) for k in range(8 * at.start, 8 * at.end)]
    wire = bytearray(at.wire)
    for pattern in combinations(masks, n_flips):
        for byte, mask in pattern:
            wire[byte] ^= mask
        yield bytes(wire)
        for byte, mask in pattern:
            wire[byte] ^= mask


def some_flips(at: Line, n_flips: int, n: int, rng: Random) -> Iterator[bytes]:
    """``n`` patterns of so many flips, at random places."""
    for _ in range(n):
        wire = bytearray(at.wire)
        for k in rng.sample(range(8 * (at.end - at.start)), n_flips):
            wire[at.start + (k >> 3)] ^= 1 << (k & 7)
        yield bytes(wire)


def bursts(at: Line, n_each: int, rng: Random) -> Iterator[bytes]:
    """Bursts of 2 to 32 bits on the line, ``n_each`` patterns from every bit on; both ends of a burst are flipped."""
    for start in range(8 * at.start, 8 * at.end - 1):
        widest = min(_CRC_BITS, 8 * at.end - start)
        for _ in range(n_each):
            width = rng.randint(2, widest)
            pattern = 1 | rng.getrandbits(width) | 1 << (width - 1)
            yield _xored(at.wire, pattern << (start & 7), start >> 3)


def _xored(wire: bytes, pattern: int, byte: int) -> bytes:
    """The wire with a pattern of bits turned over from one byte on."""
    mask = pattern.to_bytes(5, "little")
    part = bytes(a ^ b for a, b in zip(wire[byte : byte + 5], mask, strict=False))
    return wire[:byte] + part + wire[byte + len(part) :]


def cuts(at: Line) -> Iterator[bytes]:
    """A stretch that the line swallows, from every byte to every later one."""
    for a in range(at.start, at.end):
        for b in range(a + 1, at.end + 1):
            yield at.wire[:a] + at.wire[b:]


def repeats(at: Line) -> Iterator[bytes]:
    """A stretch that comes twice, from every byte to every later one."""
    for a in range(at.start, at.end):
        for b in range(a + 1, at.end + 1):
            yield at.wire[:b] + at.wire[a:b] + at.wire[b:]


def insertions(at: Line, n_each: int, rng: Random) -> Iterator[bytes]:
    """One to four bytes too many, at every place; every value of a single one."""
    for a in range(at.start, at.end + 1):
        for value in range(256):
            yield at.wire[:a] + bytes([value]) + at.wire[a:]
        for _ in range(n_each):
            yield at.wire[:a] + rng.randbytes(rng.randint(2, 4)) + at.wire[a:]


def changed_bytes(at: Line) -> Iterator[bytes]:
    """Every byte as every other value."""
    for a in range(at.start, at.end):
        for value in range(256):
            if value != at.wire[a]:
                yield at.wire[:a] + bytes([value]) + at.wire[a + 1 :]


def swaps(at: Line, widths: tuple[int, ...] = (1, 2, 4, 16, 64)) -> Iterator[bytes]:
    """Two neighbouring stretches of one width in each other's place."""
    for width in widths:
        for a in range(at.start, at.end - 2 * width + 1):
            b, c = a + width, a + 2 * width
            yield at.wire[:a] + at.wire[b:c] + at.wire[a:b] + at.wire[c:]


def splices(first: bytes, second: bytes) -> Iterator[bytes]:
    """The beginning of one frame and the end of another, cut anywhere, as a lost piece in between leaves them."""
    for a in range(1, len(first)):
        for b in range(1, len(second)):
            yield b"\0" + first[:a] + second[b:] + b"\0"


def garbage(n: int, rng: Random) -> Iterator[bytes]:
    """Bytes of chance between zeros, as long as frames are."""
    for _ in range(n):
        size = rng.randint(frame.MIN_BODY_BYTES + 1, frame.MAX_BODY_BYTES + 1)
        yield b"\0" + rng.randbytes(size) + b"\0"
