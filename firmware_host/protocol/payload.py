"""What payloads are made of, both ways: texts and channels. What stands where: layouts.py."""

from __future__ import annotations

import struct

from firmware_host.protocol.messages import MAX_STRING_BYTES, Channel


def pack_string(text: str) -> bytes:
    """Length and UTF-8 of a text that a terminal can show.

    Raises
    ------
    ValueError
        If it is too long, or not printable.
    """
    data = text.encode()
    if len(data) > MAX_STRING_BYTES:
        msg = f"expected at most {MAX_STRING_BYTES} bytes of UTF-8, got {len(data)}: {text!r}"
        raise ValueError(msg)
    _require_printable(text)
    return bytes([len(data)]) + data


class Reader:
    """Cursor over a payload; running past its end is a struct.error like any other misfit."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def take(self, layout: str) -> tuple[float, ...]:
        """The next values."""
        values = struct.unpack_from(layout, self._data, self._at)
        self._at += struct.calcsize(layout)
        return values

    @property
    def n_left(self) -> int:
        """Bytes not read yet."""
        return len(self._data) - self._at

    def byte(self) -> int:
        """The next byte."""
        return int(self.take("<B")[0])

    def string(self) -> str:
        """The next text; one that is not printable is a ValueError."""
        n = self.byte()
        text = self._data[self._at : self._at + n]
        if len(text) < n or n > MAX_STRING_BYTES:
            msg = "string runs past the payload"
            raise struct.error(msg)
        self._at += n
        said = text.decode()
        _require_printable(said)
        return said


def require_sound(channel: Channel) -> Channel:
    """Refuse a channel with a number that no HELLO may say; ValueError."""
    if (misfit := channel.misfit) is not None:
        expected, received = misfit
        msg = f"expected {expected}, got {received}"
        raise ValueError(msg)
    return channel


def require_different(channels: tuple[Channel, ...]) -> None:
    """Refuse channels that share a number or a name; ValueError."""
    for said in ([c.stream for c in channels], [c.name for c in channels]):
        if len(set(said)) < len(said):
            msg = f"channels must differ in stream number and name, got {said}"
            raise ValueError(msg)


def _require_printable(text: str) -> None:
    if not text.isprintable():
        # A terminal or a log would obey it.
        msg = f"expected printable characters, got {text!r}"
        raise ValueError(msg)
