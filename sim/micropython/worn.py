"""What a body is to the chips: facts first, then its counts, piece by piece ahead of time."""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from firmware_host.protocol.messages import Button, EventKind
from sim.board_orders import ANSWER_S
from sim.sensor_stream import SensorStream
from sim.sensors import CHANNELS, to_raw

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from firmware_host.protocol.messages import Channel
    from sim.body import Body

PARTS = ("lsm6ds3", "max30102", "tmp117")
_CHIP_CHANNELS = {channel.name: channel for channel in CHANNELS}
# A motion sensor is read twice as often as the body is lived; the means between are the sensor's.
_MOTION_MHZ = 100_000
_MOTION = ("acc", "gyro")
_PIECE_S = 1.0
_HEAD = struct.Struct("<BBH")
# How long a finger stays on the button, and between two presses.
_SHORT_S, _LONG_S, _BETWEEN_S = 0.15, 1.2, 0.15
_TOLD_BY = {
    Button.PRESS: (_SHORT_S,),
    Button.STRESS_STARTS: (_LONG_S,),
    Button.STRESS_ENDS: (_LONG_S,),
    Button.REST_STARTS: (_SHORT_S, _SHORT_S),
    Button.REST_ENDS: (_SHORT_S, _SHORT_S),
    Button.CUE_ACCEPTED: (_SHORT_S,),
    Button.CUE_DISMISSED: (_LONG_S,),
}
_SPAN = struct.Struct("<dd")
NO_ANSWER = _SPAN.pack(0.0, 0.0)
# A lithium cell behind a divider by two, on a converter of 3.3 V.
EMPTY_V, FULL_V, RATIO, REFERENCE_V = 3.3, 4.15, 2.0, 3.3
# Of a body that says nothing of it.
_USUAL_PERCENT = 80


@dataclass(frozen=True, slots=True)
class Hardware:
    """What is on the board, and what goes wrong with it.

    ``broken_s`` are spans in which the bus does not answer, ``dark_s`` those without power in which
    the body lives on; at ``dips_s`` only the chips lose it, for a moment. Converters on the pins
    ``dead_adcs`` cannot be read. ``say`` are (seconds,
    bytes) that the host says in virtual time; ``battery_percent`` is the body's unless it is given.
    ``reset_cause`` is what the port calls a reset by its own program: 3 on an RP2040, the
    watchdog's. In virtual time, in spans that count from the start, the line takes nothing
    (``deaf_s``), or always says that it will and then waits for half a second in vain
    (``stalled_s``). ``tell_pins`` writes every level of a pin to the standard error.
    """

    parts: tuple[str, ...] = PARTS
    unique_id: str = "SIM00001"
    broken_s: tuple[tuple[float, float], ...] = ()
    dark_s: tuple[tuple[float, float], ...] = ()
    dips_s: tuple[float, ...] = ()
    dead_adcs: tuple[int, ...] = ()
    deaf_s: tuple[tuple[float, float], ...] = ()
    stalled_s: tuple[tuple[float, float], ...] = ()
    say: tuple[tuple[float, bytes], ...] = ()
    battery_percent: int | None = None
    reset_cause: int = 2
    tell_pins: bool = False
    seed: int = 7


