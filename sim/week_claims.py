"""What Signet said of a simulated week, held against what was true."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

from sim.product import figure, is_known
from sim.schedule import Schedule
from sim.sensors import CHANNELS
from sim.truth import TruthRow

_THIEF, _WALK = "other_person", "walk"
# Half a minute of windows must have gone by before a decision is about this walk alone.
_SETTLED_S = 30.0
# Activity is told every few seconds; a silence longer than this is a gap.
_SILENCE_S = 20.0
# A host's files and its history are written one after the other.
_AT_ONCE_S = 2.0
# A board that loses power loses the block it was filling.
_BLOCK_S = 1.0
# The policy's limits, as they ship (signet.example.toml), and the sensor's noise.
_RESUME_C, _MIN_BATTERY_PERCENT, _NOISE_C = 70.0, 15.0, 1.5
_MOST_THIEF, _LEAST_WEARER = 0.05, 0.80
_PART_OF = {"bvp": "pulse_sensor", "eda": "skin_sensor", "temp": "rest"}
_MARKS = {True: "ok   ", False: "WRONG"}


@dataclass(frozen=True, slots=True)
class Claim:
    """One thing Signet says, what was true, and whether the two agree."""

    name: str
    true: str
    said: str
    holds: bool

    def line(self) -> str:
        """For people."""
        return f"{_MARKS[self.holds]} {self.name:<26} true: {self.true}\n{'said: ':>38}{self.said}"


@dataclass(frozen=True, slots=True)
class HostRow:
    """The simulated host at one moment; ``busy_cores`` since the row before, the stream's left out."""

    utc: float
    soc_c: float
    battery_percent: float
    mains: bool
    throttled: bool
    busy_cores: float


@dataclass(slots=True)
class Week:
    """What was true, and what was said of it."""

    schedule: Schedule
    truth: list[TruthRow] = field(default_factory=list)
    host: list[HostRow] = field(default_factory=list)
    said: list[dict[str, Any]] = field(default_factory=list)
    told: dict[str, Any] = field(default_factory=dict)
    given: list[dict[str, Any]] = field(default_factory=list)
    n_compared: int = 0

    def spans(self, *labels: str) -> list[TruthRow]:
        """True stretches of these labels."""
        return [row for row in self.truth if row.label in labels]

    def kind(self, kind: str) -> list[dict[str, Any]]:
        """Events of one kind."""
        return [event for event in self.said if event["kind"] == kind]

    def notes(self, what: str) -> list[dict[str, Any]]:
        """Notes of one name."""
        return [note for note in self.kind("stream") if note["what"] == what]

    def host_about(self, utc: float) -> list[HostRow]:
        """The host as it was written last, and next if that is at once.

        A host's files change a moment before its history is written.
        """
        at = bisect_right([row.utc for row in self.host], utc)
        soon = [row for row in self.host[at : at + 1] if row.utc - utc <= _AT_ONCE_S]
        return [self.host[max(at - 1, 0)], *soon]


def claims(week: Week) -> list[Claim]:
    """Every claim, in the order of the story."""
    tell: tuple[Callable[[Week], Claim], ...] = (
        _whole, _restarted, _own_walks, _thief, _reference, _rest, _answers, _drift, _waited,
        _polite, _jobs, _personal, _sockets,
    )  # fmt: skip
    return [one(week) for one in tell]


def _whole(week: Week) -> Claim:
    # In the board's own seconds, which its crystal makes a little short.
    powered_s = sum(bout.end_s - bout.start_s for bout in week.schedule.bouts if bout.powered)
    n_starts = len(week.notes("session")) + len(week.notes("reboot"))
    streamed: Counter[str] = Counter()
    missing = 0
    for summary in week.kind("summary"):
        for name, channel in summary["channels"].items():
            streamed[name] += channel["n_samples"]
            missing += channel["missing_samples"]
    lost_s = max(powered_s - streamed[c.name] / c.rate_hz for c in CHANNELS)
    silent = [pair for pair in _silences(week) if not _in_dark(week, *pair)]
    said = f"{lost_s:.1f} s lost at {n_starts} ends, {missing} samples missing, "
    return Claim(
        "gaps are nights",
        f"{powered_s / 3600:.2f} h with power, {len(week.spans('charging'))} times without",
        f"{said}{len(silent)} other silences",
        lost_s <= n_starts * _BLOCK_S and missing == 0 and not silent,
    )


def _silences(week: Week) -> Iterator[tuple[float, float]]:
    # Nobody does anything in a band that is off; that it is off is told all the same.
    times = sorted(event["utc"] for kind in ("activity", "stress") for event in week.kind(kind))
    for before, after in pairwise(times):
        if after - before > _SILENCE_S:
            yield before, after


