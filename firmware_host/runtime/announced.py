"""What a board said it is, as plain values."""

from __future__ import annotations

from typing import Any

from firmware_host.protocol.messages import Hello


def announced(hello: Hello | None) -> dict[str, Any]:
    """Board, firmware and channels of a HELLO: a value is raw times ``scale`` plus ``offset`` in ``unit``."""
    if hello is None:
        return {}
    channels = {
        channel.name: {
            "unit": channel.unit,
            "rate_hz": channel.rate_hz,
            "scale": channel.scale,
            "offset": channel.offset,
            "axes": channel.axes,
        }
        for channel in hello.channels
    }
    return {"board": hello.board_id, "firmware": hello.firmware, "channels": channels}
