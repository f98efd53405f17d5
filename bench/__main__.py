"""All comparisons in one table: ``python -m bench``."""

from __future__ import annotations

from bench import clock, features, memory, models, pace, replay, sizes, startup
from bench.rows import Options, Row, main

_PARTS = (sizes, memory, models, replay, pace, features, clock, startup)


def rows(options: Options) -> list[Row]:
    return [row for part in _PARTS for row in part.rows(options)]


if __name__ == "__main__":
    raise SystemExit(main(rows, "bench"))
