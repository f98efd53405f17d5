"""Entries of a board's description, each checked for what it may be."""

from __future__ import annotations

import re
from typing import Any

from firmware_host.errors import BoardFileError, shown
from firmware_host.flash.values import Pin
from firmware_host.inference.toml_table import TomlTable

SENSES = ("acc", "gyro", "bvp", "temp", "eda")
_USB_ID = re.compile(r"[0-9a-f]{4}:[0-9a-f]{4}")
_PIN_NAME = re.compile(r"[A-Za-z0-9_.]{1,16}")


class BoardTable(TomlTable):
    """A table of a board's description; a wrong entry is an error that names it, in one line."""

    error = BoardFileError

    def has(self, key: str) -> bool:
        """Whether there is such an entry, which may be left out."""
        # So that an error names it among what may stand here.
        self._read.add(key)
        return key in self._values

    def checked(self, key: str, value: Any, expected: str, *, ok: bool) -> Any:
        """The value, if it is ``ok``."""
        if not ok:
            raise self.error(self._path, f"{self._name(key)} as {expected}", shown(value))
        return value

    def one_of(self, key: str, choices: tuple[str, ...]) -> str:
        """One of some words."""
        value = self.text(key)
        return str(self.checked(key, value, f"one of {', '.join(choices)}", ok=value in choices))

    def words(self, key: str, most: int) -> str:
        """A text that a person reads."""
        text = self.text(key)
        expected = f"1 to {most} characters that can be printed"
        ok = 0 < len(text) <= most and text.isprintable()
        return str(self.checked(key, text, expected, ok=ok))

    def usb_ids(self, key: str) -> tuple[str, ...]:
        """Pairs of vendor and product."""
        ids = self.texts(key)
        ok = all(_USB_ID.fullmatch(each) for each in ids)
        return tuple(self.checked(key, list(ids), 'a list such as ["303a:4001"]', ok=ok))

    def senses(self, key: str) -> tuple[str, ...]:
        """Names of channels."""
        names = self.texts(key)
        expected = f"a list of {', '.join(SENSES)}, each once"
        ok = set(names) <= set(SENSES) and len(set(names)) == len(names)
        return tuple(self.checked(key, list(names), expected, ok=ok))

    def pin(self, key: str) -> Pin:
        """A pin as MicroPython calls it."""
        value = self._take(key, "a pin's number from 0 or its name", _is_pin)
        return value if isinstance(value, str) else int(value)

    def within(self, key: str, lowest: float, highest: float) -> float:
        """A number, its bounds included."""
        value = self.number(key)
        expected = f"a number from {lowest:g} to {highest:g}"
        return float(self.checked(key, value, expected, ok=lowest <= value <= highest))

    def whole_within(self, key: str, lowest: int, highest: int, step: int = 1) -> int:
        """A whole number, its bounds included."""
        value = self.whole(key)
        steps = f"a multiple of {step}" if step > 1 else "a whole number"
        ok = lowest <= value <= highest and value % step == 0
        return int(self.checked(key, value, f"{steps} from {lowest} to {highest}", ok=ok))

    def tables(self, key: str) -> list[BoardTable]:
        """Tables of an array of tables; none if the key is not there."""
        if not self.has(key):
            return []
        values = self._take(key, "a list of tables", _is_tables)
        return [BoardTable(self._path, f"{key}[{i}]", each) for i, each in enumerate(values)]

    def _name(self, key: str) -> str:
        return f"{self._where}.{key}".lstrip(".")


def _is_pin(value: object) -> bool:
    return (type(value) is int and 0 <= value < 256) or (
        isinstance(value, str) and _PIN_NAME.fullmatch(value) is not None
    )


def _is_tables(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(each, dict) for each in value)