def _in_dark(week: Week, start_utc: float, end_utc: float) -> bool:
    """Whether nobody wore a board with power, but for the seconds that a first result takes."""
    worn_s = sum(
        max(0.0, min(row.end_utc, end_utc) - max(row.start_utc, start_utc))
        for row in week.truth
        if row.label not in ("charging", "off")
    )
    return worn_s <= _SILENCE_S


def _restarted(week: Week) -> Claim:
    n_runs = len(week.kind("summary"))
    expected = len(week.spans("charging"))
    reboots, jumps = len(week.notes("reboot")), len(week.notes("clock_jump"))
    return Claim(
        "the board restarts",
        f"{expected} times, and {n_runs} runs began",
        f"{reboots} restarts, {len(week.notes('session'))} beginnings, {jumps} jumps of its clock",
        reboots == expected and len(week.notes("session")) == n_runs and jumps == 0,
    )


def _decisions(week: Week, rows: Sequence[TruthRow]) -> Counter[str]:
    return Counter(
        event["wearer"]
        for event in week.kind("wearer")
        for row in rows
        if row.start_utc + _SETTLED_S <= event["utc"] <= row.end_utc
    )


def _own_walks(week: Week) -> Claim:
    walks = week.spans(_WALK)
    by_walk = [_decisions(week, [walk]) for walk in walks]
    total: Counter[str] = sum(by_walk, Counter())
    known = sum(c["wearer"] > c.total() / 2 for c in by_walk)
    share = total["wearer"] / max(total.total(), 1)
    return Claim(
        "the wearer's walks",
        f"{len(walks)} walks",
        f"{known} known, {100 * share:.0f} % of {total.total()} decisions 'wearer'",
        share >= _LEAST_WEARER,
    )


def _thief(week: Week) -> Claim:
    rows = week.spans(_THIEF)
    total = _decisions(week, rows)
    share = total["wearer"] / max(total.total(), 1)
    parts = ", ".join(f"{name} {n}" for name, n in sorted(total.items()))
    holds = not rows or (total["other"] > 0 and share <= _MOST_THIEF)
    minutes = sum(row.end_utc - row.start_utc for row in rows) / 60
    return Claim("somebody else", f"{minutes:.0f} min of wear", parts or "nothing", holds)


def _reference(week: Week) -> Claim:
    updates = [note["utc"] for note in week.notes("gait_updated")]
    # It is learned from when the band comes off.
    led = [utc for utc in updates if any(_within(utc, r, 120.0) for r in week.spans(_THIEF))]
    days = {_day(row.start_utc) for row in week.spans(_WALK)}
    return Claim(
        "the gait reference follows",
        f"walks on {len(days)} days",
        f"followed {len(updates)} times, {len(led)} of them somebody else",
        not led and len(updates) <= len(days),
    )


def _rest(week: Week) -> Claim:
    rows = week.spans(_THIEF)
    learned = [
        note["utc"] for note in week.notes("baseline") if any(_within(note["utc"], r) for r in rows)
    ]
    aside = [note["utc"] for note in week.notes("rest_set_aside")]
    left = [
        utc
        for utc in learned
        if not any(utc <= back and not _wearer_between(week, utc, back) for back in aside)
    ]
    wrong = [utc for utc in aside if not any(_within(utc, r, 120.0) for r in rows)]
    return Claim(
        "rest is the wearer's",
        f"{len(week.notes('baseline')) - len(learned)} rests, and {len(learned)} of somebody else",
        f"{len(aside)} set aside, {len(left)} of somebody else left, {len(wrong)} wrongly",
        not left and not wrong,
    )


def _wearer_between(week: Week, start_utc: float, end_utc: float) -> bool:
    own = [r for r in week.truth if r.label not in (_THIEF, "off", "charging")]
    return any(r.start_utc < end_utc and r.end_utc > start_utc for r in own)


def _answers(week: Week) -> Claim:
    rows = week.spans(_THIEF)
    cues = [one for one in week.given if "answer" in one]
    said = [one["cue_utc"] for one in cues] + [e["utc"] for e in week.kind("label")]
    foreign = [utc for utc in said if any(_within(utc, row) for row in rows)]
    right = sum(
        (one["answer"] == "accepted")
        == any(_within(one["cue_utc"], r) for r in week.spans("stress"))
        for one in cues
    )
    n_made = len(week.given) - len(cues)
    return Claim(
        "what the wearer says",
        f"{week.n_compared} comparisons, {len(week.notes('cue'))} taps",
        f"{n_made} comparisons, {len(cues)} answers ({right} as it was), {len(week.kind('label'))} "
        f"labels, {len(foreign)} of somebody else",
        n_made == week.n_compared and not foreign,
    )


