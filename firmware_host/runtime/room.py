"""Room on the vault's disk: a run goes on without, and says when there is none and when there is again."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from firmware_host.errors import StorageError
from firmware_host.runtime.memory import Memory

_LOGGER = logging.getLogger(__name__)

FULL_NOTE = "disk_full"
ROOM_NOTE = "disk_has_room"


class Room:
    """Watches what `Memory` finds when it writes; None for a run that keeps nothing."""

    def __init__(self, memory: Memory | None) -> None:
        self._memory = memory
        self._is_full = False

    @contextmanager
    def even_without(self) -> Iterator[None]:
        """Let the run go on when a write inside finds no room; `Memory` keeps what it can until there is."""
        try:
            yield
        except StorageError as err:
            if self._memory is None:
                raise
            self._memory.trouble = err

    def news(self) -> tuple[str, dict[str, float | int | str]] | None:
        """(name, detail) of a note, once when there is no room and once when there is again; else None."""
        memory = self._memory
        if memory is None or self._is_full == (memory.trouble is not None):
            return None
        self._is_full = not self._is_full
        if not self._is_full:
            return ROOM_NOTE, {"lost_records": memory.n_lost}
        _LOGGER.warning("%s; the run goes on, what it has to keep waits", memory.trouble)
        return FULL_NOTE, {}
