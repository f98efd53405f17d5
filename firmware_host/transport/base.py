"""What every way to a board offers, and the URL that names it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple, Protocol, runtime_checkable
from urllib.parse import unquote

from firmware_host.errors import ConfigError

_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*):(.*)", re.IGNORECASE | re.DOTALL)


class Chunk(NamedTuple):
    """Bytes as they arrived; ``arrival_utc`` is the host's clock when the last of them did."""

    arrival_utc: float
    data: bytes


class LineNote(NamedTuple):
    """What happened to a board's printed lines: for a log in ``text``, for machines in the rest."""

    utc: float
    what: str
    detail: dict[str, float | int | str]
    text: str


class Transport(Protocol):
    """A link to one board.

    ``virtual_time`` says that the source keeps its own clock: :meth:`now_utc` moves with the data,
    and waiting for it costs no real time.
    """

    url: str
    virtual_time: bool

    def read(self, timeout_s: float) -> Chunk | None:
        """What arrived, at least one byte, or None if nothing did in ``timeout_s``.

        Chunks are cut anywhere: never at message borders.

        Raises
        ------
        LinkClosed
            If the other side went away, and after :meth:`close`.
        LinkEnded
            If a finite source was read to its end.
        """
        ...

    def write(self, data: bytes) -> None:
        """Send all of ``data`` or raise.

        Raises
        ------
        LinkClosed
            If the other side went away, and after :meth:`close`.
        LinkTimeout
            If the other side does not take the bytes.
        """
        ...

    def now_utc(self) -> float:
        """UNIX seconds on the clock that stamps the chunks."""
        ...

    def close(self) -> None:
        """Let go of the link; again is fine."""
        ...


@runtime_checkable
class WithHost(Protocol):
    """A link with a simulated host behind it, which cannot see what this process works."""

    def work(self, cpu_s: float) -> None:
        """Something besides the stream took this much of one CPU."""
        ...


@runtime_checkable
class WithMarks(Protocol):
    """A link that does something to what it plays, and says so."""

    def marks(self) -> list[tuple[str, dict[str, float | int | str]]]:
        """What, and its details, since this was last asked: of the time just before the last chunk."""
        ...


@runtime_checkable
class Listening(Protocol):
    """A link to a board that cannot say what it is: that takes a while to find out, and its lines are counted."""

    hello_s: float

    @property
    def counters(self) -> Mapping[str, int]:
        """Lines so far by what they were."""
        ...

    @property
    def trouble(self) -> str:
        """Why its lines bring no samples, empty if they do or none come."""
        ...

    def line_notes(self) -> list[LineNote]:
        """What happened to its lines since this was last asked."""
        ...

    def resume(self, before: Transport) -> None:
        """Go on for an earlier link to the same board, if it is one."""
        ...


@dataclass(frozen=True, slots=True)
class DeviceUrl:
    """A device URL taken apart: ``scheme:target?key=value&...``.

    A bare path has the scheme ``serial``. ``options`` keeps every value of a repeated key.
    """

    text: str
    scheme: str
    target: str
    options: Mapping[str, tuple[str, ...]]

    def option(self, key: str) -> str | None:
        """The value of ``key``, None if absent.

        Raises
        ------
        ConfigError
            If the key is given more than once.
        """
        values = self.options.get(key, ())
        if len(values) > 1:
            raise ConfigError(self._where(key), "the option once", ", ".join(values))
        return values[0] if values else None

    def number(self, key: str, *, default: float) -> float:
        """The value of ``key`` as a finite number above zero."""
        text = self.option(key)
        if text is None:
            return default
        try:
            value = float(text)
        except ValueError:
            value = float("nan")
        if not 0 < value < float("inf"):
            raise ConfigError(self._where(key), "a number above zero", text)
        return value

    def check_options(self, known: Iterable[str]) -> None:
        """Refuse options this scheme does not have.

        Raises
        ------
        ConfigError
            Naming the known ones.
        """
        names = sorted(known)
        for key in self.options:
            if key not in names:
                expected = f"one of {', '.join(names)}" if names else "no options"
                raise ConfigError(f"device URL {self.text}", expected, key)

    def _where(self, key: str) -> str:
        return f"device URL {self.text}, option {key}"


def parse_url(text: str) -> DeviceUrl:
    """Take a device URL apart.

    A text that starts with ``/`` or ``.`` is a path to a serial port. The last question mark starts
    the options; only their values are percent-decoded, so that a file name needs no escaping. A name with a
    question mark in it takes one more after it, with options or none.

    Raises
    ------
    ConfigError
        If it is empty, has no scheme and is no path, or its options are not ``key=value``.
    """
    is_path = text.startswith(("/", "."))
    match = None if is_path else _SCHEME.fullmatch(text)
    if match is None and not is_path:
        expected = "a path such as /dev/serial/by-id/... or scheme:target"
        raise ConfigError("device URL", expected, text)
    scheme, rest = (match[1].lower(), match[2]) if match else ("serial", text)
    target, mark, query = rest.rpartition("?")
    if not mark:
        target, query = rest, ""
    return DeviceUrl(text, scheme, target, _parse_options(text, query))


def _parse_options(text: str, query: str) -> dict[str, tuple[str, ...]]:
    options: dict[str, tuple[str, ...]] = {}
    for pair in filter(None, query.split("&")):
        key, equals, value = pair.partition("=")
        if not key or not equals:
            expected = (
                "options as key=value&key=value (after a name with a ? in it comes another ?)"
            )
            raise ConfigError(f"device URL {text}", expected, query)
        options[key] = (*options.get(key, ()), unquote(value))
    return options
