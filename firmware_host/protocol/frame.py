"""Frames on the wire: COBS, CRC-32 and a fixed header. Layout: SPEC.md.

One file for host and board: it runs unchanged on MicroPython, so only ``struct`` and ``binascii``, no
typing module, no dataclasses, no ``del buffer[:n]``.
"""

import struct
from binascii import crc32

VERSION = 1

HELLO = 1
BLOCK = 2
EVENT = 3
PING = 4
PONG = 5
CMD = 6
ACK = 7
STATUS = 8
LOG = 9

HEADER = "<BBHHIH"
HEADER_BYTES = 12
CRC_BYTES = 4
# COBS costs exactly one byte as long as the body is shorter than 254; 250 leaves room and is even.
MAX_BODY_BYTES = 250
MAX_PAYLOAD_BYTES = MAX_BODY_BYTES - HEADER_BYTES - CRC_BYTES
MIN_BODY_BYTES = HEADER_BYTES + 1 + CRC_BYTES
_MAX_ENCODED_BYTES = MAX_BODY_BYTES + 1
# CRC-32 of anything with its own CRC behind it, little-endian: whoever checks need not cut the two apart.
_CRC_RESIDUE = 0x2144DF1C


# One-byte strings by value: a table is several times faster than making them one by one.
_BYTE = [bytes([i]) for i in range(256)]


def cobs_encode(body: bytes) -> bytes:
    """COBS code of ``body`` (bytes, at most 253), without the closing zero."""
    return b"".join([_BYTE[len(part) + 1] + part for part in body.split(b"\0")])


def stuff(buffer):
    """COBS in place, for a board that must not allocate: ``buffer`` has one byte before its body and one
    after it, which become the first length and the closing zero. At most 253 bytes of body.
    """
    n = len(buffer) - 1
    zero = 0
    i = 1
    while i < n:
        if buffer[i] == 0:
            buffer[zero] = i - zero
            zero = i
        i += 1
    buffer[zero] = n - zero
    buffer[n] = 0


def cobs_decode(code: bytes):
    """Bytes behind a COBS code of at most 254 bytes, or None if the code is broken.

    In place: in so short a code every length byte but the first stands where a zero was.
    """
    out = bytearray(code)
    i = 0
    n = len(out)
    while i < n:
        step = out[i]
        if step == 0:
            return None
        out[i] = 0
        i += step
    return bytes(out)[1:] if i == n else None


def encode(
    kind: int, stream: int, session: int, seq: int, ticks_us: int, dropped: int, payload: bytes
) -> bytes:
    """One frame, closing zero included.

    ``payload`` is bytes-like of 1 to 234 bytes. Header fields are cut to their width (they wrap on purpose).
    Raises ValueError for a payload of another length.
    """
    if not 1 <= len(payload) <= MAX_PAYLOAD_BYTES:
        raise ValueError("payload must have 1 to %d bytes, got %d" % (MAX_PAYLOAD_BYTES, len(payload)))
    body = struct.pack(
        HEADER, kind, stream, session & 0xFFFF, seq & 0xFFFF, ticks_us & 0xFFFFFFFF, dropped & 0xFFFF
    ) + bytes(payload)
    return cobs_encode(body + struct.pack("<I", crc32(body) & 0xFFFFFFFF)) + b"\0"


def decode(code: bytes):
    """Frame tuple (kind, stream, session, seq, ticks_us, dropped, payload) of one COBS code, or None if it is not a whole, right frame."""
    body = cobs_decode(code)
    if body is None or not MIN_BODY_BYTES <= len(body) <= MAX_BODY_BYTES:
        return None
    if crc32(body) != _CRC_RESIDUE:
        return None
    return struct.unpack_from(HEADER, body) + (body[HEADER_BYTES:-CRC_BYTES],)


class FrameDecoder:
    """Bytes in, frames out; corrupt bytes are counted and skipped, never raised.

    Counters: ``frames`` decoded; ``bad_frames`` with a broken COBS code, length or CRC; ``oversize`` runs longer
    than any frame; ``skipped_bytes`` thrown away with either of them.
    """

    def __init__(self) -> None:
        self.frames = 0
        self.bad_frames = 0
        self.oversize = 0
        self.skipped_bytes = 0
        self._tail = b""
        self._flooded = False

    def feed(self, data: bytes) -> list:
        """List of the frames that ``data`` completes, in order."""
        pieces = (self._tail + bytes(data)).split(b"\0")
        self._tail = pieces[-1]
        frames: list = []
        for i in range(len(pieces) - 1):
            piece = pieces[i]
            # The usual case first, without a call: what is flooded or empty never decodes.
            frame = None if self._flooded else decode(piece)
            if frame is None:
                self._refuse(piece)
            else:
                frames.append(frame)
        self.frames += len(frames)
        if len(self._tail) > _MAX_ENCODED_BYTES:
            self._flood()
        return frames

    def _refuse(self, piece: bytes) -> None:
        if self._flooded:
            # The rest of a run that was already given up as oversize.
            self._flooded = False
            self.skipped_bytes += len(piece)
            return
        if not piece:
            return
        if len(piece) > _MAX_ENCODED_BYTES:
            self.oversize += 1
        else:
            self.bad_frames += 1
        self.skipped_bytes += len(piece)

    def _flood(self) -> None:
        """Forget a run that can no longer be a frame, so that a peer that never sends a zero costs no memory."""
        if not self._flooded:
            self.oversize += 1
        self._flooded = True
        self.skipped_bytes += len(self._tail)
        self._tail = b""
