"""The truth table of the learning policy: one row, one state of the host, what must come of it."""

from __future__ import annotations

import dataclasses

import pytest

from firmware_host.adaptation.limits import Limits
from firmware_host.adaptation.policy import Asked, Block, Cause, Verdict, Work, decide
from firmware_host.errors import ConfigError
from firmware_host.host.load import Load
from firmware_host.host.network import Network
from firmware_host.host.power import Power, Source
from firmware_host.host.readings import HostReadings
from firmware_host.host.thermal import Heat, Slowed

LIMITS = Limits()
# A column that a row does not set is what a well-cooled, idle, plugged-in host with a new story says.
CALM = {
    "power": "mains",
    "battery": None,
    "soc_c": 50.0,
    "trip_c": None,
    "slowed": "",
    "load": 0.2,
    "cpus": 4,
    "network": "none",
    "free_mb": 5000.0,
    "stories": 1,
    "state": "idle",
    "since_h": None,
    "lost": 0.0,
    "asked": "run",
    "before": "",
    "cool_to": None,
    "after_min": 0,
}

# A host on which nothing is right, and the causes in the order in which they are named.
WORST = (
    "stories=0 free_mb=0 slowed=under-voltage,throttled soc_c=80 power=battery battery=3 lost=9 "
    "load=9 since_h=0"
)
HARM = "disk_full under_voltage throttled hot low_battery"
BUT_NEED = f"{HARM} on_battery dropping busy"
NAMES = {
    "harm": HARM,
    "but_need": BUT_NEED,
    "everything": f"no_labels {BUT_NEED} too_soon",
}

# What is different from a calm host                                     what is waited for, in order
TABLE = """
                                                                      | go
power=unknown                                                         | go
power=battery battery=80                                              | on_battery
power=battery battery=80                             asked=hand       | on_battery
power=battery battery=80                             asked=now        | go
power=battery                                                         | on_battery
battery=15                                                            | go
battery=14.9                                                          | low_battery
battery=19.9                                         before=low_battery | low_battery
battery=20                                           before=low_battery | go
battery=14.9                                         asked=now        | low_battery
battery=19.9                                         state=paused     | low_battery
battery=20                                           state=paused     | go
power=battery battery=14.9                                            | low_battery on_battery
soc_c=?                                                               | go
soc_c=74.9                                                            | go
soc_c=75                                                              | hot
soc_c=75                                             asked=now        | hot
soc_c=70.1                                           before=hot cool_to=70 | hot
soc_c=70                                             before=hot cool_to=70 | go
soc_c=?                                              before=hot cool_to=70 | hot
soc_c=71                              after_min=9    before=hot cool_to=70 | hot
soc_c=71                              after_min=10   before=hot cool_to=70 | go
soc_c=74.1                            after_min=999  before=hot cool_to=70 | hot
soc_c=74                              after_min=999  before=hot cool_to=70 | go
soc_c=54.1 trip_c=60                  after_min=999  before=hot cool_to=50 | hot
soc_c=54 trip_c=60                    after_min=999  before=hot cool_to=50 | go
soc_c=?                               after_min=999  before=hot cool_to=70 | hot
soc_c=70.1                                           before=busy      | go
soc_c=65 trip_c=70                                                    | hot
soc_c=64.9 trip_c=70                                                  | go
soc_c=74.9 trip_c=95                                                  | go
soc_c=75 trip_c=95                                                    | hot
slowed=?                                                              | go
slowed=under-voltage                                                  | under_voltage
slowed=under-voltage                                 asked=now        | under_voltage
slowed=under-voltage,throttled                                        | under_voltage throttled
slowed=throttled                                                      | throttled
slowed=frequency_capped                                               | throttled
slowed=too_hot                                       asked=now        | throttled
slowed=too_hot soc_c=60                                               | throttled hot
slowed=throttled soc_c=?                                              | throttled
soc_c=55.1                                           before=hot cool_to=55 | hot
soc_c=70.1                                           state=paused     | hot
soc_c=70                                             state=paused     | go
soc_c=70.1                                           state=running    | go
soc_c=70.1                                           state=paused before=busy | go
load=?                                                                | go
cpus=?                                   load=99                      | go
load=3.2                                                              | go
load=3.3                                                              | busy
load=3.3                                             asked=hand       | busy
load=3.3                                             asked=now        | go
load=4.2                                             state=running    | go
load=4.3                                             state=running    | busy
load=2.5                                             state=paused     | busy
load=2.4                                             state=paused     | go
load=2.4                                             before=busy      | go
load=2.5                                             before=busy      | busy
load=1.5 cpus=1                                      state=running    | go
network=metered                                                       | go
network=unmetered                                                     | go
network=unknown                                                       | go
free_mb=?                                                             | go
free_mb=100                                                           | go
free_mb=99.9                                                          | disk_full
free_mb=99.9                                         asked=now        | disk_full
lost=?                                                                | go
lost=5                                                                | go
lost=5.1                                                              | dropping
lost=1.1                                             before=dropping  | dropping
lost=1                                               before=dropping  | go
lost=5.1                                             state=running    | dropping
lost=5.1                                             asked=now        | go
lost=1.1                                             state=paused     | dropping
stories=0                                                             | no_labels
stories=0                                            asked=hand       | go
stories=0                                            asked=now        | go
stories=0                                            state=running    | go
stories=0                                            state=paused     | go
stories=3                                                             | go
since_h=0.49                                                          | too_soon
since_h=0.5                                                           | go
since_h=-1                                                            | go
since_h=0.1                                          asked=hand       | go
since_h=0.1                                          state=running    | go
since_h=0.1                                          state=paused     | go
worst                                                                 | everything
worst                                                asked=hand       | but_need
worst                                                asked=now        | harm
"""


