"""What the soak run did, held against what was done to it: one row each, and one that fails fails the run."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sim.options import DEFAULT_DRIFT_PPM
from sim.soak_day import EVERYTHING, WARM_SHARE, Stretch, soak_faults
from sim.soak_recording import Span, read_recorded
from sim.soak_run import Soak, struck_in

_MOST_GROWTH_MB = 1.0
# Before, the allocator still takes what it will need again.
_LEAST_FOR_MEMORY_S = 8 * 3600.0
# Deliveries are of about a second; a crystal that turns by 80 ppm makes 10 ms in two minutes.
_MOST_CLOCK_ERROR_S = 0.05
_LINE = (
    "bytes",
    "frames",
    "bad_frames",
    "oversize",
    "skipped_bytes",
    "foreign_messages",
    "sessions",
)
_HOST_NAME = {"bytes": "n_bytes", "frames": "n_frames", "sessions": "n_sessions"}
# A block that is late for the host may be one it asked for: what it is called differs, the sum does not.
_AGAIN = ("late_blocks", "duplicate_blocks")
_SAID_AGAIN = (*_AGAIN, "filled_blocks")
_SPOILT = ("fault-saturation", "fault-off-skin")
_EVENTS = ("battery", "button", "wear")


@dataclass(frozen=True, slots=True)
class Row:
    """One fact: what was done, what the host said of it, whether they agree."""

    name: str
    injected: str
    seen: str
    holds: bool


def rows(soak: Soak) -> list[Row]:
    """Every row that can be made; a run that ended early has only one."""
    ended = Row(
        "the run ends by itself", "exit code 0", soak.failure or "exit code 0", not soak.failure
    )
    if not soak.summary or not soak.truth:
        return [ended]
    return [
        ended,
        *_line(soak),
        *_channels(soak),
        *(_stretch(soak, stretch) for stretch in soak.stretches),
        *_recorded(soak),
        *([_memory(soak)] if soak.duration_s >= _LEAST_FOR_MEMORY_S else []),
    ]


def _line(soak: Soak) -> Iterator[Row]:
    """Counters of the line: exact, all of them."""
    for name in _LINE:
        yield _same(
            name.replace("_", " "),
            soak.truth["line"][name],
            soak.summary[_HOST_NAME.get(name, name)],
        )
    heard = sum(soak.summary["notes"].get(what, 0) for what in _EVENTS)
    yield _same("events of the board", soak.truth["line"]["events"], heard)


def _channels(soak: Soak) -> Iterator[Row]:
    """Samples: every one arrived, is missing in a gap, or was filled in late."""
    for name, true in soak.truth["channels"].items():
        said = soak.summary["channels"][name]
        span = true["samples"] + true["missing_samples"]
        filled = said["n_samples"] - true["samples"]
        told = f"{said['n_samples']} + {said['missing_samples']} missing, {filled} came late"
        yield Row(
            f"samples of {name}",
            f"{true['samples']} + {true['missing_samples']} missing, {true['late_samples']} of them late",
            told,
            said["n_samples"] + said["missing_samples"] == span
            and 0 <= filled <= true["late_samples"],
        )
        yield _same(f"dropped by the board, {name}", true["board_dropped"], said["board_dropped"])
        again = sum(true[what] for what in _AGAIN), sum(said.get(what, 0) for what in _SAID_AGAIN)
        yield _same(f"blocks late or again, {name}", *again)


def _same(name: str, true: int, said: int) -> Row:
    return Row(name, str(true), str(said), true == said)


def _stretch(soak: Soak, stretch: Stretch) -> Row:
    """One fault: what it cost in samples, and what else the host has to say of it."""
    holes, gaps, unexplained = _gaps_in(soak, stretch)
    injected, seen = [f"{holes} samples in holes"], [f"{gaps} samples in gaps"]
    holds = unexplained == 0
    if unexplained:
        seen.append(f"{unexplained} gaps without a reason")
    told = _TOLD.get(stretch.name)
    if told is not None:
        true, said, agrees = told(soak, stretch)
        injected.insert(0, true)
        seen.append(said)
        holds &= agrees
    return Row(stretch.title, "; ".join(injected), "; ".join(seen), holds)


def _gaps_in(soak: Soak, stretch: Stretch) -> tuple[int, int, int]:
    """Missing samples by the line's account and by the host's, and the host's gaps that no hole explains."""
    n_holes = n_gaps = n_unexplained = 0
    for name in soak.truth["channels"]:
        for true_s, n_missing, n_told, is_explained in _explained(soak, name):
            if true_s in stretch:
                n_holes += n_missing
                n_gaps += n_told
                n_unexplained += not is_explained
    return n_holes, n_gaps, n_unexplained


