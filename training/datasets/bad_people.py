"""A person whose files cannot be used: an error, or, when asked for, a printed line."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

from firmware_host.errors import DataError

_IS_SKIPPING: ContextVar[bool] = ContextVar("is_skipping", default=False)

T = TypeVar("T")


@contextmanager
def skipping_bad(*, skip: bool = True) -> Iterator[None]:
    """Within it a bad person is named on standard error and left out, instead of ending all."""
    token = _IS_SKIPPING.set(skip)
    try:
        yield
    finally:
        _IS_SKIPPING.reset(token)


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
        print(f"left out {person}: {err}", file=sys.stderr)
        return None
