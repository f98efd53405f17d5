"""What somebody types, and what they label, while a recording runs."""

from __future__ import annotations

import os
import select
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from firmware_host.errors import printable

if TYPE_CHECKING:
    from firmware_host.recording.labels import Label
    from firmware_host.runtime.memory import Memory

# As `signet run` looks.
_LOOK_S = 2.0
_MAX_BYTES = 4096


class TypedNotes:
    """Lines typed on a terminal; where standard input is none, nothing."""

    def __init__(self) -> None:
        self.is_open = sys.stdin is not None and sys.stdin.isatty()

    def __call__(self) -> list[str]:
        """Lines since the last look."""
        if not self.is_open:
            return []
        fd = sys.stdin.fileno()
        if not select.select([fd], [], [], 0)[0] or not _may_read(fd):
            return []
        data = os.read(fd, _MAX_BYTES)
        # Ctrl-D: nobody types any more.
        self.is_open = bool(data)
        lines = (line.strip() for line in data.decode(errors="replace").splitlines())
        # An arrow key is an escape sequence: whoever prints the note later must not obey it.
        return [printable(line) for line in lines if line]


def _may_read(fd: int) -> bool:
    """Whether what is typed is for us: in the background, reading would suspend the recording."""
    try:
        return os.tcgetpgrp(fd) == os.getpgrp()
    except OSError:
        # A terminal, but not the one that controls this process: it suspends nobody.
        return True


class VaultLabels:
    """Labels that ``signet label`` stores meanwhile; those of before are not of this recording."""

    def __init__(self, memory: Memory, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._memory = memory
        self._monotonic = monotonic
        self._looked_s = monotonic()
        self._version = memory.vault.data_version()

    def __call__(self) -> list[Label]:
        """Labels since the last look."""
        from firmware_host.recording.labels import Label

        if self._monotonic() - self._looked_s < _LOOK_S:
            return []
        self._looked_s = self._monotonic()
        version = self._memory.vault.data_version()
        if version == self._version:
            return []
        self._version = version
        spans = self._memory.new_labels()
        return [Label(x.start_utc, x.end_utc, x.label.value, "cli") for x in spans]
