"""When to learn: one pure function of what the host knows of itself."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Power(StrEnum):
    """Where the host's energy comes from."""

    MAINS = "mains"
    BATTERY = "battery"
    UNKNOWN = "unknown"


class PolicyReason(StrEnum):
    """The first thing that speaks against learning now, or that nothing does."""

    GO = "go"
    NO_NEW_LABELS = "no_new_labels"
    TOO_SOON = "too_soon"
    THROTTLED = "throttled"
    HOT = "hot"
    BATTERY_LOW = "battery_low"
    ON_BATTERY = "on_battery"
    BUSY = "busy"


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of the policy."""

    # One label can be a slip of the finger; two are an episode and its contrast.
    min_labels: int = 2
    # A job takes seconds; more often than this only wears the card.
    min_hours_between: float = 1.0
    # A Raspberry Pi slows down at 80 °C: stay clear of it.
    max_temperature_degc: float = 70.0
    # Below it the host needs what is left for streaming.
    min_battery: float = 0.3
    # Above it a job of seconds does no harm even on battery.
    good_battery: float = 0.8


@dataclass(frozen=True, slots=True)
class PolicyDecision:
    """Whether a job may start now, why (not), and the sentence for the wearer."""

    allowed: bool
    reason: PolicyReason
    text: str


_DEFAULT = Limits()


def decide_when(
    *,
    power: Power,
    battery: float | None,
    temperature_degc: float | None,
    throttled: bool,
    idle: bool,
    n_labels_waiting: int,
    hours_since_last: float | None,
    limits: Limits = _DEFAULT,
) -> PolicyDecision:
    """Decide whether to learn now.

    Parameters
    ----------
    battery
        Charge of the host in 0..1, None without a battery or without a gauge.
    temperature_degc
        Of the processor, None if the machine does not tell.
    throttled
        The machine says it is slowed down or under-supplied right now.
    idle
        No window was late in the last minutes.
    n_labels_waiting
        Labels given since the last job.
    hours_since_last
        Since the last job ended, None if there was none.
    """
    battery_now = None if power is Power.MAINS else battery
    blank = power is Power.BATTERY and battery is None
    # In this order the wearer first hears what they can change themselves.
    against: list[tuple[bool, PolicyReason, str]] = [
        (
            n_labels_waiting < limits.min_labels,
            PolicyReason.NO_NEW_LABELS,
            f"{n_labels_waiting} new labels, {limits.min_labels} needed",
        ),
        (
            _below(hours_since_last, limits.min_hours_between),
            PolicyReason.TOO_SOON,
            f"{limits.min_hours_between:g} h between two jobs",
        ),
        (throttled, PolicyReason.THROTTLED, "the host is slowed down or lacks supply"),
        (
            _below(limits.max_temperature_degc, temperature_degc),
            PolicyReason.HOT,
            f"the host is above {limits.max_temperature_degc:g} °C",
        ),
        (
            _below(battery_now, limits.min_battery),
            PolicyReason.BATTERY_LOW,
            f"the host's battery is below {limits.min_battery:.0%}",
        ),
        (
            blank or _below(battery_now, limits.good_battery),
            PolicyReason.ON_BATTERY,
            f"on battery: learning needs mains or {limits.good_battery:.0%} charge",
        ),
        (not idle, PolicyReason.BUSY, "the host is busy with the stream"),
    ]
    for holds, reason, text in against:
        if holds:
            return PolicyDecision(allowed=False, reason=reason, text=f"waiting: {text}")
    text = f"{n_labels_waiting} new labels, the host is free"
    return PolicyDecision(allowed=True, reason=PolicyReason.GO, text=text)


def _below(value: float | None, limit: float | None) -> bool:
    """Compare, where an unknown value never speaks against learning."""
    return value is not None and limit is not None and value < limit
