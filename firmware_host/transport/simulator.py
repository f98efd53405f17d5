"""The simulator as a board: a child process in lock-step, with its own clock.

The child writes ``<dI`` (arrival_utc, n) and n bytes, then waits for ``<If`` (m, CPU seconds that
the host worked besides the stream) and m bytes of commands. One waits for the other at each chunk,
so neither load nor scheduling changes a byte.
"""

from __future__ import annotations

import contextlib
import logging
import os
import select
import struct
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import IO, cast

from firmware_host.errors import (
    ConfigError,
    LinkClosed,
    LinkEnded,
    LinkError,
    LinkTimeout,
    SignetError,
)
from firmware_host.transport.base import Chunk, DeviceUrl

_LOGGER = logging.getLogger(__name__)

CHUNK_HEADER = struct.Struct("<dI")
REPLY_HEADER = struct.Struct("<If")
END_OF_DAY = 0xFFFFFFFF
# A simulated second takes milliseconds, the first one includes starting Python on a slow card.
STALL_S = 60.0
# Long enough to flush its truth file, short enough that Ctrl-C feels immediate.
EXIT_WAIT_S = 2.0
OPTIONS = (
    "seed",
    "scenario",
    "hours",
    "days",
    "recording",
    "fault",
    "truth",
    "host",
    "text",
    "ring",
)
_FILE_OPTIONS = ("recording", "truth", "host")
_STDERR_TAIL_BYTES = 4096


class SimulatorOptionError(ConfigError):
    """The simulator does not take a URL's options; the text is its own last line."""

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(url, "options the simulator takes", reason)
        # Its line says already what was expected and what came.
        self.args = (f"device URL {url}: {reason}",)


class SimulatorTransport:
    """A simulated board and body for one day, or for ``hours``.

    Virtual time: :meth:`now_utc` is the arrival time of the last chunk, reading never waits for a
    clock and ``timeout_s`` has no meaning. Commands written between two reads reach the board
    before the next chunk is made.

    Raises
    ------
    ConfigError
        If the simulator refuses its options.
    LinkClosed
        If it does not start for another reason; the text carries its last line on stderr.
    """

    virtual_time = True

    def __init__(self, url: str, command: list[str], *, cwd: Path) -> None:
        self.url = url
        self._pending = bytearray()
        self._worked_s = 0.0
        self._ended = False
        self._started = False
        # A file and not a pipe: nobody has to empty it while the child runs.
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the child
        self._child: subprocess.Popen[bytes] | None = subprocess.Popen(
            command,
            cwd=cwd,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            bufsize=0,
            # Ctrl-C is for the host, which then closes us.
            start_new_session=True,
        )
        self._stdin = cast("IO[bytes]", self._child.stdin)
        self._stdout = cast("IO[bytes]", self._child.stdout)
        # The first chunk at once: a simulator that cannot start fails here, and now_utc is known.
        self._next: Chunk | None = self._receive()
        self._started = True
        self._now_utc = self._next.arrival_utc if self._next else 0.0
        if self._next is None:
            self._end_of_day()

    def read(self, timeout_s: float) -> Chunk | None:  # noqa: ARG002 - see the class docstring
        """The next chunk, None for a stretch without bytes.

        Raises
        ------
        LinkEnded
            At the end of the simulated day.
        LinkClosed
            If the simulator died.
        LinkTimeout
            If it says nothing for ``STALL_S`` real seconds.
        """
        if self._child is None:
            raise self._closed_error()
        chunk, self._next = self._next, None
        if chunk is None:
            self._reply()
            chunk = self._receive()
        if chunk is None:
            raise self._end_of_day()
        self._now_utc = chunk.arrival_utc
        return chunk if chunk.data else None

    def write(self, data: bytes) -> None:
        """Hand ``data`` to the board before the next chunk."""
        if self._child is None:
            raise self._closed_error()
        self._pending += data

    def work(self, cpu_s: float) -> None:
        """Tell the simulated host that something besides the stream took this much of one CPU."""
        self._worked_s += cpu_s

    def now_utc(self) -> float:
        """Arrival time of the last chunk; of the first, before any was read."""
        return self._now_utc

    def close(self) -> None:
        """End the child process; again is fine."""
        child, self._child = self._child, None
        if child is None:
            return
        # Its stdin's end tells it to stop by itself and to finish its truth file.
        for pipe in (self._stdin, self._stdout):
            with contextlib.suppress(OSError):
                pipe.close()
        _end(child)
        self._stderr.close()

    def _reply(self) -> None:
        data, self._pending = bytes(self._pending), bytearray()
        worked_s, self._worked_s = self._worked_s, 0.0
        try:
            self._stdin.write(REPLY_HEADER.pack(len(data), worked_s) + data)
        except OSError as err:
            raise self._died() from err

    def _receive(self) -> Chunk | None:
        arrival_utc, n_bytes = CHUNK_HEADER.unpack(self._read_exactly(CHUNK_HEADER.size))
        if n_bytes == END_OF_DAY:
            return None
        return Chunk(arrival_utc, self._read_exactly(n_bytes))

    def _read_exactly(self, n_bytes: int) -> bytes:
        fd = self._stdout.fileno()
        parts = []
        while n_bytes:
            if not select.select([fd], [], [], STALL_S)[0]:
                self.close()
                msg = f"{self.url}: simulator says nothing for {STALL_S:g} s"
                raise LinkTimeout(msg)
            part = os.read(fd, n_bytes)
            if not part:
                raise self._died()
            parts.append(part)
            n_bytes -= len(part)
        return b"".join(parts)

    def _end_of_day(self) -> LinkClosed:
        self._ended = True
        child = self._child
        if child is not None:
            # It may still write its truth file; the end of its input tells it that nobody waits.
            with contextlib.suppress(OSError):
                self._stdin.close()
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(timeout=STALL_S)
            if child.returncode:
                reason = _last_line(self._stderr.fileno())
                _LOGGER.warning("%s: simulator failed after its last byte: %s", self.url, reason)
        self.close()
        return self._closed_error()

    def _died(self) -> SignetError:
        child = self._child
        code = None if child is None else _end(child)
        last_line = _last_line(self._stderr.fileno())
        self.close()
        if code == ConfigError.exit_code and not self._started:
            return SimulatorOptionError(self.url, last_line.removeprefix("sim: "))
        return LinkClosed(f"{self.url}: simulator ended (exit code {code}): {last_line}")

    def _closed_error(self) -> LinkClosed:
        if self._ended:
            return LinkEnded(f"{self.url}: simulated day is over")
        return LinkClosed(f"{self.url}: this link was closed")


