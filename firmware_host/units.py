"""Every conversion between units, once: seconds and samples, sensor counts and SI."""

from __future__ import annotations

STANDARD_GRAVITY_MS2 = 9.80665
"""Conventional value of g: 3rd CGPM (1901), also ISO 80000-3."""

MICROSECONDS_PER_SECOND = 1_000_000
TICKS_WRAP_US = 1 << 32
"""The board's microsecond counter has 32 bits: it wraps every 71.6 minutes."""

E4_ACC_MS2_PER_COUNT = STANDARD_GRAVITY_MS2 / 64.0
"""Empatica E4 accelerometer: 64 counts per g (ACC.csv in the vendor's archive, info.txt)."""


def g_to_ms2(value_g: float) -> float:
    """Acceleration in m/s² from multiples of standard gravity."""
    return value_g * STANDARD_GRAVITY_MS2


def ticks_delta_us(newer_us: int, older_us: int) -> int:
    """Signed difference of two 32-bit tick counts, right across one wrap."""
    delta = (newer_us - older_us) & (TICKS_WRAP_US - 1)
    return delta - TICKS_WRAP_US if delta >= TICKS_WRAP_US // 2 else delta
