"""What the two sides say to each other, as values. Byte tables: SPEC.md; to bytes: encode.py; back: parser.py."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

from firmware_host.protocol import frame

DTYPE_CODES = {"i8": 1, "u8": 2, "i16": 3, "u16": 4, "i32": 5, "u32": 6, "f32": 7}
DTYPE_BYTES = {"i8": 1, "u8": 1, "i16": 2, "u16": 2, "i32": 4, "u32": 4, "f32": 4}
MAX_STREAMS = 32
MAX_AXES = 16
MAX_STRING_BYTES = 32
MIN_RATE_HZ, MAX_RATE_HZ = 0.001, 1e6
# Beyond every count that an integer of the wire can be.
_COUNTS = 2.0**32
BLOCK_DATA_BYTES = frame.MAX_PAYLOAD_BYTES - 4
"""Bytes of samples one BLOCK can carry beside its sample index."""


class EventKind(IntEnum):
    """What an EVENT reports."""

    BUTTON = 1
    WEAR = 2
    BATTERY = 3


STATE_EVENTS = (EventKind.WEAR, EventKind.BATTERY)
"""Told once and then at each change; a board says them again to a host that comes later."""


class Button(IntEnum):
    """Values of a BUTTON event."""

    PRESS = 0
    STRESS_STARTS = 1
    STRESS_ENDS = 2
    REST_STARTS = 3
    REST_ENDS = 4
    CUE_ACCEPTED = 5
    CUE_DISMISSED = 6


class CommandKind(IntEnum):
    """What the host may ask of the board."""

    START = 1
    STOP = 2
    CUE = 3
    RATE = 4
    BACKFILL = 5
    STATUS = 6
    RESET = 7
    SETTING = 8


class Reset(IntEnum):
    """Values of a RESET command."""

    ANEW = 1
    BOOTLOADER = 2
    SAFE = 3


class SettingOrder(IntEnum):
    """Values of a SETTING command."""

    TELL = 0
    KEEP = 1
    FORGET = 2


class BootCause(IntEnum):
    """Why a board booted."""

    UNKNOWN = 0
    POWER = 1
    WATCHDOG = 2
    ASKED = 3
    FAILED = 4


class PartState(IntEnum):
    """How a part of a board does."""

    WORKS = 0
    ABSENT = 1
    FAILS = 2


class AckResult(IntEnum):
    """How a command ended."""

    DONE = 0
    UNKNOWN = 1
    BAD_VALUE = 2
    NOT_NOW = 3


@dataclass(frozen=True, slots=True)
class Channel:
    """One stream of the board: value in ``unit`` = raw * scale + offset."""

    stream: int
    name: str
    unit: str
    rate_hz: float
    scale: float
    offset: float
    dtype: str
    axes: int

    @property
    def sample_bytes(self) -> int:
        """Bytes of one sample, all axes."""
        return DTYPE_BYTES[self.dtype] * self.axes

    @property
    def max_block_samples(self) -> int:
        """Most samples one BLOCK can carry."""
        return BLOCK_DATA_BYTES // self.sample_bytes

    @property
    def misfit(self) -> tuple[str, str] | None:
        """(expected, received) if a number of it is one that no HELLO may say; None if all are right."""
        if not 0 <= self.stream < MAX_STREAMS:
            return f"a stream number of {self.name} from 0 to {MAX_STREAMS - 1}", f"{self.stream}"
        if not 1 <= self.axes <= MAX_AXES:
            return f"1 to {MAX_AXES} axes of {self.name}", f"{self.axes}"
        if not MIN_RATE_HZ <= self.rate_hz <= MAX_RATE_HZ:
            return (
                f"a sample rate of {self.name} from {MIN_RATE_HZ:g} Hz to 1 MHz",
                f"{self.rate_hz:g} Hz",
            )
        # Not a number fails it as well.
        if not (self.scale and math.isfinite(abs(self.scale) * _COUNTS + abs(self.offset))):
            expected = f"a scale of {self.name} that is not 0, and finite values"
            return expected, f"scale {self.scale:g}, offset {self.offset:g}"
        return None


@dataclass(frozen=True, slots=True)
class Hello:
    """What the board is, which channels it has, and how many bytes of blocks it can send again."""

    session: int
    board_id: str
    firmware: str
    channels: tuple[Channel, ...]
    protocol_version: int = frame.VERSION
    ticks_us: int = 0
    ring_bytes: int = 0

    def channel(self, name: str) -> Channel | None:
        """The channel of that name, or None."""
        return next((c for c in self.channels if c.name == name), None)


class Block(NamedTuple):
    """Consecutive raw samples of one stream; ``ticks_us`` is the first one's board time.

    A tuple: it is made for nearly every frame, and a frozen dataclass takes four times as long.
    """

    session: int
    stream: int
    seq: int
    ticks_us: int
    dropped: int
    sample_idx: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened on the board."""

    session: int
    ticks_us: int
    kind: EventKind
    value: int
    seq: int = 0


@dataclass(frozen=True, slots=True)
class Ping:
    """Clock question from the host."""

    token: int


@dataclass(frozen=True, slots=True)
class Pong:
    """Its answer, with the board's time."""

    session: int
    ticks_us: int
    token: int


@dataclass(frozen=True, slots=True)
class Command:
    """Order from the host; ``token`` comes back in the ACK.

    ``kind`` is a `CommandKind`, or the number of one that we do not know. ``stream`` belongs to
    RATE and BACKFILL, ``sample_idx`` to BACKFILL, ``key`` and ``text`` to SETTING.
    """

    kind: int
    value: int = 0
    token: int = 0
    stream: int = 0
    sample_idx: int = 0
    key: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True)
class Ack:
    """How the command with this token ended.

    The rest answers BACKFILL: of the samples of ``stream`` from ``sample_idx`` on the first
    ``gone`` will not come; for the others ``frames`` frames will. ``key`` and ``text`` answer SETTING:
    what is kept now.
    """

    session: int
    ticks_us: int
    command: int
    result: AckResult
    token: int
    stream: int = 0
    sample_idx: int = 0
    gone: int = 0
    frames: int = 0
    key: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True)
class Part:
    """A sensor or another part of a board, and how often its bus failed since boot."""

    name: str
    state: PartState = PartState.WORKS
    n_errors: int = 0


@dataclass(frozen=True, slots=True)
class Status:
    """How the board itself does; a counter it does not tell is None."""

    session: int
    ticks_us: int
    uptime_s: int
    cause: BootCause = BootCause.UNKNOWN
    free_bytes: int | None = None
    n_boots: int | None = None
    n_late: int | None = None
    n_dropped: int | None = None
    n_overruns: int | None = None
    n_bad_frames: int | None = None
    n_failures: int | None = None
    parts: tuple[Part, ...] = ()


@dataclass(frozen=True, slots=True)
class Log:
    """A line of the board's, for a person; ``level`` as Python's logging counts."""

    session: int
    ticks_us: int
    level: int
    text: str


@dataclass(frozen=True, slots=True)
class Mismatch:
    """A HELLO of another protocol version: nothing else of it can be trusted."""

    theirs: int


PlainMessage = Hello | Event | Ping | Pong | Command | Ack | Status | Log | Mismatch
"""Every message but samples."""
Message = Block | PlainMessage