def open_simulator(url: DeviceUrl, *, checkout: Path | None = None) -> SimulatorTransport:
    """Factory for ``synthetic:?seed=7&scenario=day&hours=8`` and its short form ``sim:``.

    Raises
    ------
    LinkError
        If the simulator is not there: it comes with the checkout, not with the installed package.
    """
    url.check_options(OPTIONS)
    root = checkout or Path(__file__).resolve().parents[2]
    if not (root / "sim" / "__main__.py").is_file():
        msg = (
            f"{url.text}: no simulator in {root}; it comes with a checkout: pip install -e CHECKOUT"
        )
        raise LinkError(msg)
    arguments = simulator_arguments(url)
    command = [sys.executable, "-m", "sim", "--stdio", *arguments]
    return SimulatorTransport(url.text, command, cwd=root)


def simulator_arguments(url: DeviceUrl) -> list[str]:
    """Command line of the simulator for a URL's options, in a fixed order.

    Raises
    ------
    ConfigError
        If another option than ``fault`` is repeated.
    """
    values = {key: url.option(key) for key in OPTIONS if key != "fault"}
    values["fault"] = ",".join(url.options.get("fault", ()))
    # In one word: a value that starts with a dash is no option.
    return [f"--{key}={_for_child(key, value)}" for key in OPTIONS if (value := values[key])]


def _for_child(key: str, value: str) -> str:
    # The child runs in the checkout, so a file must not be relative to where the caller is.
    is_file = key in _FILE_OPTIONS or (key == "scenario" and value.endswith(".toml"))
    return str(Path(value).absolute()) if is_file else value


def _end(child: subprocess.Popen[bytes]) -> int:
    """Exit code of the child, which gets a moment to leave by itself."""
    for stop in (child.terminate, child.kill):
        try:
            return child.wait(timeout=EXIT_WAIT_S)
        except subprocess.TimeoutExpired:
            stop()
    return child.wait()


def _last_line(fd: int) -> str:
    size = os.lseek(fd, 0, os.SEEK_END)
    os.lseek(fd, max(0, size - _STDERR_TAIL_BYTES), os.SEEK_SET)
    lines = os.read(fd, _STDERR_TAIL_BYTES).decode(errors="replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "it gave no reason")
