"""Reads one table of a scenario file; whatever is wrong with it is said in one line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from firmware_host.errors import ConfigError


class Table:
    """A table whose keys are known.

    Parameters
    ----------
    row
        What TOML gave.
    keys
        Every key it may have.
    where
        What to call it in an error, such as ``bout 3``.

    Raises
    ------
    ConfigError
        From here if it is no table or has a key of another name; from the readers below if a value
        is missing, of another kind or out of range.
    """

    def __init__(self, row: object, keys: Sequence[str], *, where: str) -> None:
        if not isinstance(row, Mapping):
            raise ConfigError(where, "a table", row)
        unknown = sorted(set(row) - set(keys))
        if unknown:
            raise ConfigError(where, f"only the keys {', '.join(keys)}", ", ".join(unknown))
        self._row: Mapping[str, Any] = row
        self._where = where

    def __contains__(self, key: str) -> bool:
        """Whether a value is given."""
        return key in self._row

    def number(
        self,
        key: str,
        default: float | None = None,
        *,
        low: float = -1e9,
        high: float = 1e9,
    ) -> float:
        """Finite number from ``low`` to ``high``; without a default it must be given."""
        value = self._row.get(key, default)
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not is_number or not low <= value <= high:
            self.refuse(key, f"a number from {low:g} to {high:g}", value)
        return float(value)

    def whole(self, key: str, default: int, *, low: int, high: int) -> int:
        """Whole number from ``low`` to ``high``."""
        value = self._row.get(key, default)
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            self.refuse(key, f"a whole number from {low} to {high}", value)
        return int(value)

    def flag(self, key: str, default: bool | None) -> bool | None:
        """Whether; ``default`` if it is not said."""
        value = self._row.get(key, default)
        if value is not default and not isinstance(value, bool):
            self.refuse(key, "true or false", value)
        return None if value is None else bool(value)

    def choice(self, key: str, allowed: Sequence[str], default: str | None = None) -> str:
        """One of the words in ``allowed``; without a default it must be given."""
        value = self._row.get(key, default)
        if value not in allowed:
            self.refuse(key, f"one of {', '.join(allowed)}", value)
        return str(value)

    def rows(self, key: str) -> list[object]:
        """List of tables; empty if there are none."""
        value = self._row.get(key, [])
        if not isinstance(value, list):
            self.refuse(key, "a list of tables", value)
        return list(value)

    def get(self, key: str, default: object = None) -> Any:
        """Whatever is there."""
        return self._row.get(key, default)

    def refuse(self, key: str, expected: str, received: object) -> NoReturn:
        """Complain about one value.

        Raises
        ------
        ConfigError
            Always.
        """
        raise ConfigError(f"{self._where}.{key}" if self._where else key, expected, received)
