"""A board behind a TCP port: the simulator in another container, or a serial server on the bench.

The socket module is imported when a URL asks for it: the default mode loads no network code.
"""

from __future__ import annotations

import contextlib
import select
from urllib.parse import urlsplit

from firmware_host.errors import ConfigError, LinkClosed, LinkError, LinkTimeout
from firmware_host.transport.base import Chunk, DeviceUrl
from firmware_host.transport.host_clock import SPEED_OPTION, host_clock, speed_of

# The other side is on this bench or this machine; whatever is slower than this is not there.
CONNECT_TIMEOUT_S = 5.0
WRITE_TIMEOUT_S = 2.0
READ_BYTES = 65_536
OPTIONS = (SPEED_OPTION,)


class TcpTransport:
    """Bytes over one TCP connection, without encryption: for the bench, not for a network.

    Parameters
    ----------
    speed
        How many times faster than this host the board lives, and with it the clock that stamps the chunks.

    Raises
    ------
    LinkError
        If nobody answers; the text says why and what to do.
    """

    virtual_time = False

    def __init__(self, host: str, port: int, *, speed: float = 1.0) -> None:
        import socket

        self.url = f"socket://{f'[{host}]' if ':' in host else host}:{port}"
        self.url += f"?{SPEED_OPTION}={speed:.12g}" if speed != 1.0 else ""
        self._clock = host_clock(speed)
        try:
            sock = socket.create_connection((host, port), timeout=CONNECT_TIMEOUT_S)
        except OSError as err:
            raise LinkError(f"{self.url}: {_connect_error(err)}") from err
        # A command is a few bytes: it must not wait for more.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.settimeout(WRITE_TIMEOUT_S)
        self._socket: socket.socket | None = sock

    def read(self, timeout_s: float) -> Chunk | None:
        """See :class:`~firmware_host.transport.base.Transport`."""
        if self._socket is None:
            raise self._closed("this link was closed")
        try:
            if not select.select([self._socket], [], [], timeout_s)[0]:
                return None
            data = self._socket.recv(READ_BYTES)
        except OSError as err:
            raise self._lost(err) from err
        if not data:
            self.close()
            raise self._closed("the other side closed the connection")
        return Chunk(self._clock(), data)

    def write(self, data: bytes) -> None:
        """See :class:`~firmware_host.transport.base.Transport`."""
        if self._socket is None:
            raise self._closed("this link was closed")
        try:
            self._socket.sendall(data)
        except TimeoutError as err:
            # Part of the data may be out: what follows would be garbage to the board.
            self.close()
            msg = f"{self.url}: the other side takes no bytes for {WRITE_TIMEOUT_S:g} s"
            raise LinkTimeout(msg) from err
        except OSError as err:
            raise self._lost(err) from err

    def now_utc(self) -> float:
        """Host time, UNIX seconds."""
        return self._clock()

    def close(self) -> None:
        """Close the connection; again is fine."""
        sock, self._socket = self._socket, None
        if sock is not None:
            with contextlib.suppress(OSError):
                sock.close()

    def _closed(self, what: str) -> LinkClosed:
        return LinkClosed(f"{self.url}: {what}")

    def _lost(self, err: OSError) -> LinkClosed:
        self.close()
        return self._closed(f"connection lost ({err})")


def open_tcp(url: DeviceUrl) -> TcpTransport:
    """Factory for ``socket://HOST:PORT?speed=N``.

    Raises
    ------
    ConfigError
        If host or port is missing, or anything else than ``speed`` is given.
    """
    url.check_options(OPTIONS)
    parts = urlsplit(f"socket:{url.target}")
    try:
        port = parts.port
    except ValueError:
        port = None
    extra = parts.path or parts.username or parts.password
    if not url.target.startswith("//") or not parts.hostname or not port or extra:
        raise ConfigError("device URL", "socket://HOST:PORT, port 1 to 65535", url.text)
    return TcpTransport(parts.hostname, port, speed=speed_of(url))


def _connect_error(err: OSError) -> str:
    if isinstance(err, ConnectionRefusedError):
        return "connection refused: nothing listens there; start the board's side or check the port"
    if isinstance(err, TimeoutError):
        return f"no answer in {CONNECT_TIMEOUT_S:g} s: check the address and that the host is on"
    if type(err).__name__ == "gaierror":
        return "no such host: check the spelling, or use its address"
    return f"cannot connect ({err})"
