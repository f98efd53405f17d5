from __future__ import annotations

import io
from pathlib import Path

import pytest

from firmware_host.adaptation.limits import Limits
from firmware_host.adaptation.policy import Asked, Cause, Work
from firmware_host.runtime.permission import (
    LOOK_S,
    QUESTION,
    STEPS_PER_VIRTUAL_S,
    HostWatch,
    ask_host,
    ask_run,
)


class Machine:
    """A host whose temperature a test sets, and a clock that a test moves."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.now_s = 0.0
        self.warm(50.0)

    def warm(self, soc_c: float) -> None:
        zone = self.root / "sys/class/thermal/thermal_zone0"
        zone.mkdir(parents=True, exist_ok=True)
        (zone / "temp").write_text(f"{soc_c * 1000:.0f}\n")

    def unplug(self) -> None:
        battery = self.root / "sys/class/power_supply/battery"
        battery.mkdir(parents=True)
        (battery / "type").write_text("Battery\n")
        (battery / "status").write_text("Discharging\n")

    def watch(self) -> HostWatch:
        return HostWatch(self.root, self.root, Limits(), clock=lambda: self.now_s)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_host_is_looked_at_every_few_seconds_only(machine: Machine) -> None:
    watch = machine.watch()
    assert watch.ask(Work(1)).go
    machine.warm(80.0)
    machine.now_s = LOOK_S - 0.1
    assert watch.ask(Work(1)).go
    machine.now_s = LOOK_S
    assert watch.ask(Work(1)).has(Cause.HOT)


def test_clock_that_went_back_is_looked_at_again(machine: Machine) -> None:
    watch = machine.watch()
    machine.now_s = 1000.0
    assert watch.ask(Work(1)).go
    machine.warm(80.0)
    machine.now_s = 10.0
    assert not watch.ask(Work(1)).go


def test_each_look_follows_from_the_one_before(machine: Machine) -> None:
    watch, went = machine.watch(), []
    for soc_c in (74.0, 75.5, 72.0, 69.9, 72.0):
        machine.warm(soc_c)
        machine.now_s += LOOK_S
        went.append(watch.ask(Work(1)).go)
    assert went == [True, False, False, True, True]


def test_job_is_told_why_it_has_to_pause(machine: Machine) -> None:
    may_go_on = ask_host(machine.watch(), Asked.BY_HAND)
    assert may_go_on() is None
    machine.warm(76.0)
    assert may_go_on() is None
    machine.now_s = LOOK_S
    assert may_go_on() == "waiting for the host to cool down to 70 degC (now 76 degC)"


def test_person_passes_over_a_battery_but_not_over_heat(machine: Machine) -> None:
    machine.unplug()
    assert ask_host(machine.watch(), Asked.BY_HAND)() == "waiting for mains power (on battery now)"
    assert ask_host(machine.watch(), Asked.NOW)() is None
    machine.warm(76.0)
    assert ask_host(machine.watch(), Asked.NOW)() is not None


def test_job_that_runs_is_not_too_busy_for_itself(machine: Machine) -> None:
    """A single core under one learner alone: a load of one, of which none is anybody else's."""
    for path, text in (("proc/loadavg", "0.1"), ("sys/devices/system/cpu/online", "0")):
        (machine.root / path).parent.mkdir(parents=True)
        (machine.root / path).write_text(text)
    may_go_on = ask_host(machine.watch(), Asked.BY_HAND)
    assert may_go_on() is None
    (machine.root / "proc/loadavg").write_text("1.7")
    machine.now_s = LOOK_S
    assert may_go_on() is None
    (machine.root / "proc/loadavg").write_text("1.9")
    machine.now_s = 2 * LOOK_S
    assert "less busy host" in str(may_go_on())


def test_run_is_asked_once_for_a_second_of_steps() -> None:
    questions = io.StringIO()
    may_go_on = ask_run(io.StringIO("go\ngo\nstop too hot for it\n"), questions)
    said = [may_go_on() for _ in range(2 * STEPS_PER_VIRTUAL_S + 1)]
    assert said == [None] * (2 * STEPS_PER_VIRTUAL_S) + ["too hot for it"]
    assert questions.getvalue() == f"{QUESTION}\n" * 3


def test_run_that_has_ended_is_a_reason_to_pause() -> None:
    assert ask_run(io.StringIO(""), io.StringIO())() == "the run that started it has ended"