def _drift(week: Week) -> Claim:
    begun = {d.channel: week.schedule.start_utc + d.start_s for d in week.schedule.drifts}
    said = [(note["detail"]["part"], note["utc"]) for note in week.notes("drift")]
    true = ", ".join(f"{name} from {_day(utc)} on" for name, utc in begun.items())
    told = ", ".join(f"{part} on {_day(utc)}" for part, utc in said)
    early = [
        part
        for part, utc in said
        if not any(_PART_OF[name] == part and utc >= since for name, since in begun.items())
    ]
    missed = [name for name in begun if _PART_OF[name] not in dict(said)]
    return Claim("a sensor drifts", true or "none", told or "nothing", not early and not missed)


def _waited(week: Week) -> Claim:
    waits = Counter(note["detail"]["cause"] for note in week.notes("learning_waits"))
    wrong = [note for note in week.notes("learning_waits") if not _is_true(week, note)]
    paused, resumed = len(week.notes("learning_paused")), len(week.notes("learning_resumed"))
    causes = ", ".join(f"{cause} {n}" for cause, n in sorted(waits.items()))
    low = min(row.battery_percent for row in week.host)
    warm = max(row.soc_c for row in week.host)
    return Claim(
        "learning waits",
        f"host at most {warm:.0f} degC, at least {low:.0f} % charged",
        f"waited ({causes or 'never'}), paused {paused}, resumed {resumed}; {len(wrong)} untrue",
        not wrong and paused > 0 and resumed > 0 and {"on_battery", "hot"} <= set(waits),
    )


def _is_true(week: Week, note: dict[str, Any]) -> bool:
    """Whether the host was as a wait says; what is not of the host is taken at its word."""
    rows, cause = week.host_about(note["utc"]), note["detail"]["cause"]
    if cause == "on_battery":
        return any(not row.mains for row in rows)
    return cause != "hot" or any(row.soc_c >= _RESUME_C - _NOISE_C for row in rows)


def _polite(week: Week) -> Claim:
    busy = [row for row in week.host if row.busy_cores > 0]
    throttled = sum(row.throttled for row in busy)
    low = min((row.battery_percent for row in busy), default=100.0)
    warm = max((row.soc_c for row in busy), default=0.0)
    # Work is counted since the row before: pulling the plug ends it, so it began on mains.
    unplugged = sum(
        row.busy_cores > 0 and not row.mains and not before.mains
        for before, row in pairwise(week.host)
    )
    return Claim(
        "and does no harm",
        f"worked at up to {warm:.1f} degC, from {low:.0f} % charge on",
        f"while throttled: {throttled} times; unplugged: {unplugged} times",
        bool(busy) and not throttled and low >= _MIN_BATTERY_PERCENT and not unplugged,
    )


def _jobs(week: Week) -> Claim:
    results = [job for summary in week.kind("summary") for job in summary["learned"]]
    done = Counter(
        "kept" if job["kept"] else job["reason"] for job in results if job["reason"] != "paused"
    )
    labels = Counter(label["label"] for label in week.kind("label"))
    return Claim(
        "jobs",
        f"{labels['stress']} stretches of stress and {labels['rest']} of rest labelled",
        ", ".join(f"{n} {what.replace('_', ' ')}" for what, n in sorted(done.items())) or "none",
        done["kept"] > 0 and not done["failed"],
    )


def _personal(week: Week) -> Claim:
    later = week.told["later"]
    if later is None:
        return Claim("personal, later part", "nothing labelled came later", "nothing", holds=False)
    generic, personal = later["generic"], later["personal"]
    low, high = later["gain_interval"]
    gain = personal["balanced_accuracy"] - generic["balanced_accuracy"]
    return Claim(
        "personal, later part",
        f"{later['n_windows']} windows of {later['n_episodes']} stretches",
        f"{figure(personal['balanced_accuracy'])}, as shipped {figure(generic['balanced_accuracy'])}"
        f"; gain {100 * gain:+.1f} points, 95 % {100 * low:+.1f} to {100 * high:+.1f}",
        is_known(high) and high >= 0,
    )


def _sockets(week: Week) -> Claim:
    n = sum(summary["sockets_opened"] for summary in week.kind("summary"))
    return Claim("nothing leaves", "0 sockets allowed", f"{n} opened", n == 0)


def _within(utc: float, row: TruthRow, slack_s: float = 0.0) -> bool:
    return row.start_utc <= utc <= row.end_utc + slack_s


def _day(utc: float) -> str:
    return f"{datetime.fromtimestamp(utc, UTC):%A}"
