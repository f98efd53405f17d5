"""A chip that lost its supply for a moment answers as ever, but measures nothing until it is begun anew."""

from __future__ import annotations

import importlib
import struct

import numpy as np
import pytest

from firmware_host.protocol.messages import Block, PartState, Status
from sim.devices.bus import Bus
from sim.sensors import CHANNELS, NUMPY_DTYPES

CHIPS = [
    ("lsm6ds3", "Lsm6ds3", 0x6A, 100.0, 1000),
    ("mpu6050", "Mpu6050", 0x68, 100.0, 1000),
    ("max30102", "Max30102", 0x57, 64.0, 75),
    ("max30102", "Max30102", 0x57, 13.0, 150),
    ("max30102", "Max30102", 0x57, 400.0, 75),
    ("tmp117", "Tmp117", 0x48, 8.0, 125),
]
SETTLE_MS = 150


class Worn:
    """A source and its chip, sampled on one clock."""

    def __init__(self, on_board, body, ticks, chip) -> None:
        module, name, address, rate_hz, _ = chip
        self.chip = getattr(importlib.import_module(f"sim.devices.{module}"), name)(body)
        self._body, self._ticks, self._period_ms = body, ticks, round(1000 / rate_hz)
        driver = getattr(on_board(f"sensors.{module}"), name)
        self.source = on_board("channel").Source(module, driver(Bus({address: self.chip}), address))
        for stream in self.source.streams:
            stream.begin(0, 1, int(1000 * rate_hz), 0)
        self.source.set_fastest()
        self.pass_ms(SETTLE_MS)

    def pass_ms(self, ms: int) -> None:
        self._ticks.ms += ms
        self._body.us += 1000 * ms

    def live(self, seconds: float) -> list[tuple[int, bytes | None]]:
        """(ms since the beginning, what was sampled) of each sample."""
        told, start_ms = [], self._ticks.ms
        while self._ticks.ms < start_ms + 1000 * seconds:
            is_there = self.source.sample()
            data = bytes(self.source.sensor.data) if is_there else None
            told.append((self._ticks.ms - start_ms, data))
            self.pass_ms(self._period_ms)
        return told


@pytest.fixture(params=CHIPS, ids=lambda chip: f"{chip[0]}-{chip[3]:g}")
def chip(request):
    return request.param


@pytest.fixture
def worn(on_board, body, ticks, chip):
    body.counts.update(acc=[1, 2, 4096], gyro=[3, 4, 5])
    return Worn(on_board, body, ticks, chip)


def test_chip_that_works_is_never_begun_anew(worn) -> None:
    told = worn.live(60.0)
    assert all(data is not None for _, data in told)
    assert worn.source.n_errors == 0


def test_reset_chip_is_begun_anew_and_what_it_says_meanwhile_is_short(worn, chip) -> None:
    before = worn.live(3.0)[-1][1]
    worn.chip.reset()
    told = worn.live(10.0)
    gaps_ms = [ms for ms, data in told if data is None]
    assert gaps_ms[0] <= chip[-1]
    assert SETTLE_MS <= gaps_ms[-1] - gaps_ms[0] + worn._period_ms <= 2 * SETTLE_MS + 125
    assert worn.source.n_errors == 1
    assert not worn.source.is_failing
    assert {data for ms, data in told if ms > gaps_ms[-1]} == {before}


def test_reset_while_nobody_looks_for_a_week_is_seen_too(worn) -> None:
    worn.live(3.0)
    worn.chip.reset()
    # Half of the range of the board's counter, which then seems to have gone back.
    worn.pass_ms(2**29 + 60_000)
    told = worn.live(1.0)
    if not hasattr(worn.source.sensor, "level") and len(worn.source.streams) == 1:
        # The thermometer measures without being told to.
        assert worn.source.n_errors == 0
        return
    assert told[0][1] is None
    assert told[-1][1] is not None
    assert worn.source.n_errors == 1


@pytest.mark.parametrize("chip", CHIPS[:1], ids=["lsm6ds3"], indirect=True)
def test_chip_that_forgets_again_and_again_is_told_to_fail(worn, monkeypatch) -> None:
    monkeypatch.setattr(worn.chip, "write", lambda *_: None)
    worn.chip.reset()
    worn.live(5.0)
    assert worn.source.is_failing


def test_thermometer_has_no_result_at_first(on_board, body, ticks) -> None:
    worn = Worn(on_board, body, ticks, CHIPS[-1])
    worn.chip.reset()
    with pytest.raises(ValueError, match="no result"):
        worn.source.sensor.sample()
    worn.pass_ms(125)
    assert worn.source.sample()
    assert struct.unpack("<h", worn.source.sensor.data) == (-77,)


@pytest.mark.needs_node
def test_every_channel_of_a_board_outlives_a_dip(live) -> None:
    heard = live(14.0, dips_s=(5.05,))
    status = heard.of(Status)[-1]
    assert all(part.state is PartState.WORKS for part in status.parts)
    errors = {part.name: part.n_errors for part in status.parts}
    assert (errors["lsm6ds3"], errors["max30102"], errors["eda"]) == (1, 1, 0)
    least = {"acc": 0.5, "gyro": 0.0, "bvp": 0.0, "temp": 20.0, "eda": 0.0}
    for channel in CHANNELS:
        number = heard[0].channel(channel.name).stream
        blocks = [b for b in heard.of(Block) if b.stream == number]
        after = [b for b in blocks if b.ticks_us > 7_000_000]
        raw = np.frombuffer(b"".join(b.data for b in after), NUMPY_DTYPES[channel.dtype])
        values = raw.reshape(-1, channel.axes) * channel.scale + channel.offset
        assert len(values) > 5 * channel.rate_hz / 2
        assert np.linalg.norm(values, axis=1).min() > least[channel.name]
        if channel.name in ("bvp", "gyro"):
            assert len(np.unique(values)) > 100
        if channel.name == "temp":
            every = np.frombuffer(b"".join(b.data for b in blocks), "<i2") * channel.scale
            assert every.min() > least["temp"]
