"""A board's ``machine`` for parts under CPython: pins that remember, converters that may fail."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

LAST_PIN = 30


class FakeMachine(SimpleNamespace):
    """``level`` of each pin, by its number, ``counts`` of each converter: a number, or an error."""

    PWRON_RESET, WDT_RESET = 1, 3

    def __init__(self) -> None:
        super().__init__()
        self.level: dict[Any, int] = {}
        self.counts: dict[int, int | Exception] = {}
        self.cause = self.PWRON_RESET
        machine = self

        class Pin:
            IN, OUT, PULL_UP = 0, 1, 2

            def __init__(self, number: Any, *_: int) -> None:
                if isinstance(number, int) and number > LAST_PIN:
                    raise ValueError("invalid pin")
                self.number = number
                machine.level.setdefault(number, 1)

            def value(self, value: int | None = None) -> int | None:
                if value is None:
                    return machine.level[self.number]
                machine.level[self.number] = value
                return None

        class ADC:
            def __init__(self, pin: Any) -> None:
                self.number = getattr(pin, "number", pin)

            def read_u16(self) -> int:
                count = machine.counts[self.number]
                if isinstance(count, Exception):
                    raise count
                return count

        class OldADC:
            """As ports have it whose converter is read in another way."""

            def __init__(self, pin: Any) -> None:
                pass

        self.Pin, self.ADC, self.OldADC = Pin, ADC, OldADC
        self.I2C = lambda *_, **__: None

    def reset_cause(self) -> int:
        """Why it booted."""
        return self.cause