class Worn:
    """A body as the chips have it; every channel is made into their counts."""

    def __init__(self, body: Body, hardware: Hardware) -> None:
        self._body = body
        self._hardware = hardware
        self.streams = [_stream(body, channel) for channel in body.channels if _is_felt(channel)]

    @property
    def rates_hz(self) -> dict[str, float]:
        """Rates at which a board gets every sample of the body once."""
        return {stream.channel.name: stream.channel.rate_hz for stream in self.streams}

    def facts(self) -> bytes:
        """The line that comes first."""
        hardware = self._hardware
        facts: dict[str, Any] = {
            "channels": [
                {
                    "name": stream.channel.name,
                    "rate_hz": stream.channel.rate_hz,
                    "axes": stream.channel.axes,
                    "offset_s": self._body.offset_s(stream.channel.name),
                    "n_piece": _n_piece(stream),
                }
                for stream in self.streams
            ],
            "parts": hardware.parts,
            "presses": _presses(self._body),
            "battery": self._battery(),
            "worn": [[0.0, 1], *self._told(EventKind.WEAR)],
            "outages": self._outages(),
            "broken": hardware.broken_s,
            "dips": hardware.dips_s,
            "dead_adcs": hardware.dead_adcs,
            "deaf": hardware.deaf_s,
            "stalled": hardware.stalled_s,
            "reset_cause": hardware.reset_cause,
            "tell_pins": hardware.tell_pins,
            "say": [[t_s, data.hex()] for t_s, data in hardware.say],
            "unique_id": hardware.unique_id,
            "random": np.random.default_rng(hardware.seed).bytes(4).hex(),
        }
        return json.dumps(facts).encode() + b"\n"

    def _told(self, kind: EventKind) -> list[list[float]]:
        return [[event.t_s, event.value] for event in self._body.events() if event.kind is kind]

    def _battery(self) -> list[list[float]]:
        given = self._hardware.battery_percent
        told = [] if given is not None else self._told(EventKind.BATTERY)
        first = given if given is not None else told[0][1] if told else _USUAL_PERCENT
        return [[t_s, _battery_count(percent)] for t_s, percent in [[0.0, first], *told]]

    def _outages(self) -> list[tuple[float, float, bool]]:
        """(start_s, end_s, whether the body is worn meanwhile) without power, in order."""
        charging = [(start_s, end_s, False) for start_s, end_s in self._body.dark()]
        return sorted(
            charging + [(start_s, end_s, True) for start_s, end_s in self._hardware.dark_s]
        )

    def answer(self, t_s: float) -> bytes:
        """When the finger is on the button about a cue of that moment: two times, none if they are equal."""
        button = self._body.answer_to_cue(t_s)
        held_s = _TOLD_BY.get(button, ()) if button is not None else ()
        return _SPAN.pack(t_s + ANSWER_S, t_s + ANSWER_S + held_s[0]) if held_s else NO_ANSWER

    def pieces(self) -> Iterator[bytes]:
        """Pieces of all channels in the order of their times, to the body's end."""
        is_over = [False] * len(self.streams)
        while not all(is_over):
            at_s = [
                stream.at / stream.channel.rate_hz if not over else float("inf")
                for stream, over in zip(self.streams, is_over, strict=True)
            ]
            i = int(np.argmin(at_s))
            stream = self.streams[i]
            n = _n_piece(stream)
            counts = self._counts(stream, n)
            is_over[i] = len(counts) < n
            stream.move_to(stream.at + len(counts))
            if len(counts):
                yield _HEAD.pack(i, 0, len(counts)) + counts.astype("<i4").tobytes()

    def _counts(self, stream: SensorStream, n: int) -> NDArray[np.int64]:
        raw = stream.read(n)
        own, chip = stream.channel, _CHIP_CHANNELS[stream.channel.name]
        if (own.scale, own.offset) == (chip.scale, chip.offset):
            return raw
        return to_raw(chip, raw * own.scale + own.offset)


def _is_felt(channel: Channel) -> bool:
    chip = _CHIP_CHANNELS.get(channel.name)
    return chip is not None and (chip.unit, chip.axes) == (channel.unit, channel.axes)


def _stream(body: Body, channel: Channel) -> SensorStream:
    stream = SensorStream(body, channel)
    factor = stream.factor_for(_MOTION_MHZ) if channel.name in _MOTION else None
    if factor is not None:
        stream.change_rate(factor, channel.stream)
    return stream


def _n_piece(stream: SensorStream) -> int:
    return max(1, round(stream.channel.rate_hz * _PIECE_S))


def _battery_count(percent: float) -> int:
    volts = EMPTY_V + (FULL_V - EMPTY_V) * percent / 100
    return round(volts / RATIO / REFERENCE_V * 65535)


def _presses(body: Body) -> list[tuple[float, float]]:
    """When the finger is on the button; what is no press of a button says nothing here."""
    spans: list[tuple[float, float]] = []
    for event in body.events():
        if event.kind is not EventKind.BUTTON:
            continue
        t_s = event.t_s
        for held_s in _TOLD_BY.get(Button(event.value), ()):
            spans.append((t_s, t_s + held_s))
            t_s += held_s + _BETWEEN_S
    return sorted(spans)
