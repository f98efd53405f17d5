"""When the host may learn: one pure function of what it reads of itself and what there is to learn.

A reading that nobody can give is unknown, and unknown does not hold learning up: a board without a
battery or a sensor must learn too. Only a host that was too hot stays so until it says it has cooled.

Every limit has two sides. Learning stops at the first and begins again only beyond the second, so
that a host at its limit does not start and stop every few seconds; which side counts follows from
the verdict before, which is an argument.

The network is read and shown, and no rule uses it: learning sends nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import Any

from firmware_host.adaptation.limits import Limits
from firmware_host.host.power import Source
from firmware_host.host.readings import HostReadings
from firmware_host.host.thermal import Slowed

# Degrees below the kernel's own first step down at which learning stops: as far as our 75 is below
# the 80 degC from which a Raspberry Pi slows itself down.
_BELOW_TRIP_K = 5.0
# A little below 60 degC, the lowest limit that a Raspberry Pi's firmware has (3 A+ and 3 B+): a CPU that
# is held back while cooler than this is so for another reason, and cooling would not end it.
_WARM_C = 55.0
# Who cannot cool any further need not wait for ever: what to cool down to rises by a degree in ten
# minutes, to one below where learning stops. A closed case in a warm room idles in between.
_RISE_K_PER_S = 1.0 / 600.0
_LEAST_GAP_K = 1.0
_HOUR_S = 3600.0
_MB = 1e6


class Cause(StrEnum):
    """Why learning waits; the first that holds is the one to name.

    First what there is to learn, then what could do harm, then what would only be impolite.
    """

    NO_LABELS = "no_labels"
    DISK_FULL = "disk_full"
    UNDER_VOLTAGE = "under_voltage"
    THROTTLED = "throttled"
    HOT = "hot"
    LOW_BATTERY = "low_battery"
    ON_BATTERY = "on_battery"
    DROPPING = "dropping"
    BUSY = "busy"
    TOO_SOON = "too_soon"


class Asked(Enum):
    """Who wants to learn, and which causes that person or program may pass over."""

    BY_RUN = frozenset[Cause]()
    # A person who asks knows what there is to learn and when it was done last.
    BY_HAND = frozenset({Cause.NO_LABELS, Cause.TOO_SOON})
    # Never heat, voltage, an empty battery or a full disk: those harm more than a wait.
    NOW = frozenset({Cause.NO_LABELS, Cause.TOO_SOON, Cause.ON_BATTERY, Cause.DROPPING, Cause.BUSY})


@dataclass(frozen=True, slots=True)
class Block:
    """One cause, and in words what is waited for."""

    cause: Cause
    text: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether to learn; every block, the first to name first; and one sentence.

    ``cool_to_c`` is the temperature that a host stopped by heat has to come down to, None while
    none did.
    """

    go: bool
    blocks: tuple[Block, ...]
    text: str
    cool_to_c: float | None = None

    def has(self, *causes: Cause) -> bool:
        """Whether one of the causes is among the blocks."""
        return any(block.cause in causes for block in self.blocks)

    def facts(self) -> dict[str, Any]:
        """Plain values for machines."""
        blocks = [{"cause": block.cause.value, "text": block.text} for block in self.blocks]
        return {"go": self.go, "text": self.text, "blocks": blocks}


@dataclass(frozen=True, slots=True)
class Work:
    """What there is to learn, and how the stream beside it does.

    Parameters
    ----------
    stories_waiting
        Labelled stress episodes with a labelled rest after them since the last job.
    comparisons_waiting
        Comparisons said since the last job, where there are enough to learn from.
    is_unfinished
        A job was paused and waits to go on.
    is_running
        A job runs now: its own share of the load does not count against it.
    since_last_s
        Since the last job's end; None if there was none, negative if the clock went back.
    lost_percent
        Samples missing among those of the last minute; None without a stream.
    asked
        Who asks.
    before, since_before_s
        The verdict before this one, and how long ago it was.
    """

    stories_waiting: int = 0
    comparisons_waiting: int = 0
    is_unfinished: bool = False
    is_running: bool = False
    since_last_s: float | None = None
    lost_percent: float | None = None
    asked: Asked = Asked.BY_RUN
    before: Verdict | None = None
    since_before_s: float = 0.0

    @property
    def is_begun(self) -> bool:
        """Whether this is about going on and not about a new job."""
        return self.is_running or self.is_unfinished

    def was(self, cause: Cause) -> bool:
        """Whether the verdict before named the cause; without one, a paused job may have met any."""
        return self.is_waiting if self.before is None else self.before.has(cause)

    @property
    def is_waiting(self) -> bool:
        """Whether a job is paused at this moment."""
        return self.is_unfinished and not self.is_running


def decide(readings: HostReadings, work: Work, limits: Limits) -> Verdict:
    """Whether to learn now and what stands against it; the same arguments, the same verdict."""
    cool_to_c = _cool_to_c(readings, work, limits)
    texts = {
        Cause.NO_LABELS: _no_labels(work),
        Cause.DISK_FULL: _disk_full(readings, limits),
        Cause.UNDER_VOLTAGE: _under_voltage(readings),
        Cause.THROTTLED: _throttled(readings),
        Cause.HOT: _hot(readings, cool_to_c),
        Cause.LOW_BATTERY: _low_battery(readings, work, limits),
        Cause.ON_BATTERY: _on_battery(readings, limits),
        Cause.DROPPING: _dropping(work, limits),
        Cause.BUSY: _busy(readings, work, limits),
        Cause.TOO_SOON: _too_soon(work, limits),
    }
    passed_over = work.asked.value
    blocks = tuple(
        Block(cause, text)
        for cause in Cause
        if (text := texts[cause]) is not None and cause not in passed_over
    )
    text = f"waiting for {blocks[0].text}" if blocks else "nothing stands against learning"
    return Verdict(not blocks, blocks, text, cool_to_c)