def _parse(row: str) -> tuple[str, str]:
    state, _, expected = (part.strip() for part in row.partition("|"))
    return state.replace("worst", WORST), NAMES.get(expected, expected)


ROWS = [_parse(row) for row in TABLE.strip("\n").splitlines()]


def _number(text: object) -> float | None:
    return None if text in (None, "?") else float(text)


def _readings(row: dict) -> HostReadings:
    slowed = [word.replace("_", " ") for word in str(row["slowed"]).split(",") if word]
    cpus, free_mb = _number(row["cpus"]), _number(row["free_mb"])
    return HostReadings(
        power=Power(Source(row["power"]), _number(row["battery"])),
        heat=Heat(
            _number(row["soc_c"]),
            _number(row["trip_c"]),
            None if row["slowed"] == "?" else tuple(Slowed(word) for word in slowed),
        ),
        load=Load(_number(row["load"]), None if cpus is None else int(cpus)),
        network=Network(row["network"]),
        free_bytes=None if free_mb is None else int(free_mb * 1e6),
    )


def _work(row: dict) -> Work:
    since_h, before = _number(row["since_h"]), row["before"]
    return Work(
        stories_waiting=int(row["stories"]),
        is_unfinished=row["state"] == "paused",
        is_running=row["state"] == "running",
        since_last_s=None if since_h is None else since_h * 3600,
        lost_percent=_number(row["lost"]),
        asked={"run": Asked.BY_RUN, "hand": Asked.BY_HAND, "now": Asked.NOW}[row["asked"]],
        before=Verdict(
            go=False,
            blocks=(Block(Cause(before), ""),),
            text="",
            cool_to_c=_number(row["cool_to"]),
        )
        if before
        else None,
        since_before_s=60.0 * float(row["after_min"]),
    )


def _row(state: str) -> dict:
    return CALM | dict(word.split("=") for word in state.split())


