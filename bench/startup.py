"""Time until ``signet --help`` has answered: ``python -m bench.startup``."""

from __future__ import annotations

from bench.rows import Options, Row, import_cost, main, run_module


def rows(options: Options) -> list[Row]:
    ours_s = min(run_module("firmware_host", "--help").cpu_s for _ in range(options.repeats))
    numpy_s = min(import_cost("numpy").cpu_s for _ in range(options.repeats))
    return [Row("signet --help", ours_s * 1e3, "ms", "python -c 'import numpy'", ours_s / numpy_s)]


if __name__ == "__main__":
    raise SystemExit(main(rows, "bench.startup"))
