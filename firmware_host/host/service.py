"""Tells systemd how a run does, where systemd started it (sd_notify(3)); anywhere else it does nothing.

What is told goes into a socket file of this machine: that the run has begun, that it is alive, and what it does in
a few words, none of them about the wearer. The socket module is loaded only then.
"""

from __future__ import annotations

import contextlib
import math
import os
import time
from collections.abc import Callable, MutableMapping
from types import TracebackType
from typing import TYPE_CHECKING

from firmware_host.errors import printable

if TYPE_CHECKING:
    import socket

# One turn of the loop that takes long is no reason to be killed: told four times as often as asked.
_TOLD_EARLY = 4.0


class ServiceManager:
    """The service manager's ear. Whoever does the work calls `alive` in each turn of its loop.

    No thread of its own tells anything: a loop that hangs is silent, and systemd starts the run anew.

    Parameters
    ----------
    env
        Where ``NOTIFY_SOCKET``, ``WATCHDOG_USEC`` and ``WATCHDOG_PID`` are; they are taken out, for a learner
        that this process starts is not the service. None is this process's own environment.
    monotonic
        Real seconds.
    """

    def __init__(
        self,
        env: MutableMapping[str, str] | None = None,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        env = os.environ if env is None else env
        said = [env.pop(key, "") for key in ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")]
        self._address = _address(said[0])
        self._socket = _open() if self._address else None
        self._every_s = _watchdog_s(said[1], said[2]) / _TOLD_EARLY
        self._monotonic = monotonic
        self._due_s = -math.inf
        self._told = ""
        self._is_ready = False

    def alive(self, doing: Callable[[], str]) -> None:
        """A turn of the loop is done; the first one says that the service has begun.

        Parameters
        ----------
        doing
            Says what it does, for ``systemctl status``; told when it changes, not even asked where nobody listens.
        """
        if self._socket is None:
            return
        lines = [] if self._is_ready else ["READY=1"]
        self._is_ready = True
        now_s = self._monotonic()
        if math.isfinite(self._every_s) and now_s >= self._due_s:
            self._due_s = now_s + self._every_s
            lines.append("WATCHDOG=1")
        if (now := doing()) != self._told:
            self._told = now
            lines.append(f"STATUS={printable(now)}")
        self._tell(lines)

    def stopping(self) -> None:
        """The loop is over; what is left is to write and to end the learner."""
        self._tell(["STOPPING=1", "STATUS=ending"])

    def close(self) -> None:
        """Nothing more will be told."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def __enter__(self) -> ServiceManager:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _tell(self, lines: list[str]) -> None:
        if self._socket is None or not lines:
            return
        # A manager that is busy or gone must not hold the stream up; it asks again by itself.
        with contextlib.suppress(OSError):
            self._socket.sendto("\n".join(lines).encode(), self._address)


def _address(said: str) -> str:
    """The socket's address: a path, or a name in the abstract space, which systemd writes with an @."""
    return "\0" + said[1:] if said.startswith("@") else said


def _open() -> socket.socket:
    import socket

    made = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    made.setblocking(False)
    return made


def _watchdog_s(usec: str, pid: str) -> float:
    """Seconds after which silence is taken for a hang; infinity if nobody watches this process."""
    is_meant = not pid or pid == str(os.getpid())
    return int(usec) / 1e6 if is_meant and usec.isdecimal() and int(usec) else math.inf
