"""Learning beside a simulated host: stopped before it throttles, gone on with when cool, the same adapter."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from command import Done, Wearer

from firmware_host.vault.pack import unpack
from firmware_host.vault.records import Vault

# A closed case: 67 degC idle in a room of 22, and a learner adds 15. Eight minutes of sun begin as the second
# story ends and its job starts, which takes 200 s; undisturbed it would reach 80 degC.
SCENARIO = """
start_utc = 2026-05-04T08:00:00Z
[host]
case_k_per_w = 16
change = [{ minutes = 25, ambient_c = 32 }, { minutes = 33, ambient_c = 20 }]
"""
BOUTS = [
    ("rest", 5),
    ("other", 2),
    ("stress", 4),
    ("rest", 4),
    ("other", 2),
    ("stress", 4),
    ("rest", 4),
]
RELAXED = "max_soc_c = 120.0\nresume_soc_c = 115.0"


@dataclass
class Told:
    """What one run printed and left behind."""

    wearer: Wearer
    done: Done
    tree: Path

    @property
    def jobs(self) -> list[dict[str, Any]]:
        return self.done.events[-1]["learned"]

    def notes(self, what: str) -> list[dict[str, Any]]:
        events = self.done.events[:-1]
        return [e for e in events if e["kind"] == "stream" and e["what"] == what]

    @property
    def has_throttled(self) -> bool:
        """Whether the host ever did, since it was switched on."""
        flags = self.tree / "sys/devices/platform/soc/soc:firmware/get_throttled"
        return int(flags.read_text(), 16) != 0

    def adapters(self) -> list[str]:
        with Vault.open(self.wearer.state, self.wearer.folder / "key") as vault:
            held = [unpack(record.payload)[0] for record in vault.iterate("adapter")]
        return [
            hashlib.sha256(b"".join(arrays[name].tobytes() for name in sorted(arrays))).hexdigest()
            for arrays in held
        ]


def _live(folder: Path, *, policy: str = "", with_host: bool = True) -> Told:
    folder.mkdir()
    bouts = [*BOUTS, ("other", 14)]
    rows = [
        f'[[bout]]\nlabel = "{label}"\nminutes = {minutes}\n'
        + ("" if label == "other" else 'buttons = "on_time"\n')
        for label, minutes in bouts
    ]
    (folder / "life.toml").write_text(SCENARIO + "\n".join(rows))
    (folder / "signet.toml").write_text(f"[policy]\nmin_hours_between = 0.0\n{policy}\n")
    wearer, tree = Wearer(folder), folder / "machine"
    url = f"synthetic:?seed=7&scenario={folder / 'life.toml'}"
    url += f"&host={tree}" if with_host else ""
    done = wearer.signet("run", "--device", url, "--config", folder / "signet.toml", "--json")
    return Told(wearer, done.check(), tree)


@pytest.fixture(scope="module")
def lives(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("lives")


@pytest.fixture(scope="module")
def polite(lives: Path) -> Told:
    return _live(lives / "polite")


@pytest.fixture(scope="module")
def undisturbed(lives: Path) -> Told:
    return _live(lives / "undisturbed", with_host=False)


def test_job_is_paused_before_the_throttle_and_goes_on_when_cool(polite: Told) -> None:
    assert not polite.has_throttled
    (waits,) = polite.notes("learning_waits")
    (paused,) = polite.notes("learning_paused")
    (resumed,) = polite.notes("learning_resumed")
    assert waits["detail"]["cause"] == "hot"
    assert "cool down to 70 degC" in paused["detail"]["why"]
    assert paused["t_s"] < resumed["t_s"]
    # It went on after the sun was gone, and the paused call and the last one are one job.
    assert resumed["t_s"] > 33 * 60
    assert [job["reason"] == "paused" for job in polite.jobs] == [False, True, False]
    assert 0 < polite.jobs[1]["n_steps"] < polite.jobs[2]["n_steps"]


def test_adapter_is_that_of_the_undisturbed_job(polite: Told, undisturbed: Told) -> None:
    assert polite.adapters() == undisturbed.adapters()
    last, same = polite.jobs[-1], undisturbed.jobs[-1]
    assert (last["n_steps"], last["figures"]) == (same["n_steps"], same["figures"])


def test_without_the_limit_the_host_throttles(lives: Path) -> None:
    assert _live(lives / "relaxed", policy=RELAXED).has_throttled


def test_life_with_a_host_is_the_same_twice(lives: Path, polite: Told) -> None:
    again = _live(lives / "again")

    def told(lived: Told) -> list[dict[str, Any]]:
        return lived.done.events[:-1]

    assert told(again) == told(polite)


def test_why_is_said_with_readings_for_people_and_for_machines(polite: Told) -> None:
    env = {"SIGNET_HOST_ROOT": str(polite.tree)}
    zone = polite.tree / "sys/class/thermal/thermal_zone0/temp"
    zone.write_text("81000\n")
    shown = polite.wearer.signet("learn", "--why", env=env).check().out.splitlines()
    assert shown[0] == "learning waits for"
    assert shown[1] == (
        "  1. a new stress episode and the rest after it, both labelled (signet label, or the button)"
    )
    assert shown[2] == "  2. the host to cool down to 70 degC (now 81 degC)"
    assert shown[3].startswith("the host is on mains, 81 degC, load 0.")
    facts = polite.wearer.signet("learn", "--why", "--json", env=env).check().json
    assert [block["cause"] for block in facts["blocks"]] == ["no_labels", "hot"]
    assert (facts["go"], facts["host"]["soc_c"]) == (False, 81.0)
    status = polite.wearer.signet("status", env=env).check().out
    assert "host        on mains, 81 degC" in status


def test_learning_by_hand_waits_for_a_hot_host_too_and_for_a_battery_unless_told(
    polite: Told,
) -> None:
    env = {"SIGNET_HOST_ROOT": str(polite.tree)}
    zone = polite.tree / "sys/class/thermal/thermal_zone0/temp"
    battery = polite.tree / "sys/class/power_supply/battery"
    battery.mkdir()
    for name, text in (("type", "Battery"), ("status", "Discharging"), ("capacity", "80")):
        (battery / name).write_text(text)
    # Another bundle setting makes it a new job, so that there is something to hold up.
    config = polite.wearer.folder / "other.toml"
    config.write_text("[adaptation]\nseed = 2\n")

    def learn(*more: str) -> dict[str, Any]:
        done = polite.wearer.signet("learn", "--json", "--config", config, *more, env=env)
        return done.check().json

    zone.write_text("81000\n")
    for more in ((), ("--now",)):
        held = learn(*more)
        assert held["reason"] == "paused"
        assert "cool down to 70 degC (now 81 degC)" in held["text"]
    zone.write_text("60000\n")
    assert "waiting for mains power (on battery now)" in learn()["text"]
    assert learn("--now")["reason"] != "paused"


def test_job_whose_run_is_gone_pauses(polite: Told) -> None:
    config = polite.wearer.folder / "third.toml"
    config.write_text("[adaptation]\nseed = 3\n")
    # No run writes to its standard input.
    done = polite.wearer.signet("learn", "--json", "--asks", "run", "--config", config)
    assert done.check().json["reason"] == "paused"
    assert "the run that started it has ended" in done.json["text"]
