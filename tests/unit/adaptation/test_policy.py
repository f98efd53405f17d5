"""The policy as a table: everything speaks for learning, and each thing alone against it."""

from __future__ import annotations

from typing import Any

import pytest

from firmware_host.adaptation.policy import Limits, PolicyReason, Power, decide_when

FINE: dict[str, Any] = {
    "power": Power.MAINS,
    "battery": 0.9,
    "temperature_degc": 50.0,
    "throttled": False,
    "idle": True,
    "n_labels_waiting": 4,
    "hours_since_last": 5.0,
}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({}, PolicyReason.GO),
        ({"hours_since_last": None}, PolicyReason.GO),
        ({"temperature_degc": None}, PolicyReason.GO),
        ({"battery": None}, PolicyReason.GO),
        ({"battery": 0.05}, PolicyReason.GO),
        ({"power": Power.BATTERY}, PolicyReason.GO),
        ({"power": Power.UNKNOWN, "battery": None}, PolicyReason.GO),
        ({"n_labels_waiting": 2, "hours_since_last": 1.0}, PolicyReason.GO),
        ({"temperature_degc": 70.0}, PolicyReason.GO),
        ({"n_labels_waiting": 1}, PolicyReason.NO_NEW_LABELS),
        ({"n_labels_waiting": 0}, PolicyReason.NO_NEW_LABELS),
        ({"hours_since_last": 0.5}, PolicyReason.TOO_SOON),
        ({"throttled": True}, PolicyReason.THROTTLED),
        ({"temperature_degc": 70.5}, PolicyReason.HOT),
        ({"power": Power.BATTERY, "battery": 0.29}, PolicyReason.BATTERY_LOW),
        ({"power": Power.UNKNOWN, "battery": 0.29}, PolicyReason.BATTERY_LOW),
        ({"power": Power.BATTERY, "battery": 0.5}, PolicyReason.ON_BATTERY),
        ({"power": Power.BATTERY, "battery": 0.8}, PolicyReason.GO),
        ({"power": Power.BATTERY, "battery": None}, PolicyReason.ON_BATTERY),
        ({"idle": False}, PolicyReason.BUSY),
    ],
)
def test_decision_table(change: dict[str, Any], reason: PolicyReason) -> None:
    decision = decide_when(**{**FINE, **change})
    assert decision.reason is reason
    assert decision.allowed is (reason is PolicyReason.GO)
    assert decision.text.startswith("waiting: ") is not decision.allowed


def test_first_reason_is_what_the_wearer_can_change() -> None:
    everything = {
        "power": Power.BATTERY, "battery": 0.1, "temperature_degc": 90.0, "throttled": True,
        "idle": False, "n_labels_waiting": 0, "hours_since_last": 0.0,
    }  # fmt: skip
    assert decide_when(**everything).reason is PolicyReason.NO_NEW_LABELS


def test_limits_are_the_callers() -> None:
    assert decide_when(**{**FINE, "n_labels_waiting": 1}, limits=Limits(min_labels=1)).allowed
