"""The simulated host: physics that must hold, and a tree that the real readers read."""

from __future__ import annotations

from pathlib import Path

import pytest

from firmware_host.errors import ConfigError
from firmware_host.host.load import Load
from firmware_host.host.network import Network
from firmware_host.host.power import Power, Source
from firmware_host.host.readings import read_host
from firmware_host.host.thermal import Slowed
from sim.host import THROTTLE_C, HostModel
from sim.host_plan import Change, HostPlan, build_host_plan

BARE, CASE_K_PER_W = HostPlan(), 16.0
CLOSED = HostPlan(case_k_per_w=CASE_K_PER_W)


def _host(plan: HostPlan = BARE) -> HostModel:
    return HostModel(plan, seed=7)


def test_idle_host_stays_at_the_temperature_it_settled_at() -> None:
    host = _host()
    start_c = host.soc_c
    host.advance(7200, 0.0)
    assert host.soc_c == pytest.approx(start_c, abs=1e-9)
    assert start_c == pytest.approx(22 + 10 * (2.7 + 0.15 * 0.925))


def test_work_warms_it_by_power_times_resistance_and_it_cools_down_again() -> None:
    host = _host()
    idle_c = host.soc_c
    host.advance(3600, 1.0)
    assert host.soc_c - idle_c == pytest.approx(10 * 0.925, rel=1e-6)
    host.advance(3600 + 150, 0.0)
    # One time constant, 15 J/K times 10 K/W, leaves 1/e of the difference.
    assert host.soc_c - idle_c == pytest.approx(10 * 0.925 * 0.3679, rel=1e-3)


def test_how_often_it_is_asked_makes_no_difference() -> None:
    once, often = _host(CLOSED), _host(CLOSED)
    once.advance(600, 1.0)
    for i in range(1, 1801):
        often.advance(i / 3, 1.0)
    assert often.soc_c == pytest.approx(once.soc_c, abs=1e-9)
    assert often.is_throttled == once.is_throttled


def test_learner_alone_brings_a_closed_case_to_the_throttle_and_the_throttle_holds_it_there() -> (
    None
):
    host = _host(CLOSED)
    temps_c, flips, was = [], 0, False
    for t_s in range(1, 3601):
        host.advance(t_s, 1.0)
        temps_c.append(host.soc_c)
        flips += host.is_throttled != was
        was = host.is_throttled
    assert THROTTLE_C <= max(temps_c) < THROTTLE_C + 1
    assert min(temps_c[600:]) > 77
    # On at 80, off at 78: it swings, and not every second.
    assert 2 < flips < 60


def test_warmer_air_makes_it_as_much_warmer() -> None:
    plan = HostPlan(changes=(Change(600, ambient_c=32.0),))
    host = _host(plan)
    idle_c = host.soc_c
    host.advance(7200, 0.0)
    assert host.soc_c == pytest.approx(idle_c + 10, abs=1e-6)


def test_battery_runs_down_unplugged_faster_under_load_and_charges_plugged_in(
    tmp_path: Path,
) -> None:
    plan = HostPlan(battery_percent=50.0, changes=(Change(3600, mains=False), Change(7200, True)))
    used = []
    for busy in (0.0, 2.0):
        host = _host(plan)
        host.advance(3600, 0.0)
        full = host.battery_percent
        host.advance(7200, busy)
        used.append(full - host.battery_percent)
        host.write(tmp_path)
        assert read_host(tmp_path).power == Power(Source.MAINS, int(host.battery_percent))
    assert used[0] == pytest.approx(100 * (2.7 + 0.15 * 0.925) / 18.5, rel=1e-3)
    assert used[1] == pytest.approx(used[0] + 100 * 2 * 0.925 / 18.5, rel=1e-3)


def test_battery_stays_between_empty_and_full() -> None:
    plan = HostPlan(battery_percent=5.0, changes=(Change(0, mains=False), Change(36_000, True)))
    host = _host(plan)
    host.advance(36_000, 0.0)
    assert host.battery_percent == 0
    host.advance(72_000, 0.0)
    assert host.battery_percent == 100


