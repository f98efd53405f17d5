"""Charge of the board's battery, and when it is worth a word."""

from __future__ import annotations

# A wristband lasts hours at the first, minutes at the last.
LOW_PERCENT = (20, 10, 5)


class Battery:
    """Follows what the board says of its battery; ``percent`` is None before it says anything."""

    def __init__(self) -> None:
        self.percent: int | None = None

    def take(self, percent: int) -> bool:
        """Take one report; returns whether the charge has just fallen to one of `LOW_PERCENT`."""
        before = 100 if self.percent is None else self.percent
        self.percent = percent
        return any(percent <= limit < before for limit in LOW_PERCENT)


def is_low(percent: int) -> bool:
    """Whether the wearer should charge soon."""
    return percent <= LOW_PERCENT[0]
