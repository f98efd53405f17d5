"""How far to trust each channel of a window, and whether the device is worn at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    FloatArray = NDArray[np.float64]

# Dry electrodes on skin read above this, open ones below (E4 off the wrist: 0.000 µS).
MIN_CONTACT_USIEMENS = 0.01
# A minute of conductance on living skin moves by more than this; a stuck converter does not.
MIN_EDA_RANGE_USIEMENS = 1e-5
# Skin under a wrist band, with margin for a cold room and for fever.
SKIN_TEMP_RANGE_DEGC = (15.0, 45.0)
# A working accelerometer reads gravity, about 9.8 m/s²; a dead one reads zeros.
MIN_GRAVITY_MS2 = 2.0
# Noise in the pulse band yields accepted intervals too, white or red noise 0.34-0.48 of a minute:
# above this there is a pulse.
PULSE_QUALITY = 0.6


def eda_quality(level: FloatArray) -> float:
    """Share of the window with samples and skin contact, 0..1; 0 for a flat line.

    Parameters
    ----------
    level
        (n,) low-passed EDA in µS, NaN where missing.
    """
    if not len(level):
        return 0.0
    good = level[np.isfinite(level)]
    if not len(good) or float(good.max() - good.min()) < MIN_EDA_RANGE_USIEMENS:
        return 0.0
    return float(np.count_nonzero(good >= MIN_CONTACT_USIEMENS)) / len(level)


def temp_quality(values: FloatArray) -> float:
    """Share of the window with a temperature that skin can have, 0..1; NaN counts as missing."""
    if not len(values):
        return 0.0
    low, high = SKIN_TEMP_RANGE_DEGC
    return float(np.count_nonzero((values >= low) & (values <= high))) / len(values)


def acc_quality(seconds: FloatArray) -> float:
    """Share of complete seconds that show gravity, 0..1.

    Parameters
    ----------
    seconds
        (n, 4) posture x, y, z and movement in m/s², NaN where a second is incomplete.
    """
    gravity_squared = (seconds[:, :3] ** 2).sum(axis=1)
    return float(np.count_nonzero(gravity_squared >= MIN_GRAVITY_MS2**2)) / len(seconds)


def is_worn(*, bvp: float, eda: float) -> bool:
    """Skin contact or a pulse; arguments are the two channels' qualities."""
    half = 0.5
    return eda >= half or bvp >= PULSE_QUALITY
