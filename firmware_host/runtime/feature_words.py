"""The stress features for people: a name, a unit, and the value in it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from firmware_host.signals.eda import FLOOR_USIEMENS
from firmware_host.signals.imu import FLOOR_MS2

# What the extractors add before they take a logarithm: s, µS and au.
_IBI_FLOOR_S = 1e-3
_EDA_FLOOR_USIEMENS = 0.003
_SCR_FLOOR_USIEMENS = 0.03


@dataclass(frozen=True, slots=True)
class FeatureWords:
    """One feature: what to call it, its unit, and how to get there.

    ``floor`` is what the extractor added before its logarithm, None for a feature that has none; ``factor`` comes
    last, as in seconds to ms.
    """

    name: str
    unit: str
    factor: float = 1.0
    floor: float | None = None

    def value(self, feature: float) -> float:
        """The feature in ``unit``; NaN stays NaN."""
        if self.floor is None:
            return self.factor * feature
        return self.factor * max(0.0, math.exp(feature) - self.floor)


FEATURE_WORDS = {
    "hr_median_bpm": FeatureWords("Heart rate, median", "bpm"),
    "hr_p10_bpm": FeatureWords("Heart rate, low (10th %ile)", "bpm"),
    "hr_p90_bpm": FeatureWords("Heart rate, high (90th %ile)", "bpm"),
    "log_sdnn": FeatureWords("Beat intervals, SDNN", "ms", 1000.0, _IBI_FLOOR_S),
    "log_rmssd": FeatureWords("Beat intervals, RMSSD", "ms", 1000.0, _IBI_FLOOR_S),
    "pnn50": FeatureWords("Beat intervals, pNN50", "%", 100.0),
    "log_pulse_amplitude": FeatureWords("Pulse height", "au", 1.0, 1e-3),
    "pulse_amplitude_variation": FeatureWords("Pulse height, variation", "%", 100.0),
    "pulse_modulation_hz": FeatureWords("Pulse height, rhythm", "/min", 60.0),
    "log_pulse_modulation_ratio": FeatureWords("Pulse height, slow to fast", "", 1.0, 0.0),
    "bvp_quality": FeatureWords("Pulse readable", "% of time", 100.0),
    "log_eda_level": FeatureWords("Skin conductance", "µS", 1.0, FLOOR_USIEMENS),
    "eda_relative_slope": FeatureWords("Conductance trend", "%/min", 100.0),
    "log_eda_sd": FeatureWords("Conductance, SD", "µS", 1.0, _EDA_FLOOR_USIEMENS),
    "log_phasic_sd": FeatureWords("Fast conductance, SD", "µS", 1.0, _EDA_FLOOR_USIEMENS),
    "log_phasic_sd_relative": FeatureWords(
        "Fast conductance, relative", "%", 100.0, _EDA_FLOOR_USIEMENS
    ),
    "scr_count": FeatureWords("Skin responses", "/min"),
    "scr_count_relative": FeatureWords("Skin responses over 1 %", "/min"),
    "log_scr_sum": FeatureWords("Skin responses, sum", "µS", 1.0, _SCR_FLOOR_USIEMENS),
    "log_scr_sum_relative": FeatureWords(
        "Skin responses, relative", "%", 100.0, _SCR_FLOOR_USIEMENS
    ),
    "temp_mean": FeatureWords("Skin temperature", "°C"),
    "log_movement": FeatureWords("Movement", "m/s²", 1.0, FLOOR_MS2),
    "log_movement_p90": FeatureWords("Movement, high (90th %ile)", "m/s²", 1.0, FLOOR_MS2),
    "log_posture_change": FeatureWords("Posture change", "m/s²", 1.0, FLOOR_MS2),
    "log_movement_median": FeatureWords("Movement, median", "m/s²", 1.0, FLOOR_MS2),
    "log_posture_spread": FeatureWords("Posture, spread", "m/s²", 1.0, FLOOR_MS2),
}
