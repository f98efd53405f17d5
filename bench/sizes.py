"""Bytes of the model bundle: ``python -m bench.sizes``."""

from __future__ import annotations

from bench.rows import Options, Row, main
from firmware_host.inference.bundle import load_bundle


def rows(_options: Options) -> list[Row]:
    folder = load_bundle().path
    sizes = {path.name: path.stat().st_size for path in sorted(folder.iterdir())}
    sizes["total"] = sum(sizes.values())
    return [
        Row(f"bundle {folder.name}: {name}", size, "bytes", is_speed=False)
        for name, size in sizes.items()
    ]


if __name__ == "__main__":
    raise SystemExit(main(rows, "bench.sizes"))
