"""What the assembler hands on, and the names of what it reports."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from firmware_host.events import StreamNoted
from firmware_host.protocol.messages import Channel

Detail = dict[str, float | int | str]

StreamEvent = StreamNoted
"""Something about the stream itself; ``what`` is one of `Note`."""


class Note(StrEnum):
    """Values of ``StreamEvent.what``, with what ``detail`` holds."""

    SESSION = "session"  # first HELLO: session, board, firmware, n_channels
    REBOOT = "reboot"  # same board, new session, stream time starts at 0: as above
    SWAP = "swap"  # another board: as above
    LAYOUT = "layout"  # the board changed its channels within a session: n_channels
    MISMATCH = "mismatch"  # HELLO of another protocol version: theirs
    GAP = "gap"  # samples missing before this moment: missing_samples, lost_frames
    PAUSE = "pause"  # the sensor took no samples for a while: missing_samples
    STOPPED = "channel_stopped"  # other channels go on, this one does not: silent_s
    RATE = "rate"  # the verdict changed: declared_hz, measured_hz, is_off
    CLOCK_WRAP = "clock_wrap"  # the 32-bit counter wrapped: n_wraps
    CLOCK_JUMP = "clock_jump"  # the board's count leapt while samples went on: jump_s
    CLOCK_STEP = "clock_step"  # the host's clock was set, or a backlog was delivered: step_s
    BUTTON = "button"  # value
    WEAR = "wear"  # value
    BATTERY = "battery"  # value


class Samples(NamedTuple):
    """Consecutive samples of one channel in SI units; a tuple, because there is one for each block.

    ``values`` (n_samples, axes); ``t0_s`` stream time of the first; ``gap_before_samples`` sample
    periods missing right before it.
    """

    channel: Channel
    t0_s: float
    values: NDArray[np.float64]
    gap_before_samples: int


def noted(what: Note, detail: Detail, t_s: float, utc: float, *, channel: str = "") -> StreamEvent:
    """Event of a note, with as many digits as mean something."""
    # The board counts microseconds; the digits beyond are of the arithmetic.
    rounded = {k: round(v, 6) if isinstance(v, float) else v for k, v in detail.items()}
    return StreamEvent(t_s, utc, what.value, channel, rounded)
