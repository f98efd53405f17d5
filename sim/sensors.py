"""From the body to integers: ranges, resolution and rounding of the board's sensors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from firmware_host.protocol.messages import Channel
from firmware_host.units import STANDARD_GRAVITY_MS2

if TYPE_CHECKING:
    from numpy.typing import NDArray

# LSM6DS3TR-C at +-8 g and +-1000 dps (datasheet table 3): 0.244 mg and 35 mdps per count.
_ACC_SCALE = 0.244e-3 * STANDARD_GRAVITY_MS2
_GYRO_SCALE = float(np.deg2rad(0.035))

CHANNELS = (
    Channel(0, "bvp", "au", 64.0, 0.01, 0.0, "i32", 1),
    Channel(1, "eda", "uS", 4.0, 1e-6, 0.0, "i32", 1),
    Channel(2, "temp", "degC", 4.0, 0.01, 0.0, "i16", 1),
    Channel(3, "acc", "m/s2", 50.0, _ACC_SCALE, 0.0, "i16", 3),
    Channel(4, "gyro", "rad/s", 50.0, _GYRO_SCALE, 0.0, "i16", 3),
)
_LIMITS = {"i8": (-(2**7), 2**7 - 1), "i16": (-(2**15), 2**15 - 1), "i32": (-(2**31), 2**31 - 1)}
# Readings outside these are what the front end reports when it is at its end.
_BVP_LIMIT_AU = 2000.0
_EDA_LIMIT_USIEMENS = 60.0
# The converters' steps, where they are coarser than the wire's scale.
_EDA_STEP_USIEMENS = 0.00128
_TEMP_STEP_DEGC = 0.02

NUMPY_DTYPES = {
    "i8": "<i1", "u8": "<u1", "i16": "<i2", "u16": "<u2", "i32": "<i4", "u32": "<u4", "f32": "<f4",
}  # fmt: skip


def to_raw(channel: Channel, values: NDArray[np.float64]) -> NDArray[np.int64]:
    """Raw counts (n, axes) for SI values (n, axes): stepped, rounded, saturated."""
    if channel.name == "eda":
        values = np.clip(values, 0.0, _EDA_LIMIT_USIEMENS)
        values = np.rint(values / _EDA_STEP_USIEMENS) * _EDA_STEP_USIEMENS
    elif channel.name == "temp":
        values = np.rint(values / _TEMP_STEP_DEGC) * _TEMP_STEP_DEGC
    elif channel.name == "bvp":
        values = np.clip(values, -_BVP_LIMIT_AU, _BVP_LIMIT_AU)
    low, high = _LIMITS[channel.dtype]
    counts = np.rint((values - channel.offset) / channel.scale)
    return np.asarray(np.clip(counts, low, high), dtype=np.int64)
