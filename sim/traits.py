"""What makes one simulated person differ from another, drawn from a seed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

# One random stream per purpose, so that a change to one leaves the others as they were.
_TRAIT_STREAM = 1
# About one in seven does not answer a stressful task as the others do (both data sets, see below).
_NO_RESPONSE = 1.0 / 7.0
_REACTIVITY_LOG_SD = 0.35


@dataclass(frozen=True, slots=True)
class Traits:
    """Lasting properties of a person.

    Spreads follow two wrist data sets (Iqbal et al. 2022, Sensors 22(21):8135; Hongn et al. 2025,
    doi 10.1038/s41597-025-04845-9), see docs/body.md. Assumptions, not measured: how often a beat comes
    early, how much somebody tires, and how left and right differ (by less than 2.5 % in half of people).

    ``stress_...`` is the full response to a task of strength 1; ``poor_contact_share`` of the time
    the band sits badly; ``step_asymmetry`` is the left step's time less the right one's over their
    mean; ``tiredness`` 1 tires as most do.
    """

    rest_hr_bpm: float
    stress_hr_bpm: float
    rest_rmssd_ms: float
    stress_rmssd_factor: float
    ectopic_per_hour: float
    breath_hz: float
    bvp_sd_au: float
    dicrotic: float
    upstroke: float
    vasoconstriction: float
    motion_coupling: float
    optical_noise: float
    poor_contact_share: float
    eda_usiemens: float
    stress_eda_gain: float
    scr_rest_per_min: float
    scr_stress_per_min: float
    scr_fraction: float
    skin_temp_degc: float
    stress_temp_drop_degc: float
    restlessness: float
    step_asymmetry: float
    tiredness: float
    turned: bool


def draw_traits(seed: int) -> Traits:
    """Draw the person of that seed."""
    rng = np.random.default_rng([seed, _TRAIT_STREAM])

    def normal(mean: float, sd: float, low: float, high: float) -> float:
        return float(np.clip(rng.normal(mean, sd), low, high))

    def lognormal(median: float, sd: float, low: float, high: float) -> float:
        return float(np.clip(median * np.exp(sd * rng.standard_normal()), low, high))

    # Heart and skin of a person answer together, but only partly.
    reactivity = lognormal(1.0, _REACTIVITY_LOG_SD, 0.4, 2.5)
    if rng.random() < _NO_RESPONSE:
        reactivity *= 0.1
    scr_rest_per_min = lognormal(4.5, 0.7, 0.3, 15.0)
    return Traits(
        rest_hr_bpm=normal(76.0, 9.5, 57.0, 102.0),
        stress_hr_bpm=reactivity * lognormal(7.0, 0.5, 1.5, 22.0),
        rest_rmssd_ms=lognormal(36.0, 0.36, 18.0, 85.0),
        stress_rmssd_factor=float(np.exp(normal(-0.22, 0.2, -0.7, 0.25))),
        ectopic_per_hour=lognormal(0.5, 1.3, 0.02, 20.0),
        breath_hz=normal(0.25, 0.035, 0.17, 0.34),
        bvp_sd_au=lognormal(20.0, 0.55, 7.0, 75.0),
        dicrotic=normal(0.55, 0.2, 0.15, 1.0),
        upstroke=normal(0.26, 0.03, 0.2, 0.33),
        vasoconstriction=normal(0.15, 0.2, -0.25, 0.55),
        motion_coupling=lognormal(0.6, 0.35, 0.25, 1.3),
        optical_noise=lognormal(0.7, 0.45, 0.25, 1.8),
        poor_contact_share=lognormal(0.06, 1.0, 0.005, 0.5),
        eda_usiemens=lognormal(0.55, 1.25, 0.13, 20.0),
        stress_eda_gain=reactivity * lognormal(0.28, 0.5, 0.05, 1.2),
        scr_rest_per_min=scr_rest_per_min,
        scr_stress_per_min=scr_rest_per_min + reactivity * lognormal(7.0, 0.6, 1.0, 20.0),
        scr_fraction=lognormal(0.05, 0.6, 0.012, 0.2),
        skin_temp_degc=normal(31.6, 2.0, 27.5, 35.0),
        stress_temp_drop_degc=normal(0.0, 0.4, -0.8, 0.9),
        restlessness=lognormal(1.3, 0.55, 0.4, 5.0),
        step_asymmetry=normal(0.0, 0.037, -0.12, 0.12),
        tiredness=lognormal(1.0, 0.35, 0.4, 2.2),
        turned=bool(rng.random() < 0.15),
    )
