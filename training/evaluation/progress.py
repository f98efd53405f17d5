"""Progress of long work, on standard error and only where somebody watches."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import TypeVar

Item = TypeVar("Item")


def progress(items: Sequence[Item], what: str, *, unit: str = "person") -> Iterable[Item]:
    """The items, with a bar on a terminal; in a pipe or a log nothing is printed."""
    if not sys.stderr.isatty():
        return items
    try:
        from tqdm import tqdm
    except ImportError:
        return items
    bar: Iterable[Item] = tqdm(items, desc=what, unit=unit, file=sys.stderr)
    return bar


def warn(words: str) -> None:
    """One line on standard error that the reader of the figures must not miss."""
    print(f"note: {words}", file=sys.stderr)
