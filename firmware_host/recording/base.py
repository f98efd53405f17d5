"""What every recording can do, whatever file it lies in."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Protocol

from firmware_host.protocol.messages import Hello, Message
from firmware_host.recording.labels import Label


class RecordingReader(Protocol):
    """One recording: messages of a board and the host times (UNIX seconds) they arrived at."""

    @property
    def hello(self) -> Hello:
        """What the board said of itself first."""
        ...

    @property
    def start_utc(self) -> float:
        """When the first message arrived."""
        ...

    @property
    def duration_s(self) -> float:
        """From the first arrival to the last, or to the end of the last sample where that is known."""
        ...

    def messages(self, since_utc: float = -math.inf) -> Iterator[tuple[float, Message]]:
        """(arrival_utc, message) in the order of arrival; the same each time it is called.

        With ``since_utc`` from the first one that arrived then or later, preceded by the HELLO that holds there.
        """
        ...

    def labels(self) -> list[Label]:
        """Labels the recording carries itself, in order of time; often none."""
        ...

    def markers(self) -> list[tuple[float, str]]:
        """(utc, text) of the notes the recording carries; often none."""
        ...

    def close(self) -> None:
        """Let go of the file; may be called twice."""
        ...
