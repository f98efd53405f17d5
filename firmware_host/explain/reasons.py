"""Which rule decided a state, with the figure it looked at and its limit."""

from __future__ import annotations

import numpy as np

from firmware_host.events import State
from firmware_host.explain.moment import Moment
from firmware_host.inference.contract import StressContract
from firmware_host.signals.effort import MIN_EXERCISE_RISE_BPM, effort_of, heart_rise_bpm
from firmware_host.signals.normalise import Baseline
from firmware_host.signals.stress import CHANNELS


def reason_of(moment: Moment, contract: StressContract, baseline: Baseline | None) -> str:
    """One sentence for the wearer, from the same figures that the state was decided on."""
    state, limits = State(moment.event["state"]), contract.thresholds
    if state is State.NOT_WORN:
        return "the band was not on the skin for the whole window"
    if state is State.LEARNING_BASELINE:
        return "there was no baseline yet to compare with"
    if state is State.POOR_SIGNAL:
        return (
            f"pulse readable {_quality(moment, 'bvp'):.0%} (needs "
            f"{limits['min_pulse_quality']:.0%}), skin contact {_quality(moment, 'eda'):.0%} "
            f"(needs {limits['min_quality']:.0%})"
        )
    if state in (State.EXERCISE, State.MOVING):
        return _movement(moment, contract, baseline)
    p_stress = moment.event["p_personal"]
    if state is State.UNSURE:
        low, high = limits["unsure_low"], limits["unsure_high"]
        return f"P(stress) {p_stress:.2f} lies between {low:.2f} and {high:.2f}, too near the line"
    side = "above" if state is State.STRESS else "not above"
    return f"P(stress) {p_stress:.2f} is {side} the line of {limits['stress']:.2f}"


def _quality(moment: Moment, channel: str) -> float:
    return float(moment.table.quality[-1, CHANNELS.index(channel)])


def _movement(moment: Moment, contract: StressContract, baseline: Baseline | None) -> str:
    table, limits = moment.table, contract.thresholds
    t_s = np.array([event["t_s"] for event in moment.events])
    effort_ms2 = float(effort_of(table.motion, t_s, effort_s=contract.effort_s)[-1])
    if effort_ms2 <= limits["max_effort_ms2"]:
        return (
            f"movement in this window {table.motion[-1]:.2f} m/s², "
            f"above {limits['max_motion_ms2']:.2f}: no answer on stress"
        )
    text = (
        f"movement over the last minutes {effort_ms2:.2f} m/s², "
        f"above {limits['max_effort_ms2']:.2f}: no answer on stress"
    )
    if baseline is None:
        return text
    rise_bpm = float(heart_rise_bpm(table.features[-1], baseline.center))
    if not np.isfinite(rise_bpm):
        return f"{text}; no readable pulse to tell exercise"
    return (
        f"{text}; heart {rise_bpm:+.0f} bpm from rest (exercise from {MIN_EXERCISE_RISE_BPM:+.0f})"
    )
