"""Splits by participant, and the check that nothing leaks between the two sides."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, NamedTuple

from firmware_host.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence


class LeakError(DataError):
    """A split shares a person, a recording or an overlapping stretch of time."""


class WindowKey(NamedTuple):
    """What a window is made of: whose, from which recording content, and which seconds."""

    person: Hashable
    content_sha256: str
    start_s: float
    end_s: float


def leave_one_out(people: Sequence[str]) -> Iterator[tuple[list[str], str]]:
    """Each person once as the test person, with all others for training.

    Raises
    ------
    LeakError
        If a person is listed twice or there is nobody to train on.
    """
    if len(set(people)) != len(people):
        twice = sorted({p for p in people if list(people).count(p) > 1})
        raise LeakError(f"expected each person once, got {', '.join(twice)} twice")
    if len(people) < 2:
        raise LeakError(f"expected at least two people, got {len(people)}")
    for person in people:
        yield [p for p in people if p != person], person


def check_apart(train: Iterable[WindowKey], test: Iterable[WindowKey]) -> None:
    """Raise if the two sides share a person or an overlapping stretch of one recording.

    The recording is known by its content: the same session under two names is found too.

    Raises
    ------
    LeakError
        With the first person or recording found on both sides.
    """
    train, test = list(train), list(test)
    shared = {w.person for w in train} & {w.person for w in test}
    if shared:
        raise LeakError(f"expected no person on both sides, got {sorted(map(str, shared))[0]}")
    check_no_overlap(train, test)


def check_no_overlap(train: Iterable[WindowKey], test: Iterable[WindowKey]) -> None:
    """Raise if a training and a test window share seconds of one recording.

    For splits within one person, where sharing the person is the point.
    """
    taken: dict[str, list[tuple[float, float]]] = {}
    for window in train:
        taken.setdefault(window.content_sha256, []).append((window.start_s, window.end_s))
    for window in test:
        for start_s, end_s in taken.get(window.content_sha256, ()):
            if window.start_s < end_s and start_s < window.end_s:
                raise LeakError(
                    f"expected no shared seconds, got {window.start_s:g}-{window.end_s:g} s of "
                    f"recording {window.content_sha256[:12]} on both sides"
                )


def check_earlier(calibration: Iterable[WindowKey], test: Iterable[WindowKey]) -> None:
    """Raise unless every calibration window ends before the first test window of its recording.

    For what a wearer labels first and is scored on later. Both sides must be of one person; what
    lies in another recording cannot be put in order, and is refused.

    Raises
    ------
    LeakError
        With the first person, recording or window that is out of order.
    """
    calibration, test = list(calibration), list(test)
    people = {w.person for w in (*calibration, *test)}
    if len(people) > 1:
        raise LeakError(f"expected one person, got {', '.join(sorted(map(str, people)))}")
    first_s: dict[str, float] = {}
    for window in test:
        first_s[window.content_sha256] = min(
            window.start_s, first_s.get(window.content_sha256, window.start_s)
        )
    for window in calibration:
        if window.content_sha256 not in first_s:
            raise LeakError(
                f"expected calibration and test from one recording, got "
                f"{window.content_sha256[:12]} in calibration only"
            )
        if window.end_s > first_s[window.content_sha256]:
            raise LeakError(
                f"expected calibration to end before the test starts at "
                f"{first_s[window.content_sha256]:g} s, got a window up to {window.end_s:g} s"
            )


def leave_groups_out(
    groups: Mapping[str, str], *, n_folds: int, seed: int
) -> Iterator[tuple[list[str], list[str]]]:
    """(training names, test names) of each fold; names of one group are never divided.

    Parameters
    ----------
    groups
        Name -> group: whose recording it is, or which household, clinic or shift.
    n_folds
        Folds of as many groups each as nearly as it goes; every group tests once.

    Raises
    ------
    LeakError
        If there are fewer groups than folds, or fewer than two folds.
    """
    distinct = sorted(set(groups.values()))
    if not 2 <= n_folds <= len(distinct):
        raise LeakError(f"expected 2 to {len(distinct)} folds, got {n_folds}")
    order = random.Random(seed).sample(distinct, len(distinct))
    for fold in range(n_folds):
        out = set(order[fold::n_folds])
        train = [name for name, group in groups.items() if group not in out]
        yield train, [name for name, group in groups.items() if group in out]