def _explained(soak: Soak, channel: str) -> Iterator[tuple[float, int, int, bool]]:
    """(t_s, samples in the hole, samples in the host's gap, explained) of every hole and gap of a channel.

    Session by session the gaps are the holes in their order, each at most as large: what came late was
    filled in. Without a reason is a gap that is left over.
    """
    sessions = [int(number) for _, number in soak.truth["sessions"]]
    gaps = [one for one in soak.notes("gap", "pause") if one.channel == channel]
    for n, number in enumerate(sessions):
        left = [one for one in gaps if one.session == n]
        for hole in soak.truth["channels"][channel]["holes"]:
            if hole["session"] != number:
                continue
            told = 0
            while left and told + left[0].detail["missing_samples"] <= hole["n_samples"]:
                told += int(left.pop(0).detail["missing_samples"])
            yield hole["t_s"], hole["n_samples"], told, True
        for one in left:
            yield soak.true_s(n, one.t_s), 0, int(one.detail["missing_samples"]), False


Told = tuple[str, str, bool]


def _notes_in(soak: Soak, stretch: Stretch, *what: str) -> int:
    return sum(soak.true_s(one.session, one.t_s) in stretch for one in soak.notes(*what))


def _restarts(soak: Soak, stretch: Stretch) -> Told:
    resets = struck_in(soak, stretch, "reboot", "brown_out")
    begun = sum(t_s in stretch and n > 0 for n, (t_s, _) in enumerate(soak.truth["sessions"]))
    said = _notes_in(soak, stretch, "reboot")
    return f"{resets} resets, {begun} of them told", f"{said} restarts", said == begun


def _jumps(soak: Soak, stretch: Stretch) -> Told:
    n = struck_in(soak, stretch, "clock_jump")
    said = _notes_in(soak, stretch, "clock_jump", "clock_step")
    return f"{n} leaps and steps", f"{said} leaps and steps", said == n


def _drifts(soak: Soak, stretch: Stretch) -> Told:
    n, worst_s = struck_in(soak, stretch, "drift"), _clock_error_s(soak, stretch)
    steps = _notes_in(soak, stretch, "clock_step")
    said = f"time off by {1e3 * worst_s:.0f} ms at most, {steps} steps"
    return f"{n} times another rate", said, worst_s <= _MOST_CLOCK_ERROR_S and not steps


def _clock_error_s(soak: Soak, stretch: Stretch) -> float:
    """How far the time that the host tells strays from the time it was, from its middle."""
    plan, rate = soak_faults(soak.stretches), 1.0 + DEFAULT_DRIFT_PPM * 1e-6
    away = []
    for session, t_s, utc in soak.clock:
        if soak.true_s(session, t_s) in stretch:
            begun_s = plan.board_s(soak.true_s(session, 0.0))
            away.append(utc - soak.start_utc - plan.true_s(begun_s + t_s / rate))
    middle = statistics.median(away) if away else math.inf
    return max((abs(one - middle) for one in away), default=math.inf)


def _contacts(soak: Soak, stretch: Stretch) -> Told:
    n = struck_in(soak, stretch, "off_skin")
    # The wearer takes the band off as well: the exact count is with the events of the board.
    said = _notes_in(soak, stretch, "wear")
    return f"{n} times", f"{said} changes of contact", said > 0


