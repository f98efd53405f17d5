"""A simulated device behind a pseudo-terminal, in real time."""

from __future__ import annotations

import errno
import os
import select
import tty
from pathlib import Path
from typing import Protocol

# Fine enough for samples to arrive when they are due.
_TICK_S = 0.02
# How long words wait for a host that does not read: answers for one that asked and has to wait for others on its
# machine, what a board says by itself as long as its driver would.
_ANSWER_S, _CHATTER_S = 60.0, 1.0


class Unplugged(Exception):  # noqa: N818 - what happened, no error of ours
    """The cable was pulled."""


class Device(Protocol):
    """What is behind the port."""

    def feed(self, data: bytes) -> bytes:
        """Answers to bytes of the host.

        Raises
        ------
        Unplugged
            When it leaves the bus.
        """
        ...

    def tick(self) -> bytes:
        """What it says by itself, asked some fifty times a second while the line is idle."""
        ...


class PtyPort:
    """A pseudo-terminal with a device behind it; :meth:`serve` it from a thread.

    Parameters
    ----------
    link
        Where a link to the terminal is made; it goes when the device does, as a board's name in ``/dev`` does.
    """

    def __init__(self, device: Device, link: Path | None = None) -> None:
        self._device = device
        # Both ends stay open here, so that a host may come and go.
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self._stop, self._wake = os.pipe()
        self._link = link
        self.path = os.ttyname(self._slave)
        if link is not None:
            link.unlink(missing_ok=True)
            link.symlink_to(self.path)
            self.path = str(link)

    def serve(self) -> None:
        """Answer until :meth:`close`, or until the cable is pulled."""
        try:
            while True:
                ready = select.select([self._master, self._stop], [], [], _TICK_S)[0]
                if self._stop in ready:
                    break
                if self._master in ready:
                    self._send(self._device.feed(os.read(self._master, 65_536)), _ANSWER_S)
                self._send(self._device.tick(), _CHATTER_S)
        except Unplugged:
            pass
        if self._link is not None:
            self._link.unlink(missing_ok=True)
        os.close(self._slave)
        os.close(self._master)

    def close(self) -> None:
        """End :meth:`serve`."""
        os.write(self._wake, b"x")

    def _send(self, data: bytes, patience_s: float) -> None:
        while data:
            try:
                data = data[os.write(self._master, data) :]
            except OSError as err:
                if err.errno != errno.EAGAIN:
                    raise
                stops, takes, _ = select.select([self._stop], [self._master], [], patience_s)
                # Nobody reads: what a board says then is lost.
                if stops or not takes:
                    return
