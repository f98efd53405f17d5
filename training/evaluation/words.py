"""Figures as people read them; None is what is not known."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from firmware_host.report.scales import print_count, print_share, print_value

_NOT_KNOWN = "–"
TRAINED_ON_STRESS = (
    "this model was trained on everybody here: no figure is what a wearer gets, accuracy is too "
    "good; quote those of loso"
)
TRAINED_ON_GAIT = (
    "this model was trained on everybody here: no figure is what a wearer gets. Equal error and "
    "rank 1 are too good; far too many walks are rejected at the bundle's threshold, because these "
    "people are among the others they are compared with. Quote those of loso"
)


def number(value: float | None) -> str:
    """A score with three decimals, a count as it is, larger values with three digits."""
    if value is None:
        return _NOT_KNOWN
    if isinstance(value, int):
        return print_count(value)
    return f"{value:.3f}".replace("-", "−") if abs(value) <= 1 else print_value(value, 3)


def share(value: float | None) -> str:
    """A share of 0..1 in percent."""
    return _NOT_KNOWN if value is None else print_share(value)


def interval(span: Sequence[float] | None, words: Callable[[float | None], str] = number) -> str:
    """A 95 % interval over people, its ends printed by `words`."""
    if span is None:
        return "no interval"
    return f"95 %: {words(span[0])} to {words(span[1])}"


def with_interval(value: float | None, span: Sequence[float] | None) -> list[str]:
    """A mean and its interval, as two cells."""
    cell = _NOT_KNOWN if span is None else f"{number(span[0])} to {number(span[1])}"
    return [number(value), cell]


def short_name(person: str) -> str:
    """The participant without the data set's name."""
    return person.rpartition("/")[2]


def starred(one: Mapping[str, Any]) -> str:
    """The short name of a participant (id, seen_in_training), marked if the model knows them."""
    return short_name(one["id"]) + ("*" if one.get("seen_in_training") else "")


def of_people(people: Sequence[Mapping[str, Any]], name: str) -> list[float]:
    """One figure of each participant, NaN where it is not known."""
    return [math.nan if one.get(name) is None else one[name] for one in people]


def capitalised(words: str) -> str:
    """The same with a capital letter in front."""
    return words[:1].upper() + words[1:]


def left_out_words(people: Sequence[Mapping[str, str]], what: str) -> list[str]:
    """A sentence for each reason with everybody (id, reason) it kept out."""
    grouped: dict[str, list[str]] = {}
    for one in people:
        grouped.setdefault(one["reason"], []).append(short_name(one["id"]))
    return [
        f"{', '.join(names)} {'is' if len(names) == 1 else 'are'} {what}: {reason}."
        for reason, names in grouped.items()
    ]
