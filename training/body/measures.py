"""Every measure that is compared: what it is called, its unit, and in which conditions."""

from __future__ import annotations

from dataclasses import dataclass

_LAB = ("rest", "stress", "exercise")
_GAIT = ("walk", "run")
_ANYWHERE = (*_GAIT, "walk_pocket", "run_pocket")
_HANDS = ("sit", "typing", "eating", "walk", "run", "stairs")


@dataclass(frozen=True, slots=True)
class Measure:
    """One measure; `is_log` asks for a logarithmic axis."""

    name: str
    title: str
    unit: str
    conditions: tuple[str, ...]
    is_log: bool = False


_RESPONSES = tuple(
    Measure(name, f"{title}, stress less rest", unit, ("response",))
    for name, title, unit in (
        ("hr_bpm", "heart rate", "/min"),
        ("rmssd_ms", "log RMSSD", ""),
        ("sdnn_ms", "log SDNN", ""),
        ("rsa_ms", "log variability with breathing", ""),
        ("pulse_height_au", "log height of the pulse", ""),
        ("eda_level_usiemens", "log conductance", ""),
        ("scr_per_min", "responses over 0.008 µS", "/min"),
        ("scr_clear_per_min", "responses over 0.05 µS", "/min"),
        ("temp_degc", "skin temperature", "°C"),
    )
)
SECTIONS: dict[str, tuple[Measure, ...]] = {
    "Heart": (
        Measure("hr_bpm", "heart rate", "/min", _LAB),
        Measure("sdnn_ms", "SDNN over a minute", "ms", _LAB, is_log=True),
        Measure("rmssd_ms", "RMSSD over a minute", "ms", _LAB, is_log=True),
        Measure("lf_ms", "variability, 0.04 to 0.15 Hz", "ms", _LAB, is_log=True),
        Measure("rsa_ms", "variability with breathing, 0.15 to 0.4 Hz", "ms", _LAB, is_log=True),
    ),
    "Pulse": (
        Measure("bvp_quality", "share of readable beats", "", _LAB),
        Measure("pulse_height_au", "height of the pulse", "au", _LAB, is_log=True),
        Measure("pulse_height_cv", "variation of its height", "", _LAB),
        Measure("pulse_modulation_hz", "centre of its modulation", "Hz", _LAB),
        Measure("pulse_modulation_log_ratio", "slow over fast modulation, log", "", _LAB),
        Measure("pulse_skewness", "skewness of the pulse wave", "", _LAB),
    ),
    "Skin": (
        Measure("eda_level_usiemens", "conductance", "µS", _LAB, is_log=True),
        Measure("eda_slope_share_per_min", "its slope, share of the level", "/min", _LAB),
        Measure("scr_per_min", "responses over 0.008 µS", "/min", _LAB),
        Measure("scr_clear_per_min", "responses over 0.05 µS", "/min", _LAB),
        Measure("scr_height_usiemens", "height of a response", "µS", _LAB, is_log=True),
        Measure("temp_degc", "skin temperature", "°C", _LAB),
        Measure("temp_slope_degc_per_min", "its slope", "°C/min", _LAB),
    ),
    "Response to stress": _RESPONSES,
    "Movement": (
        Measure("hand_movement_ms2", "movement of the hand", "m/s²", _LAB, is_log=True),
        Measure("movement_ms2", "movement, 20 s", "m/s²", _HANDS, is_log=True),
        Measure("gyro_rms_rads", "rotation", "rad/s", _HANDS, is_log=True),
        Measure("impact_ms2", "peaks of acceleration", "m/s²", _GAIT, is_log=True),
    ),
    "Gait": (
        Measure("cadence_spm", "cadence", "steps/min", _ANYWHERE),
        Measure("stride_cv", "variation from stride to stride", "", _ANYWHERE, is_log=True),
        Measure("periodicity", "periodicity as the host sees it", "", _GAIT),
        Measure("step_regularity", "step regularity", "", _GAIT),
        Measure("stride_regularity", "stride regularity", "", _GAIT),
        Measure("step_symmetry", "step over stride regularity", "", _GAIT),
    ),
    "Harmonic ratios": tuple(
        Measure(f"hr_{name}", f"even over odd harmonics, {words}", "", _GAIT, is_log=True)
        for name, words in (
            ("vertical", "vertical acceleration"),
            ("acc_x", "acceleration x"),
            ("acc_y", "acceleration y"),
            ("acc_z", "acceleration z"),
            ("gyro_x", "rotation x"),
            ("gyro_y", "rotation y"),
            ("gyro_z", "rotation z"),
        )
    ),
}
ORDER = tuple(
    (measure.name, condition)
    for section in SECTIONS.values()
    for measure in section
    for condition in measure.conditions
)
CONDITION_WORDS = {
    "response": "stress less rest",
    "rest": "rest",
    "stress": "stress",
    "exercise": "exercise",
    "walk": "walking",
    "run": "running",
    "stairs": "stairs",
    "walk_pocket": "walking, pocket",
    "run_pocket": "running, pocket",
    "sit": "sitting",
    "typing": "typing",
    "eating": "eating",
}
