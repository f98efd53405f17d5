"""Wording that every room needs: how many of something."""

from __future__ import annotations


def counted(n: int, what: str, plural: str = "") -> str:
    """``1 label``, ``2 labels``; ``plural`` where it is not the word with an s."""
    return f"{n} {what if n == 1 else plural or what + 's'}"
