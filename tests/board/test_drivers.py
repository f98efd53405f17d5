"""Drivers against chips at register level, both as they are, under CPython."""

from __future__ import annotations

import struct

import pytest

from firmware_host.protocol.messages import DTYPE_BYTES
from sim.devices.bus import Bus
from sim.devices.lsm6ds3 import Lsm6ds3
from sim.devices.max30102 import Max30102
from sim.devices.mpu6050 import Mpu6050
from sim.devices.tmp117 import Tmp117
from sim.sensors import CHANNELS

SCALES = {c.name: (c.unit, c.scale, c.offset, c.dtype, c.axes) for c in CHANNELS}


def _raw(sensor, name: str) -> list[int]:
    _, _, _, _, dtype, axes, at = next(c for c in sensor.channels if c[0] == name)
    code = {"i16": "h", "u16": "H", "i32": "i"}[dtype]
    return list(struct.unpack_from(f"<{axes}{code}", sensor.data, at))


@pytest.fixture
def lsm6ds3(on_board, body):
    def make(**options):
        driver = on_board("sensors.lsm6ds3")
        return driver.Lsm6ds3(Bus({0x6A: Lsm6ds3(body)}), driver.ADDRESSES[0], **options)

    return make


@pytest.fixture
def mpu6050(on_board, body):
    return on_board("sensors.mpu6050").Mpu6050(Bus({0x68: Mpu6050(body)}), 0x68)


@pytest.fixture
def max30102(on_board, body):
    return on_board("sensors.max30102").Max30102(Bus({0x57: Max30102(body)}), 0x57)


@pytest.fixture
def tmp117(on_board, body):
    sensor = on_board("sensors.tmp117").Tmp117(Bus({0x48: Tmp117(body)}), 0x48)
    body.us += 125_000
    return sensor


class Adc:
    def __init__(self, values: list[int]) -> None:
        self.values = values

    def read_u16(self) -> int:
        return self.values.pop(0)


def test_channels_are_those_of_the_simulated_board(lsm6ds3, max30102, tmp117, on_board) -> None:
    eda = on_board("sensors.eda").Eda(Adc([]), 60.0)
    told = {c[0]: c[1:6] for s in (lsm6ds3(), max30102, tmp117, eda) for c in s.channels}
    assert told == SCALES


def test_data_is_as_long_as_its_channels(lsm6ds3, mpu6050, max30102, tmp117) -> None:
    for sensor in (lsm6ds3(), mpu6050, max30102, tmp117):
        ends = [at + axes * DTYPE_BYTES[dtype] for *_, dtype, axes, at in sensor.channels]
        assert len(sensor.data) == max(ends)


def test_lsm6ds3_gives_the_bodys_counts(lsm6ds3, body) -> None:
    sensor = lsm6ds3()
    assert sensor.set_rate(100.0)
    sensor.sample()
    assert (_raw(sensor, "acc"), _raw(sensor, "gyro")) == (body.counts["acc"], body.counts["gyro"])


@pytest.mark.parametrize(("range_g", "factor"), [(2, 4), (4, 2), (16, 0.5)])
def test_lsm6ds3_range_changes_counts_and_scale_together(lsm6ds3, body, range_g, factor) -> None:
    body.counts["acc"] = [1000, -2000, 4]
    plain, other = lsm6ds3(), lsm6ds3(range_g=range_g)
    other.set_rate(50.0)
    other.sample()
    assert _raw(other, "acc") == [1000 * factor, -2000 * factor, 4 * factor]
    scales = [sensor.channels[0][2] for sensor in (plain, other)]
    assert scales[0] == pytest.approx(factor * scales[1])


def test_lsm6ds3_saturates_at_its_range(lsm6ds3, body) -> None:
    body.counts["acc"] = [20_000, -20_000, 0]
    sensor = lsm6ds3(range_g=2)
    sensor.set_rate(50.0)
    sensor.sample()
    assert _raw(sensor, "acc") == [32_767, -32_768, 0]


def test_lsm6ds3_that_was_not_begun_gives_nothing(lsm6ds3) -> None:
    sensor = lsm6ds3()
    sensor.sample()
    assert _raw(sensor, "acc") == [0, 0, 0]


def test_mpu6050_gives_the_same_motion_in_its_own_counts(mpu6050, body) -> None:
    body.counts.update(acc=[4098, -100, 0], gyro=[100, -2000, 7])
    assert mpu6050.set_rate(100.0)
    mpu6050.sample()
    for name, unit in (("acc", 0), ("gyro", 1)):
        own = [count * SCALES[name][1] for count in body.counts[name]]
        scale = mpu6050.channels[unit][2]
        told = [count * scale for count in _raw(mpu6050, name)]
        assert told == pytest.approx(own, abs=scale)


