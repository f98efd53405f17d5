"""Places in a recording and lengths of time, as people type them."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from firmware_host.errors import ConfigError

_LENGTH = re.compile(r"(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s?)?")
_CLOCK = re.compile(r"\d\d?:\d\d(:\d\d)?")
_PERCENT = re.compile(r"(\d+(?:\.\d+)?)%")
_LENGTHS = "a length such as 90, 90s, 10m or 1h30m"


def parse_length_s(text: str, key: str) -> float:
    """Seconds of ``90``, ``90s``, ``10m``, ``1h30m``.

    Raises
    ------
    ConfigError
        If it is no length; ``key`` names the option.
    """
    length_s = _length_s(text)
    if length_s is None:
        raise ConfigError(key, _LENGTHS, text)
    return length_s


def position_utc(text: str, key: str, *, start_utc: float, duration_s: float) -> float:
    """UNIX seconds of a place in a recording that begins at ``start_utc``.

    A length counts from its start, ``25%`` is a share of it, ``14:05`` the first time of day like that from its
    start on, in this machine's time zone; a whole date and time is ISO 8601, without a zone in the machine's.

    Raises
    ------
    ConfigError
        If it is none of these, or not inside the recording; ``key`` names the option.
    """
    utc = _position_utc(text, start_utc, duration_s)
    if utc is None:
        expected = f"{_LENGTHS} from the start, a share (25%), a time of day or an ISO 8601 time"
        raise ConfigError(key, expected, text)
    if not start_utc <= utc <= start_utc + duration_s:
        span = f"{_local(start_utc)} to {_local(start_utc + duration_s)}, {duration_s:.0f} s"
        raise ConfigError(key, f"a place in the recording ({span})", text)
    return utc


def _position_utc(text: str, start_utc: float, duration_s: float) -> float | None:
    if share := _PERCENT.fullmatch(text):
        return start_utc + float(share[1]) / 100 * duration_s
    if (length_s := _length_s(text)) is not None:
        return start_utc + length_s
    begun = datetime.fromtimestamp(start_utc)
    try:
        if not _CLOCK.fullmatch(text):
            return datetime.fromisoformat(text).timestamp()
        padded = text if text[2] == ":" else f"0{text}"
        at = datetime.fromisoformat(f"{begun.date().isoformat()}T{padded}")
    except (ValueError, OverflowError):
        return None
    # A recording may begin in the evening and go on after midnight.
    return (at if at >= begun else at + timedelta(days=1)).timestamp()


def _length_s(text: str) -> float | None:
    found = _LENGTH.fullmatch(text)
    if not text or found is None:
        return None
    hours, minutes, seconds = (float(part or 0) for part in found.groups())
    return 3600 * hours + 60 * minutes + seconds


def _local(utc: float) -> str:
    return datetime.fromtimestamp(utc).isoformat(sep=" ", timespec="seconds")
