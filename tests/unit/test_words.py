"""How many of something, in words."""

from __future__ import annotations

import pytest

from firmware_host.words import counted


@pytest.mark.parametrize(
    ("n", "what", "plural", "words"),
    [
        (0, "label", "", "0 labels"),
        (1, "label", "", "1 label"),
        (2, "damaged record", "", "2 damaged records"),
        (1, "entry", "entries", "1 entry"),
        (2, "entry", "entries", "2 entries"),
    ],
)
def test_one_is_singular_and_all_else_plural(n: int, what: str, plural: str, words: str) -> None:
    assert counted(n, what, plural) == words
