"""The time of an event, as a line shows it."""

from __future__ import annotations

import pytest

from firmware_host.cli.streaming import clock


@pytest.mark.parametrize(
    ("t_s", "shown"),
    [
        (0.0, "00:00:00"),
        (3_723.9, "01:02:03"),
        (360_000.0, "100:00:00"),
        # A board that ran before we listened tells when something began.
        (-0.4, "00:00:00"),
        (-19.2, "-00:00:19"),
    ],
)
def test_hours_minutes_seconds(t_s: float, shown: str) -> None:
    assert clock(t_s) == shown
