"""Who is not used and why: an error, or a line on standard error; nobody vanishes silently."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import TypeVar

from firmware_host.errors import DataError

_IS_SKIPPING: ContextVar[bool] = ContextVar("is_skipping", default=False)
# A command lists a folder several times; it says a thing once.
_TOLD: ContextVar[set[str] | None] = ContextVar("told", default=None)
# Longer lists are a folder of something else.
_MAX_NAMES = 8

T = TypeVar("T")


@contextmanager
def skipping_bad(*, skip: bool = True) -> Iterator[None]:
    """Within it a bad person is named on standard error and left out, instead of ending all.

    With or without `skip`, a line is printed once within it.
    """
    token, told = _IS_SKIPPING.set(skip), _TOLD.set(set())
    try:
        yield
    finally:
        _IS_SKIPPING.reset(token)
        _TOLD.reset(told)


def attempt(person: str, make: Callable[[], T]) -> T | None:
    """What `make` gives; None only within `skipping_bad`, after a line with the person's name.

    Raises
    ------
    DataError
        As `make` raised it, outside of `skipping_bad`: nobody vanishes silently.
    """
    try:
        return make()
    except DataError as err:
        if not _IS_SKIPPING.get():
            raise
        _tell(f"left out {person}: {err}")
        return None


def note_left_alone(where: Path, names: Iterable[str], why: str) -> None:
    """Name on standard error what looks like a recording and is not used; nothing if none does."""
    listed = sorted(set(names))
    if listed:
        more = f" and {len(listed) - _MAX_NAMES} more" if len(listed) > _MAX_NAMES else ""
        _tell(f"note: {where}: left alone {', '.join(listed[:_MAX_NAMES])}{more}: {why}")


def _tell(line: str) -> None:
    told = _TOLD.get()
    if told is not None and line in told:
        return
    if told is not None:
        told.add(line)
    # What is no UTF-8 in a file's name cannot be printed as it is.
    shown = line.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    print(shown, file=sys.stderr)
