"""What the wearer does and when: scenario files, bouts, button presses and the ground truth."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from firmware_host.errors import ConfigError
from firmware_host.protocol.messages import Button, EventKind
from sim.fault_plan import FaultPlan, build_faults
from sim.host_plan import HostPlan, build_host_plan
from sim.sensor_drift import SensorDrift, build_drifts
from sim.table import Table

SCENARIO_DIR = Path(__file__).parent / "scenarios"
LABELS = (
    *("rest", "stress", "walk", "run", "stairs", "other", "off", "other_person"),
    # Off its wearer and without power: nothing comes, and it reboots afterwards.
    "charging",
)
ACTIVITIES = ("still", "typing", "eating", "walk", "run", "stairs", "cycle", "table")
TASKS = ("none", "arithmetic", "speech", "stroop", "call", "deadline")
BUTTONS = ("none", "on_time", "late")
_DEFAULT_ACTIVITY = {
    "rest": "still", "stress": "still", "walk": "walk", "run": "run", "stairs": "stairs",
    "other": "typing", "off": "table", "other_person": "walk", "charging": "table",
}  # fmt: skip
# Nobody there, or somebody who does not know what the tap is about.
_NO_ANSWER = ("off", "charging", "other_person")
_KEYS = ("about", "life", "start_utc", "bout", "answers_cues", "host", "drift", "fault")
_BOUT_KEYS = ("label", "activity", "minutes", "task", "buttons", "late_s")
# One random stream per purpose, so that a change to one leaves the others as they were.
_BUTTON_STREAM = 11
PIECE_S = 60
_DAY_S = 86_400.0
BATTERY_EVERY_S = 600
BATTERY_PERCENT_PER_HOUR = 4.0


@dataclass(frozen=True, slots=True)
class Bout:
    """One thing the wearer does; whole seconds since the band was switched on.

    Days are counted from 1; another one begins where the board charged over midnight (UTC).
    """

    idx: int
    start_s: int
    end_s: int
    label: str
    activity: str
    task: str = "none"
    buttons: str = "none"
    late_s: int = 0
    day: int = 1

    @property
    def powered(self) -> bool:
        """Whether the board is switched on."""
        return self.label != "charging"

    @property
    def worn(self) -> bool:
        """Whether the band is on somebody's skin."""
        return self.powered and self.label != "off"


@dataclass(frozen=True, slots=True)
class Piece:
    """At most a minute of one bout: the unit in which signals are made."""

    idx: int
    start_s: int
    n_s: int
    bout: Bout


@dataclass(frozen=True, slots=True)
class BodyEvent:
    """A button press, a change of contact or a battery level, at ``t_s`` of the body's time."""

    t_s: float
    kind: EventKind
    value: int


@dataclass(frozen=True, slots=True)
class Schedule:
    """Bouts without a gap between them, and what happens to the host and the sensors meanwhile."""

    name: str
    start_utc: float
    bouts: tuple[Bout, ...]
    answers_cues: bool = False
    host: HostPlan = field(default_factory=HostPlan)
    drifts: tuple[SensorDrift, ...] = ()
    faults: FaultPlan = field(default_factory=FaultPlan)
    about: str = ""

    @property
    def duration_s(self) -> int:
        """Seconds from the first bout's start to the last one's end."""
        return self.bouts[-1].end_s

    def dark(self) -> list[tuple[float, float]]:
        """When the board is without power, (start_s, end_s) in order; neighbours are one."""
        found: list[tuple[float, float]] = []
        for bout in self.bouts:
            if bout.powered:
                continue
            joins = bool(found) and found[-1][1] == bout.start_s
            start_s = found.pop()[0] if joins else float(bout.start_s)
            found.append((start_s, float(bout.end_s)))
        return found

    def pieces(self) -> Iterator[Piece]:
        """Cut the bouts into pieces of at most a minute; there are none without power."""
        idx = 0
        for bout in self.bouts:
            for start_s in range(bout.start_s, bout.end_s, PIECE_S):
                if bout.powered:
                    yield Piece(idx, start_s, min(PIECE_S, bout.end_s - start_s), bout)
                idx += 1

    def lasting(self, hours: float) -> Schedule:
        """Cut this life to ``hours``, or live it again from the start until they are over."""
        if not (math.isfinite(hours) and hours > 0):
            raise ConfigError("hours", "a positive number", hours)
        total_s = max(round(hours * 3600), 1)
        bouts: list[Bout] = []
        while not bouts or bouts[-1].end_s < total_s:
            shift = bouts[-1].end_s if bouts else 0
            for bout in self.bouts:
                if bout.start_s + shift >= total_s:
                    break
                end_s = min(bout.end_s + shift, total_s)
                bouts.append(
                    replace(bout, idx=len(bouts), start_s=bout.start_s + shift, end_s=end_s)
                )
        return replace(self, bouts=tuple(bouts))

    def events(self, *, seed: int) -> list[BodyEvent]:
        """Every event of the day in time order."""
        rng = np.random.default_rng([seed, _BUTTON_STREAM])
        events = [*self._contact(), *self._battery()]
        for bout in self.bouts:
            events += _presses(bout, rng)
        return sorted(events, key=lambda event: (event.t_s, event.kind, event.value))

    def answer_to_cue(self, t_s: float) -> Button | None:
        """What the wearer presses on being tapped at ``t_s``; None if nobody answers."""
        at_cue = [bout for bout in self.bouts if bout.start_s <= t_s < bout.end_s]
        if not self.answers_cues or not at_cue or at_cue[0].label in _NO_ANSWER:
            return None
        return Button.CUE_ACCEPTED if at_cue[0].label == "stress" else Button.CUE_DISMISSED

    def _contact(self) -> Iterator[BodyEvent]:
        worn = None
        for bout in self.bouts:
            if not bout.powered:
                # A board that starts says where it is.
                worn = None
            elif bout.worn != worn:
                worn = bout.worn
                yield BodyEvent(float(bout.start_s), EventKind.WEAR, int(worn))

    def _battery(self) -> Iterator[BodyEvent]:
        """Full whenever it was charged."""
        starts = [0, *(int(end_s) for _, end_s in self.dark())]
        for start_s, next_s in zip(starts, [*starts[1:], self.duration_s], strict=True):
            for t_s in range(start_s, next_s, BATTERY_EVERY_S):
                percent = max(1, round(98 - BATTERY_PERCENT_PER_HOUR * (t_s - start_s) / 3600))
                yield BodyEvent(float(t_s), EventKind.BATTERY, percent)


