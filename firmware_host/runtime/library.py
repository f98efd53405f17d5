"""Opening, recording and converting for other programs, as the commands do it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from os import PathLike, fspath
from pathlib import Path
from typing import Any

from firmware_host.config import BOARD_OF_RATES, Recording, recording_name
from firmware_host.config import Device as DeviceSettings
from firmware_host.errors import ConfigError
from firmware_host.runtime.convert import convert
from firmware_host.runtime.device import Device, device_url
from firmware_host.runtime.recorder import record
from firmware_host.runtime.silence import SilenceLimits


def open_checked(
    device: str | PathLike[str],
    *,
    rates: Mapping[str, float] | None,
    silence_s: float,
    max_silence_s: float,
) -> Device:
    """Open a device; see `firmware_host.open`."""
    silence = _number("silence_s", silence_s, "a number of seconds above 0", above=0.0)
    expected = "a number of seconds, or 0 for as long as it takes"
    end = _number("max_silence_s", max_silence_s, expected, above=-math.ulp(0.0))
    if not isinstance(rates, Mapping | None):
        raise ConfigError("rates", "a mapping such as {'acc': 100}", rates)
    # What is no rate is refused there in the words of the settings.
    wanted = DeviceSettings(rates=dict(rates or {})).rates
    if wanted and device_url(_device(device)).startswith("replay:"):
        raise ConfigError("rates", BOARD_OF_RATES, fspath(device))
    return Device(_device(device), rates=wanted, silence_s=silence, max_silence_s=end)


def record_file(
    device: str | PathLike[str],
    target: str | PathLike[str],
    *,
    seconds: float | None,
    stop: Callable[[], bool],
) -> dict[str, Any]:
    """Record a device into one new file; see `firmware_host.record`."""
    ends_s = math.inf
    if seconds is not None:
        expected = "a number of seconds above 0, or None"
        ends_s = time.monotonic() + _number("seconds", seconds, expected, above=0.0)
    file = recording_name("target", _path("target", target))
    return record(
        device_url(_device(device)),
        lambda _: file,
        stop=lambda: stop() or time.monotonic() >= ends_s,
        silence=SilenceLimits(),
        limits=Recording(),
    )


def convert_file(source: str | PathLike[str], target: str | PathLike[str]) -> dict[str, Any]:
    """Write a recording in another format; see `firmware_host.convert`."""
    source, target = _path("source", source), _path("target", target)
    return convert(Path(source), Path(target), report=lambda _: None)


def _device(device: str | PathLike[str]) -> str | PathLike[str]:
    _path("device", device)
    return device


def _path(key: str, said: str | PathLike[str]) -> str:
    """The text of a path or URL that is not empty."""
    text = fspath(said) if isinstance(said, str | PathLike) else said
    if not isinstance(text, str) or not text:
        raise ConfigError(key, "a text or a path, not empty", said)
    return text


def _number(key: str, value: float, expected: str, *, above: float) -> float:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not above < value < math.inf:
        raise ConfigError(key, expected, value)
    return float(value)
