"""What makes one simulated person differ from another, drawn from a seed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

# One random stream per purpose, so that a change to one leaves the others as they were.
_TRAIT_STREAM = 1


@dataclass(frozen=True, slots=True)
class Traits:
    """Lasting properties of a person.

    Ranges follow seated rest in two wrist data sets (Iqbal et al. 2022, Sensors 22(21):8135;
    Hongn et al. 2025, doi 10.1038/s41597-025-04845-9).
    """

    rest_hr_bpm: float
    stress_hr_bpm: float
    rest_rmssd_ms: float
    stress_rmssd_factor: float
    breath_hz: float
    bvp_sd_au: float
    dicrotic: float
    upstroke: float
    vasoconstriction: float
    motion_coupling: float
    eda_usiemens: float
    stress_eda_gain: float
    scr_rest_per_min: float
    scr_stress_per_min: float
    scr_fraction: float
    skin_temp_degc: float
    stress_temp_drop_degc: float
    restlessness: float
    optical_noise: float
    turned: bool


def draw_traits(seed: int) -> Traits:
    """Draw the person of that seed."""
    rng = np.random.default_rng([seed, _TRAIT_STREAM])

    def normal(mean: float, sd: float, low: float, high: float) -> float:
        return float(np.clip(rng.normal(mean, sd), low, high))

    def lognormal(median: float, sd: float, low: float, high: float) -> float:
        return float(np.clip(median * np.exp(sd * rng.standard_normal()), low, high))

    return Traits(
        rest_hr_bpm=normal(73.0, 6.0, 62.0, 88.0),
        stress_hr_bpm=normal(11.5, 2.2, 8.0, 15.0),
        rest_rmssd_ms=lognormal(42.0, 0.3, 24.0, 75.0),
        stress_rmssd_factor=normal(0.68, 0.07, 0.55, 0.8),
        breath_hz=normal(0.25, 0.035, 0.18, 0.33),
        bvp_sd_au=lognormal(36.0, 0.5, 17.0, 105.0),
        dicrotic=normal(0.55, 0.12, 0.3, 0.85),
        upstroke=normal(0.26, 0.02, 0.22, 0.31),
        vasoconstriction=normal(0.2, 0.1, 0.0, 0.4),
        motion_coupling=lognormal(0.45, 0.35, 0.2, 1.0),
        eda_usiemens=lognormal(0.7, 0.9, 0.18, 9.0),
        stress_eda_gain=normal(0.3, 0.12, 0.12, 0.5),
        scr_rest_per_min=normal(2.4, 0.8, 1.0, 4.0),
        scr_stress_per_min=normal(12.0, 2.0, 8.0, 16.0),
        scr_fraction=lognormal(0.05, 0.4, 0.02, 0.12),
        skin_temp_degc=normal(32.0, 1.2, 29.5, 34.5),
        stress_temp_drop_degc=normal(0.6, 0.15, 0.35, 0.9),
        restlessness=lognormal(1.0, 0.3, 0.45, 2.2),
        optical_noise=lognormal(0.52, 0.3, 0.28, 0.85),
        turned=bool(rng.random() < 0.15),
    )
