"""Times as people type and read them."""

from __future__ import annotations

import re
from datetime import datetime

from firmware_host.errors import ConfigError

# Deliveries make the last second or so of any stream uneven.
_SHOWN_S = 2.0


def utc_of(text: str, key: str) -> float:
    """UNIX seconds of an ISO time, of HH:MM today, or of a number; without zone, local time.

    Raises
    ------
    ConfigError
        If it is none of them; `key` names the option.
    """
    try:
        return float(text)
    except ValueError:
        pass
    try:
        if is_clock(text):
            text = f"{datetime.now().date().isoformat()}T{text.zfill(5)}"
        return datetime.fromisoformat(text).astimezone().timestamp()
    except (ValueError, OverflowError) as err:
        raise ConfigError(key, "ISO 8601, HH:MM or UNIX seconds", text) from err


def is_clock(text: str) -> bool:
    """Whether it is a time without a day."""
    return re.fullmatch(r"\d\d?:\d\d(:\d\d)?", text) is not None


def local_time(utc: float) -> str:
    """ISO 8601 to the second in the machine's time zone."""
    return datetime.fromtimestamp(utc).astimezone().isoformat(timespec="seconds")


def length_words(stream_s: float, clock_s: float) -> str:
    """For how long a board streamed, and over what time if it was away, off or paused in between."""
    streamed = f"{stream_s:.0f} s streamed"
    return f"{streamed} over {clock_s:.0f} s" if clock_s - stream_s >= _SHOWN_S else streamed
