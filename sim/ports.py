"""The board's end of a real line: a pseudo-terminal or a TCP server on this computer."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import select
import socket
import termios
import time
import tty
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from firmware_host.errors import ConfigError

_MAX_TCP_PORT = 65535
_TERMINALS = Path("/dev/pts")


class Port(Protocol):
    """The board's end of a real line; nothing here blocks for longer than ``wait`` is told."""

    def wait(self, timeout_s: float) -> None:
        """Wait for bytes from the host."""
        ...

    def read(self) -> bytes:
        """Take what the host has sent."""
        ...

    def write(self, data: bytes) -> int:
        """Hand over what fits now, and say how many bytes that was."""
        ...

    def plug(self, *, plugged: bool) -> None:
        """Put the cable in or pull it out."""
        ...

    def close(self) -> None:
        """Give everything back."""
        ...


class PtyPort:
    """A pseudo-terminal that any serial program can open by its path.

    Unplugged at first. As on a USB port, what the board sends while nobody has it open is lost, and so is
    what the last program left unread; a program that reads too slowly fills the buffers.

    Parameters
    ----------
    link
        Where to put a symbolic link to the terminal, or None.
    announce
        Told the path to open, again after every replug.

    Raises
    ------
    ConfigError
        If something else is there, or the port of another simulator that runs.
    """

    def __init__(self, link: Path | None, announce: Callable[[str], None]) -> None:
        self._link = link
        self._announce = announce
        self._master: int | None = None
        self._name = ""
        self._was_open = False
        self._claim = None if link is None else _claimed(link)

    def wait(self, timeout_s: float) -> None:
        """Wait for bytes from the host."""
        if self._master is None or not self._is_open():
            time.sleep(timeout_s)
        else:
            select.select([self._master], [], [], timeout_s)

    def read(self) -> bytes:
        """Take what the host has sent, its last words included."""
        if self._master is None:
            return b""
        try:
            return os.read(self._master, 4096)
        except BlockingIOError:
            return b""
        except OSError as err:
            if err.errno != errno.EIO:
                raise
            return b""

    def write(self, data: bytes) -> int:
        """Hand over what fits now."""
        if self._master is None or not self._is_open():
            return len(data)
        try:
            return os.write(self._master, data)
        except BlockingIOError:
            return 0

    def plug(self, *, plugged: bool) -> None:
        """Make or remove the terminal, as a cable does."""
        if plugged and self._master is None:
            master, slave = os.openpty()
            # Without raw mode the line discipline echoes our bytes and eats some of them.
            tty.setraw(slave)
            self._name = os.ttyname(slave)
            # Only with no handle of our own is it seen whether a program has it open.
            os.close(slave)
            os.set_blocking(master, False)
            self._master = master
            if self._link is not None:
                self._point_link(self._link)
            self._announce(str(self._link or self._name))
        elif not plugged:
            self._unplug()

    def close(self) -> None:
        """Remove the terminal and its link."""
        self._unplug()
        if self._claim is not None:
            self._claim.close()

    def _unplug(self) -> None:
        master, self._master = self._master, None
        if master is None:
            return
        os.close(master)
        self._was_open = False
        link = self._link
        if link is not None and link.is_symlink() and link.readlink() == Path(self._name):
            link.unlink()

    def _is_open(self) -> bool:
        """Whether a program has it open; what the last one left unread is not for the next one."""
        poll = select.poll()
        poll.register(self._master or 0, 0)
        is_open = not poll.poll(0)
        if self._was_open and not is_open:
            with contextlib.suppress(OSError, termios.error):
                slave = os.open(self._name, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
                try:
                    termios.tcflush(slave, termios.TCIFLUSH)
                finally:
                    os.close(slave)
        self._was_open = is_open
        return is_open

    def _point_link(self, link: Path) -> None:
        try:
            if link.is_symlink():
                link.unlink()
            link.symlink_to(self._name)
        except OSError as err:
            self.close()
            raise ConfigError("pty", "a path where a link can be made", f"{link}: {err}") from err


def _claimed(link: Path) -> socket.socket:
    """A name that one process has at a time and the kernel takes back from a dead one, unlike a file."""
    is_ours = link.is_symlink() and link.readlink().is_relative_to(_TERMINALS)
    if not is_ours and (link.exists() or link.is_symlink()):
        raise ConfigError("pty", "a path that is free or a link to a terminal", str(link))
    where = link.parent.resolve() / link.name
    claim = socket.socket(socket.AF_UNIX)
    try:
        claim.bind(f"\0signet-sim-{hashlib.sha256(os.fsencode(where)).hexdigest()}")
    except OSError as err:
        claim.close()
        raise ConfigError("pty", "a link no other simulator serves", str(link)) from err
    return claim


class TcpPort:
    """A raw TCP server on this computer only, for one host at a time.

    Unplugged at first. What the board sends while no host is connected is lost.
    """

    def __init__(self, port: int, announce: Callable[[str], None]) -> None:
        if not 0 <= port <= _MAX_TCP_PORT:
            raise ConfigError("tcp", "a port from 0 to 65535", port)
        self._plugged = False
        self._announce: Callable[[str], None] | None = announce
        self._client: socket.socket | None = None
        try:
            self._server = socket.create_server(("127.0.0.1", port))
        except OSError as err:
            raise ConfigError("tcp", "a free port", f"{port}: {err.strerror}") from err
        self._server.setblocking(False)
        self.port: int = self._server.getsockname()[1]

    def wait(self, timeout_s: float) -> None:
        """Wait for bytes, or for a host to connect."""
        if not self._plugged:
            time.sleep(timeout_s)
            return
        select.select([self._client or self._server], [], [], timeout_s)
        if self._client is None:
            self._accept()

    def read(self) -> bytes:
        """Take what the host has sent; an ended connection makes room for the next."""
        if self._client is None:
            return b""
        try:
            data = self._client.recv(4096)
        except BlockingIOError:
            return b""
        except OSError:
            data = b""
        if not data:
            self._hang_up()
        return data

    def write(self, data: bytes) -> int:
        """Hand over what fits now."""
        if self._client is None:
            return len(data)
        try:
            return self._client.send(data)
        except BlockingIOError:
            return 0
        except OSError as err:
            if err.errno not in {errno.EPIPE, errno.ECONNRESET}:
                raise
            self._hang_up()
            return len(data)

    def plug(self, *, plugged: bool) -> None:
        """Let hosts connect, or cut the connection; the address is told once."""
        self._plugged = plugged
        if plugged and self._announce is not None:
            self._announce(f"127.0.0.1:{self.port}")
            self._announce = None
        if not plugged:
            self._hang_up()

    def close(self) -> None:
        """Stop serving."""
        self._hang_up()
        self._server.close()

    def _accept(self) -> None:
        try:
            client, _ = self._server.accept()
        except BlockingIOError:
            return
        client.setblocking(False)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._client = client

    def _hang_up(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            client.close()
