"""A bar that fills up, on a terminal only."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Self

_WIDTH = 30
# Room for a few words, so that longer ones before leave nothing behind.
_WORDS = 24


class ProgressBar:
    """Shows the share that is done on standard error; where that is no terminal, nothing."""

    def __init__(self) -> None:
        self._is_shown = sys.stderr.isatty()
        self._line = ""

    def __call__(self, share: float, words: str = "") -> None:
        """Show a share from 0 to 1, and what is going on."""
        percent = int(100 * min(max(share, 0.0), 1.0))
        done = "#" * (percent * _WIDTH // 100)
        line = f"[{done:<{_WIDTH}}] {percent:3d} %  {words:<{_WORDS}}"
        if self._is_shown and line != self._line:
            self._line = line
            print(f"\r{line}", end="", file=sys.stderr, flush=True)

    def clear(self) -> None:
        """Take the bar off the screen, to print something else."""
        if self._line:
            print(f"\r{'':{len(self._line)}}\r", end="", file=sys.stderr, flush=True)
            self._line = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.clear()