_PRESS_VALUES = {
    "stress": (Button.STRESS_STARTS, Button.STRESS_ENDS),
    "rest": (Button.REST_STARTS, Button.REST_ENDS),
}


def _presses(bout: Bout, rng: np.random.Generator) -> list[BodyEvent]:
    """Press a few seconds after the fact, or much too late at the start."""
    after_start_s, after_end_s = rng.uniform(1.0, 5.0, 2)
    if bout.buttons == "none":
        return []
    starts, ends = _PRESS_VALUES[bout.label]
    late_s = bout.late_s if bout.buttons == "late" else 0
    return [
        BodyEvent(bout.start_s + late_s + float(after_start_s), EventKind.BUTTON, int(starts)),
        # The end is pressed before the next thing starts, or two bouts would overlap.
        BodyEvent(bout.end_s - 6.0 + float(after_end_s), EventKind.BUTTON, int(ends)),
    ]


def scenario_names() -> list[str]:
    """Names of the scenarios that ship."""
    return sorted(path.stem for path in SCENARIO_DIR.glob("*.toml"))


def load_scenario(name_or_path: str | Path) -> Schedule:
    """Load a scenario by the name of a shipped file or by path.

    Raises
    ------
    ConfigError
        If the file is missing, is not TOML, or a key or value is unknown.
    """
    path = Path(name_or_path)
    if path.suffix != ".toml":
        path = SCENARIO_DIR / f"{name_or_path}.toml"
        if not path.is_file():
            known = ", ".join(scenario_names())
            raise ConfigError("scenario", f"one of {known} or a .toml file", str(name_or_path))
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as err:
        raise ConfigError("scenario", "a readable file", f"{path}: {err.strerror}") from err
    except (ValueError, RecursionError) as err:
        raise ConfigError("scenario", "TOML", f"{path}: {err}") from err
    return build_schedule(table, name=path.stem)


def build_schedule(table: object, *, name: str) -> Schedule:
    """Schedule from a parsed scenario.

    Keys: ``about``, one line; ``start_utc``; ``[[bout]]``, or ``life``, the name of a scenario that is lived
    through instead; ``answers_cues``; ``[host]``; ``[[drift]]``; ``[[fault]]``.
    """
    scenario = Table(table, _KEYS, where=f"scenario {name}")
    if "life" in scenario:
        schedule = load_scenario(scenario.choice("life", scenario_names()))
        for key in ("bout", "start_utc", "answers_cues", "host", "drift"):
            if key in scenario:
                scenario.refuse(key, "nothing beside life, which brings it", scenario.get(key))
    else:
        schedule = _own_life(scenario)
    return replace(
        schedule,
        name=name,
        about=str(scenario.get("about", schedule.about)),
        faults=schedule.faults + build_faults(scenario.rows("fault")),
    )


def _own_life(scenario: Table) -> Schedule:
    rows = scenario.rows("bout")
    if not rows:
        raise ConfigError("bout", "at least one [[bout]]", "none")
    bouts: list[Bout] = []
    start_utc = _start_utc(scenario.get("start_utc"))
    for row in rows:
        before = bouts[-1] if bouts else None
        bout = _bout(row, idx=len(bouts), start_s=before.end_s if before else 0)
        bouts.append(replace(bout, day=_day(bout, before, start_utc)))
    answers_cues = bool(scenario.flag("answers_cues", default=False))
    host = build_host_plan(scenario.get("host", {}), period_s=float(bouts[-1].end_s))
    drifts = build_drifts(scenario.rows("drift"))
    return Schedule("", start_utc, tuple(bouts), answers_cues, host, drifts)


def _day(bout: Bout, before: Bout | None, start_utc: float) -> int:
    if before is None:
        return 1
    if before.powered:
        return before.day
    return 1 + int((start_utc + bout.start_s) // _DAY_S - start_utc // _DAY_S)


def _start_utc(value: object) -> float:
    if not isinstance(value, datetime):
        raise ConfigError("start_utc", "a date-time such as 2026-05-04T08:00:00Z", value)
    return (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp()


def _bout(row: object, *, idx: int, start_s: int) -> Bout:
    table = Table(row, _BOUT_KEYS, where=f"bout {idx + 1}")
    label = table.choice("label", LABELS)
    buttons = table.choice("buttons", BUTTONS, "none")
    if buttons != "none" and label not in _PRESS_VALUES:
        table.refuse("buttons", "none (only rest and stress are labelled)", buttons)
    duration_s = round(60 * table.number("minutes", low=0.1, high=1440))
    return Bout(
        idx,
        start_s,
        start_s + duration_s,
        label,
        activity=table.choice("activity", ACTIVITIES, _DEFAULT_ACTIVITY[label]),
        task=table.choice("task", TASKS, "arithmetic" if label == "stress" else "none"),
        buttons=buttons,
        late_s=table.whole("late_s", 0, low=0, high=max(duration_s - 11, 0)),
    )
