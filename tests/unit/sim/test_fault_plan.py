from __future__ import annotations

import re
import tomllib
from itertools import islice
from pathlib import Path

import pytest

from firmware_host.errors import ConfigError
from sim.fault_plan import FAULT_HELP, KINDS, Fault, FaultPlan, build_faults, parse_fault_spec
from sim.schedule import build_schedule, load_scenario, scenario_names
from sim.soak_day import EVERYTHING, soak_faults, soak_stretches


def test_short_form_is_the_same_as_tables() -> None:
    spec = "corrupt=0.1,short_reads=8,stall=5,unplug=9:2,reorder=0.02,drift=-30,slow_host=4:1,brown_out=70"
    rows = [
        {"kind": "corrupt", "rate_per_byte": 0.1},
        {"kind": "short_reads", "max_bytes": 8},
        {"kind": "stall", "at_s": 5, "for_s": 5.0},
        {"kind": "unplug", "at_s": 9, "for_s": 2},
        {"kind": "reorder", "rate_per_frame": 0.02},
        {"kind": "drift", "drift_ppm": -30},
        {"kind": "slow_host", "at_s": 4, "for_s": 1},
        {"kind": "brown_out", "at_s": 70},
    ]
    assert parse_fault_spec(spec) == build_faults(rows)
    assert parse_fault_spec("short_reads") == build_faults([{"kind": "short_reads"}])
    assert not parse_fault_spec("")


def test_each_fault_has_one_name_in_the_help_on_the_page_and_in_scenarios() -> None:
    said = {name for line in FAULT_HELP.splitlines() for name in re.findall(r"(\w+)=[A-Z]", line)}
    assert said == set(KINDS) - {"clock_jump"}
    page = (Path(__file__).resolve().parents[3] / "docs" / "simulator.md").read_text()
    table = page.partition("| Kind | What happens |")[2].partition("\n\n")[0]
    rows = [row.split("|")[1] for row in table.splitlines()[2:]]
    assert {name for row in rows for name in re.findall(r"`(\w+)`", row)} == set(KINDS)


@pytest.mark.parametrize(
    "spec",
    [
        "melt=1",
        "flip=0.1",
        "short=8",
        "clock_jump=3",
        "corrupt=x",
        "corrupt=0.9",
        "corrupt=nan",
        "corrupt=-1",
        "stall=",
        "short_reads=0",
        "unplug=a:1",
    ],
)
def test_spec_refuses_what_it_does_not_know(spec: str) -> None:
    with pytest.raises(ConfigError, match="fault") as caught:
        parse_fault_spec(spec)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("row", "says"),
    [
        (3, "fault 1: expected a table, got 3"),
        ({}, "fault 1.kind: expected one of drop, duplicate"),
        ({"rate": 0.1}, "fault 1: expected only the keys kind, at_s"),
        (
            {"kind": "drop", "max_bytes": 3},
            r"fault 1 \(drop\): expected only the keys kind, at_s, for_s, every_s, until_s, rate_per_byte",
        ),
        ({"kind": "drop", "rate_per_byte": 0.7}, "rate_per_byte: expected a number from 0 to 0.5"),
        ({"kind": "drop", "at_s": float("nan")}, "at_s: expected a number .* got nan"),
        ({"kind": "clock_jump", "for_s": 3}, "only the keys kind, at_s, every_s"),
        ({"kind": "off_skin", "channel": "acc"}, "channel: expected one of bvp, eda, temp, all"),
        ({"kind": "stall", "for_s": 9, "every_s": 9}, "every_s: expected longer than one lasts"),
        ({"kind": "brown_out", "resets": 5, "every_s": 9}, "every_s: expected longer than one"),
        ({"kind": "stall", "for_s": True}, "for_s: expected a number"),
    ],
)
def test_table_that_cannot_be_is_one_line(row: object, says: str) -> None:
    with pytest.raises(ConfigError, match=says) as caught:
        build_faults([row])
    assert "\n" not in str(caught.value)


def test_every_kind_has_a_scenario_and_is_in_everything() -> None:
    everything = {fault.kind for fault in load_scenario(EVERYTHING).faults.faults}
    assert everything == set(KINDS)
    for kind in KINDS:
        shown = load_scenario(f"fault-{kind.replace('_', '-')}")
        assert {fault.kind for fault in shown.faults.faults} == {kind}


def test_every_scenario_says_what_it_is() -> None:
    abouts = [load_scenario(name).about for name in scenario_names()]
    assert all(abouts)
    assert len(set(abouts)) == len(abouts)


def test_scenario_may_live_another_ones_life() -> None:
    short = load_scenario("short")
    mine = build_schedule({"life": "short", "fault": [{"kind": "stall"}]}, name="mine")
    assert (mine.name, mine.bouts, mine.start_utc) == ("mine", short.bouts, short.start_utc)
    assert len(mine.faults.faults) == 1
    with pytest.raises(ConfigError, match="bout: expected nothing beside life"):
        build_schedule({"life": "short", "bout": []}, name="mine")
    with pytest.raises(ConfigError, match="life: expected one of day"):
        build_schedule({"life": "holiday"}, name="mine")


def test_plan_written_as_toml_is_read_back_whole() -> None:
    plan = soak_faults(soak_stretches(24.0))
    text = "\n\n".join(fault.as_toml() for fault in plan.faults)
    assert build_faults(tomllib.loads(text)["fault"]) == plan


def test_spans_come_again_and_end_with_the_plan() -> None:
    fault = Fault("stall", at_s=10.0, for_s=5.0, every_s=20.0, until_s=52.0)
    assert list(fault.spans()) == [(10.0, 15.0), (30.0, 35.0), (50.0, 52.0)]
    assert list(fault.within(100.0, 133.0).spans()) == [(110.0, 115.0), (130.0, 133.0)]
    assert list(fault.later(1).spans()) == [(30.0, 35.0), (50.0, 52.0)]
    edges = [(edge.t_s, edge.begins) for edge in islice(fault.edges(), 4)]
    assert edges == [(10.0, True), (15.0, False), (30.0, True), (35.0, False)]


def test_edges_of_several_faults_are_in_the_order_of_time() -> None:
    plan = build_faults(
        [
            {"kind": "brown_out", "at_s": 10, "resets": 3, "apart_s": 4},
            {"kind": "unplug", "at_s": 12, "for_s": 3},
        ]
    )
    assert [(e.t_s, e.begins, e.fault.kind) for e in plan.edges()] == [
        (10.0, True, "brown_out"),
        (12.0, True, "unplug"),
        (14.0, True, "brown_out"),
        (15.0, False, "unplug"),
        (18.0, True, "brown_out"),
    ]


def test_drift_makes_the_boards_clock_run_off_and_the_way_back_is_exact() -> None:
    plan = build_faults(
        [{"kind": "drift", "at_s": 100, "for_s": 50, "every_s": 100, "drift_ppm": 200}]
    )
    assert plan.board_s(100.0) == 100.0
    assert plan.board_s(150.0) == pytest.approx(150.01)
    assert plan.board_s(400.0) == pytest.approx(400.03)
    for true_s in (0.0, 99.0, 125.0, 350.0, 1e4):
        assert plan.true_s(plan.board_s(true_s)) == pytest.approx(true_s, abs=1e-6)
    assert FaultPlan().true_s(7.0) == 7.0
