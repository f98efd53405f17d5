"""Counts every socket this process makes, so that "nothing left" is a count and not a claim.

Sockets of a kind that cannot leave this machine are counted apart: a service has one, to its manager.
"""

from __future__ import annotations

import sys

_MADE = "socket.__new__"
# From <sys/socket.h> of Linux; the socket module itself is not loaded for the sake of counting.
_AF_UNIX = 1


class SocketCounter:
    """Sockets made since :meth:`install`; CPython reports them whichever library makes them (PEP 578)."""

    def __init__(self) -> None:
        self.n_sockets = 0
        self.n_local = 0
        self._is_installed = False

    def install(self) -> None:
        """Begin to count; an audit hook stays until the process ends."""
        if not self._is_installed:
            self._is_installed = True
            sys.addaudithook(self._hear)

    def _hear(self, event: str, arguments: tuple[object, ...]) -> None:
        if event != _MADE:
            return
        if arguments[1] == _AF_UNIX:
            self.n_local += 1
        else:
            self.n_sockets += 1


COUNTER = SocketCounter()
"""The process's own; the command line installs it before anything else."""
