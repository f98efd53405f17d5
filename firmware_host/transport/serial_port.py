"""A board on a serial line, through pyserial. The only file that imports it."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import functools
import logging
import select
import termios
from pathlib import Path
from typing import Any

from firmware_host.errors import ConfigError, LinkClosed, LinkError, LinkTimeout
from firmware_host.transport.base import Chunk, DeviceUrl
from firmware_host.transport.host_clock import SPEED_OPTION, host_clock, speed_of
from firmware_host.transport.port_files import (
    UNSTABLE_PREFIXES,
    best_names,
    by_id_path,
    holders,
    join_group_advice,
    owner_group,
)

_LOGGER = logging.getLogger(__name__)

# What boards and terminal programs use when nobody says otherwise; USB CDC ignores it.
DEFAULT_BAUD = 115_200
# A kernel buffer of a USB serial port holds 4 KiB: one read empties it.
READ_BYTES = 4096
# Commands are tens of bytes, milliseconds at any rate. A board that takes none for this long hangs.
WRITE_TIMEOUT_S = 2.0
OPTIONS = ("baud", SPEED_OPTION)
_BUSY = (errno.EBUSY, errno.EAGAIN)
_NO_ACCESS = (errno.EACCES, errno.EPERM)
_ABSENT = (errno.ENOENT, errno.ENXIO, errno.ENODEV)


class SerialTransport:
    """Exclusive use of one serial port, 8N1.

    DTR stays raised while the port is open: USB CDC boards send nothing without it. Boards with a
    reset circuit on DTR therefore restart when the port is opened; the wire protocol expects that.

    Parameters
    ----------
    path
        Device file; ``/dev/serial/by-id/...`` keeps its name, ``/dev/ttyACM0`` does not.
    baud
        Bits per second.
    speed
        How many times faster than this host the board lives, and with it the clock that stamps the chunks.

    Raises
    ------
    LinkError
        If the port cannot be opened; the text says why and what to do.
    """

    virtual_time = False

    def __init__(
        self,
        path: str,
        *,
        baud: int = DEFAULT_BAUD,
        speed: float = 1.0,
        root: Path = Path("/"),
    ) -> None:
        options = [f"baud={baud}"] if baud != DEFAULT_BAUD else []
        options += [f"{SPEED_OPTION}={speed:.12g}"] if speed != 1.0 else []
        self.url = f"serial:{path}" + (f"?{'&'.join(options)}" if options else "")
        self.path = path
        self._clock = host_clock(speed)
        self._port: Any = _open_port(path, baud, root)
        _warn_unstable_name(path, root)

    def read(self, timeout_s: float) -> Chunk | None:
        """See :class:`~firmware_host.transport.base.Transport`."""
        port = self._open_port_or_raise()
        try:
            # Select and then one read of all there is: pyserial's own timeout would hold back a
            # short chunk until the buffer is full, and its in_waiting fails on a hang-up.
            if not select.select([port.fileno()], [], [], timeout_s)[0]:
                return None
            data = port.read(READ_BYTES)
        except OSError as err:
            # pyserial's own exception is an OSError, and so is what the kernel raises past it.
            raise self._vanished(err) from err
        return Chunk(self._clock(), data) if data else None

    def write(self, data: bytes) -> None:
        """See :class:`~firmware_host.transport.base.Transport`."""
        port = self._open_port_or_raise()
        try:
            port.write(data)
        except OSError as err:
            if type(err).__name__ == "SerialTimeoutException":
                what = f"board takes no bytes for {WRITE_TIMEOUT_S:g} s"
                msg = f"{self.path}: {what}; press its reset button"
                raise LinkTimeout(msg) from err
            raise self._vanished(err) from err

    def now_utc(self) -> float:
        """Host time, UNIX seconds."""
        return self._clock()

    def close(self) -> None:
        """Let go of the port; again is fine."""
        port, self._port = self._port, None
        if port is None:
            return
        with contextlib.suppress(OSError):
            fcntl.ioctl(port.fileno(), termios.TIOCNXCL)
        with contextlib.suppress(OSError):
            port.close()

    def _open_port_or_raise(self) -> Any:
        if self._port is None:
            msg = f"{self.path}: this link was closed"
            raise LinkClosed(msg)
        return self._port

    def _vanished(self, err: OSError) -> LinkClosed:
        self.close()
        return LinkClosed(f"{self.path}: board went away ({err}); check its cable and power")


def open_serial(url: DeviceUrl) -> SerialTransport:
    """Factory for a bare path, ``serial:PATH?baud=N&speed=N`` and ``pty:PATH``."""
    url.check_options(OPTIONS)
    if not url.target:
        raise ConfigError(f"device URL {url.text}", "the path of a serial port", url.target)
    baud = url.number("baud", default=DEFAULT_BAUD)
    if baud != int(baud):
        raise ConfigError(f"device URL {url.text}, option baud", "whole bits per second", baud)
    return SerialTransport(url.target, baud=int(baud), speed=speed_of(url))


def explain_open_error(path: str, err: OSError, root: Path = Path("/")) -> LinkError:
    """One line for a port that did not open: what is wrong and what to do about it."""
    if err.errno in _ABSENT:
        ports = best_names(root)
        there = f"ports here: {', '.join(ports)}" if ports else "no serial port is connected"
        return LinkError(f"{path}: no such port; {there}")
    if err.errno in _NO_ACCESS:
        return LinkError(f"{path}: no permission; {_access_advice(Path(path))}")
    if err.errno in _BUSY:
        users = holders(Path(path), root)
        who = f"held by {', '.join(users)}" if users else f"`fuser -v {path}` shows who holds it"
        several = len(users) > 1
        what = "other programs" if several else "another program"
        which = "those" if several else "that one"
        return LinkError(f"{path}: in use by {what}; {who}; close {which} first")
    what = _no_port(Path(path))
    return LinkError(what or f"{path}: cannot be opened as a serial port ({err})")


def _no_port(path: Path) -> str:
    """One line if there is something else than a device, else nothing."""
    if not path.exists() or path.is_char_device():
        return ""
    kind = "a folder" if path.is_dir() else "a file" if path.is_file() else "something else"
    advice = "a recording is replay:FILE, serial ports are below /dev"
    return f"{path}: not a serial port but {kind}; {advice}"


def _access_advice(device: Path) -> str:
    try:
        group = owner_group(device)
    except OSError:
        return "the folder it is in is closed to you; serial ports are below /dev"
    return f"the port belongs to group {group}: {join_group_advice(group)}"


def _open_port(path: str, baud: int, root: Path) -> Any:
    try:
        import serial
    except ImportError as err:
        msg = "serial ports need the package pyserial: pip install pyserial"
        raise LinkError(msg) from err
    try:
        port = serial.Serial(path, baud, timeout=0, write_timeout=WRITE_TIMEOUT_S, exclusive=True)
    except (OSError, ValueError, termios.error) as err:
        if isinstance(err, OSError) and err.errno is not None:
            raise explain_open_error(path, err, root) from err
        msg = f"{path}: cannot be opened as a serial port at {baud} baud ({err})"
        if (err.__context__ or err).args[:1] == (errno.ENOTTY,):
            msg = _no_port(Path(path)) or f"{path}: not a serial port but another device"
        raise LinkError(msg) from err
    # pyserial's lock only stops programs that ask for it; this one stops all but root's.
    with contextlib.suppress(OSError):
        fcntl.ioctl(port.fileno(), termios.TIOCEXCL)
    # USB bridges wait up to 16 ms for more bytes unless told not to; other ports know no such flag.
    with contextlib.suppress(ValueError, NotImplementedError):
        port.set_low_latency_mode(True)
    return port


@functools.lru_cache(maxsize=64)
def _warn_unstable_name(path: str, root: Path) -> None:
    # Cached: once for each port, not at each reconnection.
    device = Path(path)
    if not device.name.startswith(UNSTABLE_PREFIXES):
        return
    stable = by_id_path(device, root)
    advice = f"use {stable}" if stable else "udev gives it no stable name"
    _LOGGER.warning("%s can be another board after the next plug-in: %s", path, advice)