def _no_labels(work: Work) -> str | None:
    if work.is_begun or work.stories_waiting > 0 or work.comparisons_waiting > 0:
        return None
    return "a new stress episode and the rest after it, both labelled (signet label, or the button)"


def _disk_full(readings: HostReadings, limits: Limits) -> str | None:
    free = readings.free_bytes
    if free is None or free >= limits.min_free_mb * _MB:
        return None
    return f"{limits.min_free_mb:.0f} MB free where the vault is (now {free / _MB:.0f})"


def _under_voltage(readings: HostReadings) -> str | None:
    if Slowed.UNDER_VOLTAGE not in (readings.heat.slowed or ()):
        return None
    return "a power supply that keeps its voltage (under-voltage now)"


def _throttled(readings: HostReadings) -> str | None:
    flags = _slowed(readings)
    return f"the host to get back to full speed ({', '.join(flags)} now)" if flags else None


def _hot(readings: HostReadings, cool_to_c: float | None) -> str | None:
    if cool_to_c is None:
        return None
    soc_c = readings.heat.soc_c
    now = "does not say how warm it is" if soc_c is None else f"now {soc_c:.0f} degC"
    return f"the host to cool down to {cool_to_c:.0f} degC ({now})"


def _low_battery(readings: HostReadings, work: Work, limits: Limits) -> str | None:
    percent = readings.power.battery_percent
    resume = limits.resume_battery_percent
    least = resume if work.was(Cause.LOW_BATTERY) else limits.min_battery_percent
    if percent is None or percent >= least:
        return None
    return f"the battery to hold {resume:.0f} % (now {percent:.0f} %)"


def _on_battery(readings: HostReadings, limits: Limits) -> str | None:
    if limits.on_battery or readings.power.source is not Source.BATTERY:
        return None
    return "mains power (on battery now)"


def _dropping(work: Work, limits: Limits) -> str | None:
    lost = work.lost_percent
    held = work.was(Cause.DROPPING)
    most = limits.resume_lost_percent if held else limits.max_lost_percent
    if lost is None or lost <= most:
        return None
    return f"a stream that loses at most {most:.0f} % of its samples (now {lost:.0f} %)"


def _busy(readings: HostReadings, work: Work, limits: Limits) -> str | None:
    per_cpu = readings.load.per_cpu(own=1.0 if work.is_running else 0.0)
    most = limits.resume_load_per_cpu if work.was(Cause.BUSY) else limits.max_load_per_cpu
    if per_cpu is None or per_cpu <= most:
        return None
    return f"a less busy host: a load of at most {most:.1f} for each CPU (now {per_cpu:.1f})"


def _too_soon(work: Work, limits: Limits) -> str | None:
    since_s = work.since_last_s
    # Negative: the clock went back, and says nothing about how long ago it was.
    if work.is_begun or since_s is None or not 0 <= since_s < limits.min_hours_between * _HOUR_S:
        return None
    left_min = math.ceil((limits.min_hours_between * _HOUR_S - since_s) / 60)
    return f"{left_min} min to pass: the last job is {since_s / 60:.0f} min old"


def _cool_to_c(readings: HostReadings, work: Work, limits: Limits) -> float | None:
    """Where a hot host may begin again; None if it is not hot, or is cool enough again."""
    soc_c = readings.heat.soc_c
    gap_k = limits.max_soc_c - limits.resume_soc_c
    trip_c = readings.heat.throttle_at_c
    stop_c = limits.max_soc_c if trip_c is None else min(limits.max_soc_c, trip_c - _BELOW_TRIP_K)
    if work.before is not None and work.before.cool_to_c is not None:
        risen_c = work.before.cool_to_c + _RISE_K_PER_S * work.since_before_s
        held_c = max(work.before.cool_to_c, min(risen_c, stop_c - _LEAST_GAP_K))
        # No reading is no sign of having cooled: sensors that sleep answer nothing for a while.
        return held_c if soc_c is None or soc_c > held_c else None
    if soc_c is None:
        return None
    if work.before is None and work.is_waiting and soc_c > stop_c - gap_k:
        return stop_c - gap_k
    if soc_c < stop_c and not _is_slowed_by_heat(readings, soc_c):
        return None
    # A host slowed down below our limit has a lower one in its firmware, and cools down as far from it.
    return min(stop_c, soc_c) - gap_k


def _is_slowed_by_heat(readings: HostReadings, soc_c: float) -> bool:
    # Under-voltage slows the CPU down too.
    is_fed = Slowed.UNDER_VOLTAGE not in (readings.heat.slowed or ())
    return bool(_slowed(readings)) and is_fed and soc_c >= _WARM_C


def _slowed(readings: HostReadings) -> list[str]:
    flags = readings.heat.slowed or ()
    return [flag.value for flag in flags if flag is not Slowed.UNDER_VOLTAGE]
