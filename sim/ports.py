"""The board's end of a real line: a pseudo-terminal or a TCP server on this computer."""

from __future__ import annotations

import errno
import os
import select
import socket
import time
import tty
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from firmware_host.errors import ConfigError

_MAX_TCP_PORT = 65535


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

    Unplugged at first. The port keeps its own handle on the host's side, so closing and opening
    it again does not disturb the board. Bytes sent while nobody reads fill the buffers and are
    then dropped.

    Parameters
    ----------
    link
        Where to put a symbolic link to the terminal, or None.
    announce
        Told the path to open, again after every replug.
    """

    def __init__(self, link: Path | None, announce: Callable[[str], None]) -> None:
        self._link = link
        self._announce = announce
        self._fds: tuple[int, int] | None = None
        if link is not None and link.exists() and not link.is_symlink():
            raise ConfigError("pty", "a path that is free or a symbolic link", str(link))

    def wait(self, timeout_s: float) -> None:
        """Wait for bytes from the host."""
        if self._fds is None:
            time.sleep(timeout_s)
        else:
            select.select([self._fds[0]], [], [], timeout_s)

    def read(self) -> bytes:
        """Take what the host has sent."""
        if self._fds is None:
            return b""
        try:
            return os.read(self._fds[0], 4096)
        except BlockingIOError:
            return b""

    def write(self, data: bytes) -> int:
        """Hand over what fits now."""
        if self._fds is None:
            return len(data)
        try:
            return os.write(self._fds[0], data)
        except BlockingIOError:
            return 0

    def plug(self, *, plugged: bool) -> None:
        """Make or remove the terminal, as a cable does."""
        if plugged and self._fds is None:
            master, slave = os.openpty()
            # Without raw mode the line discipline echoes our bytes and eats some of them.
            tty.setraw(slave)
            os.set_blocking(master, False)
            self._fds = (master, slave)
            name = os.ttyname(slave)
            if self._link is not None:
                self._point_link(name)
            self._announce(str(self._link or name))
        elif not plugged and self._fds is not None:
            self.close()

    def close(self) -> None:
        """Remove the terminal and its link."""
        fds, self._fds = self._fds, None
        if fds is None:
            return
        name = os.ttyname(fds[1])
        for fd in fds:
            os.close(fd)
        if (
            self._link is not None
            and self._link.is_symlink()
            and self._link.readlink() == Path(name)
        ):
            self._link.unlink()

    def _point_link(self, name: str) -> None:
        link = self._link or Path()
        try:
            if link.is_symlink():
                link.unlink()
            link.symlink_to(name)
        except OSError as err:
            self.close()
            raise ConfigError("pty", "a path where a link can be made", f"{link}: {err}") from err


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
