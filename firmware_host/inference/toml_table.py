"""Strict reading of one TOML table: every key is asked for by kind, and none may be left over."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from firmware_host.errors import BoardFileError, BundleError, shown


class TomlTable:
    """A table of a bundle's contract; a wrong kind or an unread key is an ``error``.

    Parameters
    ----------
    path
        The file, for the error line.
    where
        Dotted name of the table inside the file, empty for the top.
    values
        What `tomllib` gave.
    """

    error: type[BundleError] | type[BoardFileError] = BundleError

    def __init__(self, path: Path, where: str, values: dict[str, Any]) -> None:
        self._path = path
        self._where = where
        self._values = values
        self._read: set[str] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        unknown = sorted(set(self._values) - self._read)
        if kind is None and unknown:
            raise self.error(
                self._path,
                f"in [{self._where or 'top'}] only {', '.join(sorted(self._read))}",
                f"unknown {', '.join(unknown)}",
            )

    def names(self) -> list[str]:
        """Names in the table, in the file's order."""
        return list(self._values)

    def text(self, key: str) -> str:
        """Read a string."""
        return str(self._take(key, "a string", lambda v: isinstance(v, str)))

    def text_or(self, key: str, default: str) -> str:
        """Read a string that older bundles do not have."""
        return self.text(key) if key in self._values else default

    def whole(self, key: str) -> int:
        """Read an integer."""
        return int(self._take(key, "an integer", _is_whole))

    def number(self, key: str) -> float:
        """Read a number."""
        return float(self._take(key, "a number", _is_number))

    def flag(self, key: str) -> bool:
        """Read true or false."""
        return bool(self._take(key, "true or false", lambda v: isinstance(v, bool)))

    def texts(self, key: str) -> tuple[str, ...]:
        """Read a list of strings."""
        return tuple(self._take(key, "a list of strings", _all(lambda v: isinstance(v, str))))

    def numbers(self, key: str) -> tuple[float, ...]:
        """Read a list of numbers."""
        return tuple(float(v) for v in self._take(key, "a list of numbers", _all(_is_number)))

    def shape(self, key: str) -> tuple[int, ...]:
        """Read a list of sizes."""
        sizes = _all(lambda v: type(v) is int and v > 0)
        return tuple(self._take(key, "a list of positive integers", sizes))

    def table(self, key: str) -> Self:
        """Read a table inside this one."""
        values = self._take(key, "a table", lambda v: isinstance(v, dict))
        return type(self)(self._path, f"{self._where}.{key}".lstrip("."), values)

    def all_numbers(self) -> dict[str, float]:
        """Read every key as a number."""
        return {key: self.number(key) for key in self.names()}

    def all_texts(self) -> dict[str, str]:
        """Read every key as a string."""
        return {key: self.text(key) for key in self.names()}

    def all_shapes(self) -> dict[str, tuple[int, ...]]:
        """Read every key as a list of sizes."""
        return {key: self.shape(key) for key in self.names()}

    def _take(self, key: str, expected: str, accept: Callable[[Any], bool]) -> Any:
        self._read.add(key)
        name = f"{self._where}.{key}".lstrip(".")
        if key not in self._values:
            raise self.error(self._path, f"{name} as {expected}", "nothing")
        value = self._values[key]
        if not accept(value):
            raise self.error(self._path, f"{name} as {expected}", shown(value))
        return value


def _is_number(value: object) -> bool:
    return isinstance(value, float) or _is_whole(value)


def _is_whole(value: object) -> bool:
    # TOML's integers have 64 bits; the library reads longer ones too.
    return type(value) is int and abs(value) < 1 << 63


def _all(accept: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, list) and all(accept(v) for v in value)
