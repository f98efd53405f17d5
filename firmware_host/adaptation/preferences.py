"""What the wearer said by comparing: one moment more stressful than another, a cue right or wrong."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from firmware_host.adaptation.labels import OLDEST_UTC, iso_time
from firmware_host.adaptation.samples import WINDOW_KIND
from firmware_host.errors import LabelError
from firmware_host.signals.stress import WINDOW_S
from firmware_host.vault.pack import pack, unpack
from firmware_host.vault.records import Record, Vault

PREFERENCE_KIND = "preference"
REMOVED_KIND = "preference_removed"
# Windows last a minute: nearer moments share most of theirs.
MIN_APART_S = 60.0
_FUTURE_SLACK_S = 1.0
# A recording played again brings the same cue at the same time, to rounding; so does typing.
_SAME_S = 1.0
# Of a dismissed cue, how many accepted ones it is compared with: the nearest in time.
_MAX_ACCEPTED = 4


class CueAnswer(StrEnum):
    """What the wearer said of a tap on the wrist."""

    ACCEPTED = "accepted"
    DISMISSED = "dismissed"


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two moments, host UTC: the first was the more stressful one."""

    more_utc: float
    less_utc: float


@dataclass(frozen=True, slots=True)
class Given:
    """One thing the wearer said, with the id of its record: a comparison, or an answer to a cue."""

    id: int
    given_utc: float
    comparison: Comparison | None = None
    answer: CueAnswer | None = None
    cue_utc: float | None = None


def put_comparison(vault: Vault, comparison: Comparison, *, now_utc: float) -> bool:
    """Store that one moment was more stressful than another; False if that was said before.

    Raises
    ------
    LabelError
        If a moment is not a time of the past or nothing was measured then, the two are less than a
        minute apart, or earlier comparisons say the opposite, be it by way of other moments.
    """
    _check(comparison, now_utc=now_utc)
    said = given(vault)
    if any(one.comparison is not None and _is_same(comparison, one.comparison) for one in said):
        return False
    _check_windows(vault, comparison)
    if against := _chain(said, comparison.less_utc, comparison.more_utc):
        one, it = ("comparison", "it") if len(against) == 1 else ("comparisons", "one of them")
        numbers = " and ".join(map(str, against))
        msg = (
            f"prefer: expected what agrees with earlier comparisons, got the opposite of {one} "
            f"{numbers}: take {it} back first (signet prefer --list, signet prefer --remove N)"
        )
        raise LabelError(msg)
    meta = {"more_utc": comparison.more_utc, "less_utc": comparison.less_utc}
    vault.put(PREFERENCE_KIND, pack({}, meta), now_utc)
    return True


def put_cue_answer(vault: Vault, answer: CueAnswer, *, cue_utc: float, now_utc: float) -> int:
    """Store whether a cue was right; a second answer to the same cue replaces the first."""
    for earlier in given(vault):
        if earlier.cue_utc is not None and abs(earlier.cue_utc - cue_utc) < _SAME_S:
            if earlier.answer is answer:
                return earlier.id
            remove_given(vault, earlier.id, now_utc=now_utc)
    meta = {"answer": answer.value, "cue_utc": cue_utc}
    return vault.put(PREFERENCE_KIND, pack({}, meta), now_utc)


def remove_given(vault: Vault, given_id: int, *, now_utc: float) -> int:
    """Take something back; its record stays, so that it remains known what was learned from."""
    return vault.put(REMOVED_KIND, pack({}, {"preference_id": given_id}), now_utc)


def given(vault: Vault) -> list[Given]:
    """Everything said that holds, in the order it was said."""
    removed = {
        int(unpack(record.payload)[1]["preference_id"])
        for record in vault.iterate(REMOVED_KIND, skip_damaged=True)
    }
    records = vault.iterate(PREFERENCE_KIND, skip_damaged=True)
    return [_given(record) for record in records if record.id not in removed]


def comparisons(said: Sequence[Given]) -> Iterator[Comparison]:
    """Every comparison that was said, and those that answers to cues amount to.

    At a cue that was accepted there was more stress than at one that was dismissed. A dismissed
    cue alone compares with nothing.
    """
    accepted = [g.cue_utc for g in said if g.answer is CueAnswer.ACCEPTED and g.cue_utc is not None]
    for one in said:
        if one.comparison is not None:
            yield one.comparison
        elif one.answer is CueAnswer.DISMISSED and one.cue_utc is not None:
            yield from _against_accepted(one.cue_utc, accepted)


def _against_accepted(cue_utc: float, accepted: list[float]) -> Iterator[Comparison]:
    nearest = sorted(accepted, key=lambda utc: abs(utc - cue_utc))[:_MAX_ACCEPTED]
    for more_utc in sorted(nearest):
        if abs(more_utc - cue_utc) >= MIN_APART_S:
            yield Comparison(more_utc, cue_utc)


def _given(record: Record) -> Given:
    meta: dict[str, Any] = unpack(record.payload)[1]
    if "answer" in meta:
        answer, cue_utc = CueAnswer(meta["answer"]), float(meta["cue_utc"])
        return Given(record.id, record.t_utc, answer=answer, cue_utc=cue_utc)
    comparison = Comparison(float(meta["more_utc"]), float(meta["less_utc"]))
    return Given(record.id, record.t_utc, comparison=comparison)


def _check(comparison: Comparison, *, now_utc: float) -> None:
    for name, utc in (("more", comparison.more_utc), ("less", comparison.less_utc)):
        if not OLDEST_UTC <= utc <= now_utc + _FUTURE_SLACK_S:
            msg = f"prefer: expected a time of the past for --{name}, got {iso_time(utc)}"
            raise LabelError(msg)
    apart_s = abs(comparison.more_utc - comparison.less_utc)
    if apart_s < MIN_APART_S:
        msg = f"prefer: expected moments at least {MIN_APART_S:.0f} s apart, got {apart_s:.0f} s"
        raise LabelError(msg)


def _check_windows(vault: Vault, comparison: Comparison) -> None:
    """Refuse a moment that no stored window contains: nothing could be learned from it."""
    for name, utc in (("more", comparison.more_utc), ("less", comparison.less_utc)):
        if not vault.times(WINDOW_KIND, since_utc=utc, until_utc=utc + WINDOW_S):
            msg = f"prefer: expected a moment that was measured for --{name}, got one with no data"
            raise LabelError(msg)


def _is_same(one: Comparison, other: Comparison) -> bool:
    return (
        abs(one.more_utc - other.more_utc) < _SAME_S
        and abs(one.less_utc - other.less_utc) < _SAME_S
    )


def _chain(said: Sequence[Given], more_utc: float, less_utc: float) -> list[int]:
    """Numbers of the fewest comparisons that lead from one moment down to another; empty if none do.

    Counted as in a list of everything said, from 1. Moments less than `MIN_APART_S` apart are one.
    """
    ways: deque[tuple[float, list[int]]] = deque([(more_utc, [])])
    seen: set[int] = set()
    while ways:
        at_utc, way = ways.popleft()
        for number, one in enumerate(said, 1):
            step = one.comparison
            if step is None or number in seen or abs(step.more_utc - at_utc) >= MIN_APART_S:
                continue
            seen.add(number)
            if abs(step.less_utc - less_utc) < MIN_APART_S:
                return [*way, number]
            ways.append((step.less_utc, [*way, number]))
    return []
