"""From the body to integers: ranges, resolution and rounding of the board's sensors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from firmware_host.protocol.messages import Channel
from firmware_host.units import STANDARD_GRAVITY_MS2
from sim.devices import eda, lsm6ds3, max30102, tmp117

if TYPE_CHECKING:
    from numpy.typing import NDArray

# The chips' own steps, as the drivers of the board announce them.
CHANNELS = (
    Channel(0, "bvp", "au", 64.0, max30102.AU_PER_COUNT, max30102.MIDDLE_AU, "i32", 1),
    Channel(1, "eda", "uS", 4.0, eda.USIEMENS_PER_COUNT, 0.0, "u16", 1),
    Channel(2, "temp", "degC", 4.0, tmp117.DEGC_PER_COUNT, 0.0, "i16", 1),
    Channel(3, "acc", "m/s2", 50.0, lsm6ds3.G_PER_COUNT * STANDARD_GRAVITY_MS2, 0.0, "i16", 3),
    Channel(4, "gyro", "rad/s", 50.0, lsm6ds3.RAD_S_PER_COUNT, 0.0, "i16", 3),
)
_LIMITS = {
    f"{sign}{bits}": (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if sign == "i" else (0, 2**bits - 1)
    for sign in "iu"
    for bits in (8, 16, 32)
}
# 18 bits in a wider type.
_OWN_LIMITS = {"bvp": (0, max30102.MAX_COUNT)}

NUMPY_DTYPES = {
    "i8": "<i1", "u8": "<u1", "i16": "<i2", "u16": "<u2", "i32": "<i4", "u32": "<u4", "f32": "<f4",
}  # fmt: skip


def to_raw(channel: Channel, values: NDArray[np.float64]) -> NDArray[np.int64]:
    """Raw counts (n, axes) for SI values (n, axes): rounded, and saturated where the chip is at its end."""
    low, high = _LIMITS[channel.dtype]
    if channel in CHANNELS:
        low, high = _OWN_LIMITS.get(channel.name, (low, high))
    counts = np.rint((values - channel.offset) / channel.scale)
    return np.asarray(np.clip(counts, low, high), dtype=np.int64)
