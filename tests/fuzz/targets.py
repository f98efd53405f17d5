"""What is fuzzed: one function a reader of foreign bytes, with seeds and words to begin from.

A target takes any bytes and says whether they were of use. What it lets out is a finding: every refusal of ours is a
`SignetError` in one line, and nothing a file says may make us ask for memory without measure.
"""

from __future__ import annotations

import logging
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from firmware_host.errors import SignetError

CORPUS = Path(__file__).with_name("corpus")
"""A folder a target: seeds that our own writers made, and inputs that once got through."""

# The readers log what they leave out; a fuzzer's terminal is not the place.
logging.getLogger().addHandler(logging.NullHandler())


@dataclass(frozen=True, slots=True)
class Target:
    """One reader.

    ``seeds`` writes what the corpus begins from, by name. ``words`` are what its grammar is made of. ``runs`` is what
    the test suite gives it: about a second's worth.
    """

    name: str
    run: Callable[[bytes], bool]
    seeds: Callable[[], dict[str, bytes]]
    words: tuple[bytes, ...] = ()
    max_bytes: int = 4096
    runs: int = 1000


@contextmanager
def nothing_but_ours() -> Iterator[None]:
    """Let a refusal pass if it is one line of ours and not the end of the memory; warnings count as escapes."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            yield
    except SignetError as err:
        text = str(err)
        assert text, "a refusal without a word"
        assert text.isprintable(), f"a refusal that is not one printable line: {text!r}"
        cause: BaseException | None = err
        while cause is not None:
            assert not isinstance(cause, MemoryError), "asked for more memory than there may be"
            cause = cause.__cause__ or cause.__context__


@cache
def _scratch() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="signet-fuzz-")


def scratch(name: str) -> Path:
    """A path of this process's own; what lies there is written over by each run."""
    return Path(_scratch().name) / name


@cache
def targets() -> dict[str, Target]:
    """Every target by name."""
    from tests.fuzz import files, texts, wire

    return {t.name: t for t in (*wire.TARGETS, *files.TARGETS, *texts.TARGETS)}


def corpus_of(target: Target) -> list[Path]:
    """Committed inputs of a target."""
    return sorted(path for path in (CORPUS / target.name).glob("*") if path.is_file())