def test_max30102_gives_the_mean_of_what_came(max30102, body) -> None:
    for count, us in ((1000, 5000), (2000, 10_000)):
        # Two samples of 2.5 ms each time.
        body.counts["bvp"], body.us = [count], us
        max30102._read(0x04)
    max30102.sample()
    assert _raw(max30102, "bvp") == [1500]


def test_max30102_without_news_says_the_last_again(max30102, body) -> None:
    body.us = 10_000
    max30102.sample()
    body.counts["bvp"] = [5]
    max30102.sample()
    assert _raw(max30102, "bvp") == [131_072]


def test_max30102_counts_overruns_but_the_one_before_the_first_look(max30102, body) -> None:
    body.us = 1_000_000
    max30102.sample()
    assert max30102.n_overrun == 0
    body.us = 2_000_000
    max30102.sample()
    assert max30102.n_overrun == 1
    assert _raw(max30102, "bvp") == [131_072]


def test_max30102_holds_eighteen_bits(max30102, body) -> None:
    body.counts["bvp"], body.us = [2**18 - 1], 10_000
    max30102.sample()
    assert _raw(max30102, "bvp") == [2**18 - 1]


def test_tmp117_turns_the_bytes_round(tmp117, body) -> None:
    tmp117.sample()
    assert _raw(tmp117, "temp") == [-77]


def test_eda_is_the_mean_of_eight_rounded(on_board) -> None:
    eda = on_board("sensors.eda").Eda(Adc([10, 10, 10, 10, 11, 11, 11, 11] + [65_535] * 8), 60.0)
    eda.sample()
    assert _raw(eda, "eda") == [11]
    eda.sample()
    assert _raw(eda, "eda") == [65_535]


@pytest.mark.parametrize(
    ("name", "rates", "wrong"),
    [
        ("lsm6ds3", (12.5, 50.0, 100.0, 833.0), (1000.0,)),
        ("mpu6050", (4.0, 1000.0), (0.0, 1001.0)),
        ("max30102", (13.0, 64.0, 400.0), (12.5, 401.0)),
        ("tmp117", (0.1, 8.0), (9.0, 0.0)),
    ],
)
def test_rates_that_a_sensor_cannot_do_are_refused(request, name, rates, wrong) -> None:
    sensor = request.getfixturevalue(name)
    sensor = sensor() if callable(sensor) else sensor
    assert all(sensor.set_rate(rate) for rate in rates)
    assert not any(sensor.set_rate(rate) for rate in wrong)


@pytest.mark.parametrize(("rate_hz", "bits"), [(12.5, 1), (13.0, 2), (26.0, 2), (833.0, 7)])
def test_lsm6ds3_runs_at_least_as_fast_as_it_is_read(lsm6ds3, rate_hz, bits) -> None:
    sensor = lsm6ds3()
    sensor.set_rate(rate_hz)
    # CTRL1_XL and CTRL2_G: 12.5 Hz, 26 Hz, 833 Hz.
    assert [sensor._read(register) >> 4 for register in (0x10, 0x11)] == [bits, bits]


@pytest.mark.parametrize("options", [{"range_g": 3}, {"range_dps": 500.5}])
def test_range_that_is_in_no_table_is_refused(lsm6ds3, options) -> None:
    with pytest.raises(ValueError, match="no such range"):
        lsm6ds3(**options)


CHIPS = [
    ("lsm6ds3", "Lsm6ds3", 0x6A),
    ("mpu6050", "Mpu6050", 0x68),
    ("max30102", "Max30102", 0x57),
    ("tmp117", "Tmp117", 0x48),
]


class Stranger:
    """Another chip at the address."""

    def write(self, *_) -> None:
        raise AssertionError("nothing is written to a chip that is not ours")

    def read_into(self, _, buffer) -> None:
        buffer[:] = b"\x5a" * len(buffer)


@pytest.mark.parametrize(("module", "name", "address"), CHIPS)
def test_another_chip_is_refused_and_left_alone(on_board, module, name, address) -> None:
    driver = getattr(on_board(f"sensors.{module}"), name)
    with pytest.raises(ValueError, match=f"{module}: .* id 0x.*5a, expected 0x"):
        driver(Bus({address: Stranger()}), address)


@pytest.mark.parametrize(("module", "name", "address"), CHIPS)
def test_nobody_at_the_address_is_an_error_of_the_bus(on_board, module, name, address) -> None:
    driver = getattr(on_board(f"sensors.{module}"), name)
    with pytest.raises(OSError, match="19"):
        driver(Bus({}), address)
