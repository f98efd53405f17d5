"""A bar that fills up, on a terminal only."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Self

_WIDTH = 30


class ProgressBar:
    """Shows the share that is done on standard error; where that is no terminal, nothing."""

    def __init__(self) -> None:
        self._is_shown = sys.stderr.isatty()
        self._percent = -1

    def __call__(self, share: float) -> None:
        """Show a share from 0 to 1."""
        percent = int(100 * min(max(share, 0.0), 1.0))
        if not self._is_shown or percent == self._percent:
            return
        self._percent = percent
        done = "#" * (percent * _WIDTH // 100)
        print(f"\r[{done:<{_WIDTH}}] {percent:3d} %", end="", file=sys.stderr, flush=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._percent >= 0:
            print(f"\r{'':{_WIDTH + 8}}\r", end="", file=sys.stderr, flush=True)
