"""Warnings that come again and again: said once, then left to whoever debugs."""

from __future__ import annotations

import logging

# More than a well board has things to warn of; a sick one must not fill the memory.
_MOST_KNOWN = 1_000


class Warned:
    """Remembers what was warned of in one run."""

    def __init__(self) -> None:
        self._known: set[tuple[str, str]] = set()

    def level(self, what: str, channel: str) -> int:
        """Level to log it at: a warning the first time, for debugging from then on."""
        key = (what, channel)
        if key in self._known or len(self._known) >= _MOST_KNOWN:
            return logging.DEBUG
        self._known.add(key)
        return logging.WARNING
