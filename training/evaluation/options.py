"""Argparse types of the commands of training: a wrong value is one line and exit code 2."""

from __future__ import annotations

import argparse
from collections.abc import Callable

# What every generator in use takes, TensorFlow's among them.
_SEED_MAX = 2**31 - 1


def seed(text: str) -> int:
    """A seed of random numbers: a whole number from 0 on.

    Raises
    ------
    argparse.ArgumentTypeError
        If it is none.
    """
    return _whole(text, 0, _SEED_MAX)


def at_least(lowest: int) -> Callable[[str], int]:
    """A type for counts of `lowest` or more."""

    def count(text: str) -> int:
        return _whole(text, lowest)

    return count


def _whole(text: str, lowest: int, highest: int | None = None) -> int:
    expected = f"expected a whole number from {lowest} "
    expected += "on" if highest is None else f"to {highest}"
    try:
        value = int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{expected}, got {text!r}") from None
    if value < lowest or (highest is not None and value > highest):
        raise argparse.ArgumentTypeError(f"{expected}, got {text}")
    return value
