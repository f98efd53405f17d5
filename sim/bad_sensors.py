"""Sensors at their limit, off the skin, and a battery that sags: a body as a troubled board reads it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from firmware_host.protocol.messages import EventKind
from sim.fault_plan import ALL, Fault, FaultPlan
from sim.schedule import BodyEvent
from sim.sensors import to_raw

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from firmware_host.protocol.messages import Button, Channel
    from sim.body import Body

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

_STREAM = 33
_ROOM_C, _COOLS_IN_S = 22.0, 60.0
# Two dry electrodes with air between them, and a photodiode that sees daylight and no blood.
_AIR_USIEMENS = 0.0
_DAYLIGHT_AU = 2.0
# What the board says of its battery before it gives in: seconds before, percent.
_SAG = ((60.0, 5), (20.0, 3), (2.0, 1))


class TroubledBody:
    """A body whose sensors are disturbed as a plan says; its times count on the board's own clock.

    ``counts`` says how many samples of a channel were changed by which kind of fault.
    """

    def __init__(self, body: Body, plan: FaultPlan, *, seed: int) -> None:
        self._body = body
        self._seed = seed
        self._faults = plan.of("saturation", "off_skin")
        self._brown_outs = plan.of("brown_out")
        self._at: Counter[str] = Counter()
        self._channels = {channel.name: channel for channel in body.channels}
        self._dark = body.dark()
        self.counts: Counter[tuple[str, str]] = Counter()

    @property
    def channels(self) -> tuple[Channel, ...]:
        """As the body behind it."""
        return self._body.channels

    @property
    def duration_s(self) -> float:
        """As the body behind it."""
        return self._body.duration_s

    def offset_s(self, name: str) -> float:
        """As the body behind it."""
        return self._body.offset_s(name)

    def dark(self) -> list[tuple[float, float]]:
        """As the body behind it."""
        return self._body.dark()

    def answer_to_cue(self, t_s: float) -> Button | None:
        """As the body behind it."""
        return self._body.answer_to_cue(t_s)

    def read(self, name: str, n: int) -> Ints:
        """Take the next (up to n, axes) raw samples; fewer only at the end."""
        raw = self._body.read(name, n)
        first, self._at[name] = self._at[name], self._at[name] + len(raw)
        for fault in self._faults if len(raw) else ():
            if fault.channel in (name, ALL):
                raw = self._disturb(fault, self._channels[name], first, raw)
        return raw

    def events(self) -> list[BodyEvent]:
        """Those of the body, contact lost and found, and a battery that sags before a brown-out."""
        own = self._body.events()
        found = [*own, *self._contact(own), *self._sags()]
        return sorted(found, key=lambda event: (event.t_s, event.kind, event.value))

    def _disturb(self, fault: Fault, channel: Channel, first: int, raw: Ints) -> Ints:
        t_s = self._times(channel, first, len(raw))
        for start_s, end_s in _spans(fault, float(t_s[0]), float(t_s[-1])):
            hit = (t_s >= start_s) & (t_s < end_s)
            if not hit.any() or (fault.kind == "off_skin" and channel.name in ("acc", "gyro")):
                continue
            raw = raw.copy()
            if fault.kind == "saturation":
                raw[hit], n_clipped = _clipped(channel, raw[hit], fault["gain"])
            else:
                raw[hit] = self._in_air(channel, first, raw[hit], t_s[hit] - start_s)
                n_clipped = int(hit.sum())
            self.counts[fault.kind, channel.name] += n_clipped
        return raw

    def _in_air(self, channel: Channel, first: int, raw: Ints, since_s: Floats) -> Ints:
        values = raw * channel.scale + channel.offset
        if channel.name == "eda":
            values = np.full_like(values, _AIR_USIEMENS)
        elif channel.name == "temp":
            values = _ROOM_C + (values - _ROOM_C) * np.exp(-since_s / _COOLS_IN_S)[:, None]
        else:
            rng = np.random.default_rng([self._seed, _STREAM, channel.stream, first])
            values = rng.normal(0.0, _DAYLIGHT_AU, values.shape)
        return to_raw(channel, values)

    def _times(self, channel: Channel, first: int, n: int) -> Floats:
        """Board seconds of ``n`` samples, the nights without power counted in."""
        t_s = self._body.offset_s(channel.name) + np.arange(first, first + n) / channel.rate_hz
        for start_s, end_s in self._dark:
            t_s = np.where(t_s >= start_s, t_s + (end_s - start_s), t_s)
        return np.asarray(t_s, dtype=np.float64)

    def _contact(self, own: list[BodyEvent]) -> Iterator[BodyEvent]:
        """Only contact of all sensors is contact of the band, and only where somebody wears it."""
        worn = [event for event in own if event.kind is EventKind.WEAR]
        for fault in self._faults:
            if fault.kind != "off_skin" or fault.channel != ALL:
                continue
            for start_s, end_s in _spans(fault, 0.0, self.duration_s):
                for t_s, is_on in ((start_s, 0), (end_s, 1)):
                    last = [event.value for event in worn if event.t_s <= t_s]
                    if last and last[-1] and t_s < self.duration_s:
                        yield BodyEvent(t_s, EventKind.WEAR, is_on)

    def _sags(self) -> Iterator[BodyEvent]:
        for fault in self._brown_outs:
            for start_s, _ in _spans(fault, 0.0, self.duration_s):
                for before_s, percent in _SAG:
                    if start_s >= before_s:
                        yield BodyEvent(start_s - before_s, EventKind.BATTERY, percent)


def _spans(fault: Fault, from_s: float, to_s: float) -> Iterator[tuple[float, float]]:
    """Times of a fault that touch a stretch; those long past are not counted one by one."""
    if fault.every_s < math.inf and from_s > fault.at_s:
        n = int((from_s - fault.at_s) // fault.every_s)
        fault = fault.later(n)
    for start_s, end_s in fault.spans():
        if start_s > to_s:
            return
        if end_s >= from_s:
            yield start_s, end_s


def _clipped(channel: Channel, raw: Ints, gain: float) -> tuple[Ints, int]:
    """What a front end makes of it whose gain is too high, and how many samples are at its limit."""
    values = raw * channel.scale + channel.offset
    out = to_raw(channel, values * gain)
    low, high = (to_raw(channel, np.array([[limit]]))[0, 0] for limit in (-1e12, 1e12))
    return out, int(((out == low) | (out == high)).any(axis=1).sum())