@pytest.mark.parametrize(("state", "expected"), ROWS, ids=[row[0] or "calm" for row in ROWS])
def test_row(state: str, expected: str) -> None:
    verdict = decide(_readings(_row(state)), _work(_row(state)), LIMITS)
    causes = [block.cause.value for block in verdict.blocks]
    assert causes == ([] if expected == "go" else expected.split())
    assert verdict.go is (expected == "go")
    assert verdict.go or verdict.text == f"waiting for {verdict.blocks[0].text}"
    assert all(block.text and "\n" not in block.text for block in verdict.blocks)


def test_every_cause_has_rows_on_both_sides() -> None:
    named = {cause for _, expected in ROWS for cause in expected.split()}
    assert named == {"go", *Cause}


def _temperatures(limits: Limits, *trace_c: float, slowed: tuple[Slowed, ...] = ()) -> list[bool]:
    before, went = None, []
    for soc_c in trace_c:
        before = decide(
            HostReadings(heat=Heat(soc_c, None, slowed)),
            Work(stories_waiting=1, before=before),
            limits,
        )
        went.append(before.go)
    return went


def test_a_hot_host_cools_down_to_the_second_limit_before_it_goes_on() -> None:
    went = _temperatures(LIMITS, 74, 75, 74, 71, 70, 74, 76, 70)
    assert went == [True, False, False, False, True, True, False, True]


def test_host_that_its_firmware_slows_down_earlier_cools_as_far_below_that() -> None:
    hot = HostReadings(heat=Heat(60.5, None, (Slowed.TOO_HOT,)))
    stopped = decide(hot, Work(stories_waiting=1), LIMITS)
    assert stopped.cool_to_c == 55.5
    cooler = HostReadings(heat=Heat(57.0, None, ()))
    waiting = decide(cooler, Work(stories_waiting=1, before=stopped), LIMITS)
    assert [block.cause for block in waiting.blocks] == [Cause.HOT]
    assert "cool down to 56 degC" in waiting.text


def test_slowness_for_another_reason_than_heat_asks_for_no_cooling() -> None:
    """Under-voltage caps the clock as well; a host at 50 degC need not become colder for it."""
    for soc_c, slowed in ((50.0, (Slowed.CAPPED,)), (70.0, (Slowed.UNDER_VOLTAGE, Slowed.CAPPED))):
        held = decide(HostReadings(heat=Heat(soc_c, None, slowed)), Work(1), LIMITS)
        assert held.cool_to_c is None
        assert decide(HostReadings(heat=Heat(soc_c, None, ())), Work(1, before=held), LIMITS).go


def test_words_say_what_is_waited_for_and_what_is_now() -> None:
    row = _row("soc_c=76.4 power=battery battery=80")
    verdict = decide(_readings(row), _work(row), LIMITS)
    assert verdict.text == "waiting for the host to cool down to 70 degC (now 76 degC)"
    assert verdict.blocks[1].text == "mains power (on battery now)"
    assert verdict.facts()["blocks"][1] == {
        "cause": "on_battery",
        "text": "mains power (on battery now)",
    }


def test_wearer_may_allow_learning_on_battery() -> None:
    row = _row("power=battery battery=80")
    assert decide(_readings(row), _work(row), dataclasses.replace(LIMITS, on_battery=True)).go


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        (
            {"min_battery_percent": 30.0},
            "policy.min_battery_percent: expected 0 or more, not above",
        ),
        ({"resume_soc_c": 80.0}, r"policy.resume_soc_c: .* max_soc_c \(75\), at most 120, got 80"),
        ({"max_lost_percent": 101.0}, "policy.resume_lost_percent"),
        ({"max_load_per_cpu": float("inf")}, "policy.resume_load_per_cpu"),
        ({"min_hours_between": -1.0}, "policy.min_hours_between: expected 0 or more, got -1"),
        ({"min_free_mb": float("nan")}, "policy.min_free_mb"),
    ],
)
def test_limits_out_of_order_are_refused(settings: dict, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        Limits(**settings)