def _full(soak: Soak, stretch: Stretch) -> Told:
    n = struck_in(soak, stretch, "full_disk")
    stopped, resumed = (
        _notes_in(soak, stretch, f"recording_{what}") for what in ("stopped", "resumed")
    )
    full, room = (_notes_in(soak, stretch, what) for what in ("disk_full", "disk_has_room"))
    said = f"recording stopped {stopped}, resumed {resumed}; vault full {full}, room {room}"
    return f"{n} times no room", said, stopped == resumed == n and full == room <= n


def _all(soak: Soak, stretch: Stretch) -> Told:
    n = sum(start_s in stretch for _, start_s, _ in soak.truth["struck"])
    _, said, holds = _restarts(soak, stretch)
    return f"{n} faults", said, holds


_TOLD: dict[str, Callable[[Soak, Stretch], Told]] = {
    "fault-reboot": _restarts,
    "fault-brown-out": _restarts,
    "fault-clock-jump": _jumps,
    "fault-drift": _drifts,
    "fault-off-skin": _contacts,
    "fault-full-disk": _full,
    EVERYTHING: _all,
}


def _recorded(soak: Soak) -> Iterator[Row]:
    """The recording has every message, and samples that sensors spoilt are as they were read."""
    spoilt = [stretch for stretch in soak.stretches if stretch.name in _SPOILT]
    # Whole minutes, which is how the account adds up.
    spans = [
        Span(60.0 * math.ceil(s.start_s / 60), 60.0 * (s.end_s // 60), soak.zero_utc(s.start_s))
        for s in spoilt
    ]
    recorded = read_recorded(soak.files, spans)
    lost = sum(int(one.detail["lost_messages"]) for one in soak.notes("recording_resumed"))
    true = soak.truth["messages"] - lost
    yield _same(f"messages recorded ({lost} without room)", true, recorded.n_messages)
    for stretch, (start_s, end_s, _) in zip(spoilt, spans, strict=True):
        kind = stretch.name.removeprefix("fault-").replace("-", "_")
        n = sum(soak.truth["changed_samples"].get(kind, {}).values())
        true_n, true_sum = _content(soak.truth["content"], start_s, end_s)
        said_n, said_sum = _content(recorded.content, start_s, end_s)
        yield Row(
            f"samples of {stretch.title}",
            f"{true_n} blocks; {n} samples of the day changed by the sensors",
            f"{said_n} blocks recorded, {'the same bytes' if said_sum == true_sum else 'others'}",
            (said_n, said_sum) == (true_n, true_sum) and n > 0,
        )


def _content(by_minute: Mapping[Any, list[int]], start_s: float, end_s: float) -> tuple[int, int]:
    found = [sums for minute, sums in by_minute.items() if start_s <= 60.0 * int(minute) < end_s]
    return sum(n for n, _ in found), sum(crc for _, crc in found)


def growth_mb(memory: list[tuple[float, float]], duration_s: float) -> float:
    """Resident MB of the last eighth of the run over those of the eighth after the warm-up, medians."""
    part_s = duration_s * WARM_SHARE
    early = [mb for t_s, mb in memory if part_s <= t_s < 2 * part_s]
    late = [mb for t_s, mb in memory if t_s >= duration_s - part_s]
    return statistics.median(late) - statistics.median(early) if early and late else math.inf


def _memory(soak: Soak) -> Row:
    grown = growth_mb(soak.memory, soak.duration_s)
    peak = max(mb for _, mb in soak.memory)
    seen = f"{grown:+.2f} MB, at most {peak:.1f} MB"
    return Row("memory", f"less than {_MOST_GROWTH_MB:g} MB more", seen, grown < _MOST_GROWTH_MB)


def as_dict(soak: Soak, found: list[Row]) -> dict[str, Any]:
    """Plain values of a run for machines."""
    return {
        "hours": soak.duration_s / 3600,
        "holds": all(row.holds for row in found),
        "rows": [
            {"name": row.name, "injected": row.injected, "seen": row.seen, "holds": row.holds}
            for row in found
        ],
        "done": soak.truth.get("counts", {}),
        "wall_s": round(soak.wall_s, 1),
        "cpu_s": round(soak.cpu_s, 1),
        "memory_mb": [[round(t_s), round(mb, 2)] for t_s, mb in soak.memory],
    }
