"""How many flipped bits of a body the CRC is sure to see: its Hamming distance, by computation.

The CRC is linear: flips go unseen exactly if what each of them alone does to the check, its remainder, adds up
(XOR) to nothing. So every pattern of up to five flips is looked through by sums of two remainders. P. Koopman
(32-bit cyclic redundancy codes for internet applications, DSN 2002; with T. Chakravarty, DSN 2004) tables this
generator: distance 6 up to 268 bits before the CRC, 5 up to 2974.
"""

from __future__ import annotations

from binascii import crc32

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint32]
_CRC_BITS = 32
# Looked up at once: where there is a match, there are many.
_PART = 1 << 16


def remainders(n_bits: int) -> Words:
    """(n_bits,) what one flip does to the check of a body, by the bit's place on the line counted from its end.

    Asked of `binascii.crc32` itself, which the decoder uses. A byte's lowest bit is first on the line. The last 32 bits
    are the CRC's own.
    """
    own = np.uint32(1) << np.arange(_CRC_BITS - 1, -1, -1, dtype=np.uint32)
    zeros = bytes(-(-(n_bits - _CRC_BITS) // 8))
    plain = crc32(zeros)
    flips = []
    for k in range(n_bits - _CRC_BITS):
        at, bit = divmod(k, 8)
        flipped = bytearray(zeros)
        flipped[-1 - at] = 0x80 >> bit
        flips.append(crc32(flipped) ^ plain)
    return np.concatenate([own, np.array(flips, dtype=np.uint32)])


def lightest_unseen(n_bits: int) -> tuple[int, ...]:
    """Places of the fewest flips, up to five, that a body of ``n_bits`` does not show; none if all of them show.

    Places count from the body's end, as in `remainders`.
    """
    r = remainders(n_bits)
    first, second = np.triu_indices(n_bits, 1)
    sums = r[first] ^ r[second]
    order = np.argsort(sums)
    sums = sums[order]

    def places(*pairs: int, alone: tuple[int, ...] = ()) -> tuple[int, ...]:
        found = [int(end[order[k]]) for k in pairs for end in (first, second)]
        return tuple(sorted([*found, *alone]))

    # Lighter patterns first: what matches later then has no bit twice.
    if not r.all():
        return (int(np.argmin(r)),)
    if not sums[0]:
        return places(0)
    if match := _match(r, sums):
        return places(match[1], alone=(match[0],))
    if len(twice := np.flatnonzero(sums[1:] == sums[:-1])):
        return places(int(twice[0]), int(twice[0]) + 1)
    # A pattern stays one when it is shifted: it may begin at place 0.
    if match := _match(sums ^ r[0], sums):
        return places(*match, alone=(0,))
    return ()


def _match(wanted: Words, among: Words) -> tuple[int, int] | None:
    """Indices of one value that is in both; ``among`` is in order."""
    for start in range(0, len(wanted), _PART):
        part = wanted[start : start + _PART]
        at = np.minimum(np.searchsorted(among, part), len(among) - 1)
        if len(hits := np.flatnonzero(among[at] == part)):
            return start + int(hits[0]), int(at[hits[0]])
    return None


def flipped(body: bytes, places: tuple[int, ...]) -> bytes:
    """The body with the bits at these places, counted from its end, turned over."""
    out = bytearray(body)
    for k in places:
        at, bit = divmod(k, 8)
        out[-1 - at] ^= 0x80 >> bit
    return bytes(out)