def test_real_readers_read_the_tree(tmp_path: Path) -> None:
    host = _host(HostPlan(cpus=2, battery_percent=80.5, changes=(Change(0, mains=False),)))
    host.write(tmp_path)
    read = read_host(tmp_path)
    assert read.power == Power(Source.BATTERY, 80.0)
    assert read.heat.soc_c == pytest.approx(host.soc_c, abs=1.5)
    assert read.heat.slowed == ()
    assert read.load == Load(0.15, 2)
    assert read.network is Network.UNMETERED
    host.advance(120, 1.0)
    host.write(tmp_path)
    assert read_host(tmp_path).load.last_minute == pytest.approx(1.15 - 0.135, abs=0.01)


def test_board_without_a_battery_lists_no_supply(tmp_path: Path) -> None:
    _host().write(tmp_path)
    assert list((tmp_path / "sys/class/power_supply").iterdir()) == []
    assert read_host(tmp_path).power == Power(Source.MAINS)


def test_throttle_shows_as_the_firmware_shows_it(tmp_path: Path) -> None:
    host = _host(CLOSED)
    host.advance(3600, 2.0)
    flags = tmp_path / "sys/devices/platform/soc/soc:firmware/get_throttled"
    said = set()
    for t_s in range(3600, 3900, 5):
        host.advance(t_s, 2.0)
        host.write(tmp_path)
        said.add((host.is_throttled, flags.read_text(), read_host(tmp_path).heat.slowed))
    assert said == {(True, "20002\n", (Slowed.CAPPED,)), (False, "20000\n", ())}


def test_sensor_is_noisy_in_its_own_steps_and_the_same_for_the_same_seed(tmp_path: Path) -> None:
    def trace(seed: int) -> list[str]:
        host = HostModel(BARE, seed=seed)
        said = []
        for t_s in range(20):
            host.advance(t_s, 0.0)
            host.write(tmp_path)
            said.append((tmp_path / "sys/class/thermal/thermal_zone0/temp").read_text())
        return said

    assert trace(7) == trace(7)
    assert trace(7) != trace(8)
    assert len(set(trace(7))) > 1
    assert all(int(text) % 487 == 0 for text in trace(7))


def test_plan_is_lived_again_each_period() -> None:
    plan = HostPlan(
        battery_percent=50.0,
        changes=(Change(600, mains=False, ambient_c=30.0), Change(1200, mains=True)),
        period_s=3600,
    )
    for start_s in (0, 3600, 7200):
        assert plan.at(start_s) == (True, 22.0)
        assert plan.at(start_s + 700) == (False, 30.0)
        assert plan.at(start_s + 1300) == (True, 30.0)


def test_plan_is_read_from_a_scenario() -> None:
    table = {
        "ambient_c": 25,
        "battery_percent": 60,
        "change": [{"minutes": 10, "mains": False}, {"minutes": 20, "ambient_c": 35.5}],
    }
    plan = build_host_plan(table, period_s=3600)
    assert plan.changes == (Change(600, mains=False), Change(1200, ambient_c=35.5))
    assert (plan.ambient_c, plan.battery_percent, plan.period_s) == (25.0, 60.0, 3600)


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ({"ambient": 20}, "host: expected only the keys ambient_c"),
        ({"ambient_c": 90}, "host.ambient_c: expected a number from -20 to 60, got 90"),
        ({"ambient_c": "warm"}, "host.ambient_c: expected a number"),
        ({"cpus": 0}, "host.cpus: expected a whole number from 1 to 64"),
        ({"battery_percent": 101}, "host.battery_percent: expected a number from 0 to 100"),
        ({"change": [{"minutes": 5, "mains": False}]}, "host.mains: expected battery_percent"),
        ({"change": [{"minutes": 99}]}, "host.change.minutes: expected a number from 0 to 60"),
        (
            {"change": [{"minutes": 9}, {"minutes": 8}]},
            "host.change: expected times that only grow",
        ),
        ({"change": [{"mains": True}]}, "host.change.minutes: expected a number from 0 to 60"),
        ({"change": [{"minutes": 1, "mains": 1.5}]}, "host.change.mains: expected true or false"),
        ({"change": 3}, "host.change: expected a list of tables"),
        ({"change": [3]}, "host.change: expected a table"),
    ],
)
def test_plan_that_cannot_be_is_refused(table: dict, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        build_host_plan(table, period_s=3600)
