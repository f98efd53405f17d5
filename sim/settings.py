"""What a virtual board keeps from boot to boot (SPEC.md, Settings and safe mode)."""

from __future__ import annotations

import math
from collections.abc import Iterable

from firmware_host.protocol.messages import MAX_STRING_BYTES, AckResult, SettingOrder

_RATE = "rate."
_MOST = {"ring": 8192, "wear": 2**18 - 1}
_MIN_HZ, _MAX_HZ = 0.1, 200.0


class Settings:
    """Texts by key, in force from the next boot on; ``channels`` are the names that a rate may be kept for."""

    def __init__(self, channels: Iterable[str]) -> None:
        self._keys = ("id", "ring", "wear", *(_RATE + name for name in channels))
        self._texts: dict[str, str] = {}

    def obey(self, order: int, key: str, text: str) -> AckResult:
        """Do what CMD setting says."""
        if order not in set(SettingOrder) or key not in self._keys:
            return AckResult.BAD_VALUE
        if order == SettingOrder.KEEP:
            if not _is_usable(key, text):
                return AckResult.BAD_VALUE
            self._texts[key] = text
        elif order == SettingOrder.FORGET:
            self._texts.pop(key, None)
        return AckResult.DONE

    def text(self, key: str) -> str:
        """What is kept, empty if nothing is."""
        return self._texts.get(key, "")

    @property
    def ring_bytes(self) -> int | None:
        """Bytes of the ring; None if nothing is kept of it."""
        return int(float(self._texts["ring"])) * 1024 if "ring" in self._texts else None

    @property
    def tells_wear(self) -> bool:
        """Whether contact is to be told."""
        return float(self._texts.get("wear", 1)) > 0

    def rate_mhz(self, channel: str) -> int | None:
        """Rate of a channel; None if nothing is kept of it."""
        text = self._texts.get(_RATE + channel)
        return None if text is None else round(float(text) * 1000)


def _is_usable(key: str, text: str) -> bool:
    if key == "id":
        return 0 < len(text) <= MAX_STRING_BYTES and text.isascii() and text.isprintable()
    try:
        value = float(text)
    except ValueError:
        return False
    if key in _MOST:
        return 0 <= value <= _MOST[key] and value == math.floor(value)
    return _MIN_HZ <= value <= _MAX_HZ
