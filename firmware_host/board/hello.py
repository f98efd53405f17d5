"""What the board says of itself (SPEC.md, HELLO)."""

from struct import pack

import frame
from settings import plain

_DTYPES = {"i8": 1, "u8": 2, "i16": 3, "u16": 4, "i32": 5, "u32": 6, "f32": 7}


def string(text):
    """Length and bytes of a text: printable, or a host takes none of the frame; at most 32 of them."""
    data = plain(text)[:32].encode()
    return bytes([len(data)]) + data


def _channel(stream):
    return (
        bytes([stream.block.stream])
        + string(stream.name)
        + string(stream.unit)
        + pack("<fdd", stream.rate_mhz / 1000, stream.scale, stream.offset)
        + bytes([_DTYPES[stream.dtype], stream.axes])
    )


def payloads(board_id, firmware, streams, ring_bytes):
    """HELLO payloads, as many parts as the channels need."""
    ids = string(board_id) + string(firmware)
    tail = pack("<I", ring_bytes) if ring_bytes else b""
    room = frame.MAX_PAYLOAD_BYTES - 3 - len(ids) - 1 - len(tail)
    parts = [[]]
    for packed in [_channel(stream) for stream in streams]:
        if sum([len(each) for each in parts[-1]]) + len(packed) > room:
            parts.append([])
        parts[-1].append(packed)
    return [
        bytes([frame.VERSION, i, len(parts)]) + ids + bytes([len(part)]) + b"".join(part) + tail
        for i, part in enumerate(parts)
    ]
