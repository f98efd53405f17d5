"""Recording and converting for other programs, as the commands do it."""

from __future__ import annotations

import time
from collections.abc import Callable
from os import PathLike
from pathlib import Path
from typing import Any

from firmware_host.config import Recording
from firmware_host.runtime.convert import convert
from firmware_host.runtime.device import device_url
from firmware_host.runtime.recorder import record
from firmware_host.runtime.silence import SilenceLimits


def record_file(
    device: str | PathLike[str],
    target: str | PathLike[str],
    *,
    seconds: float | None,
    stop: Callable[[], bool],
) -> dict[str, Any]:
    """Record a device into one new file; see `firmware_host.record`."""
    ends_s = float("inf") if seconds is None else time.monotonic() + seconds
    return record(
        device_url(device),
        lambda _: Path(target),
        stop=lambda: stop() or time.monotonic() >= ends_s,
        silence=SilenceLimits(),
        limits=Recording(),
    )


def convert_file(source: str | PathLike[str], target: str | PathLike[str]) -> dict[str, Any]:
    """Write a recording in another format; see `firmware_host.convert`."""
    return convert(Path(source), Path(target), report=lambda _: None)
