"""What a board reported and what a wearer said, as the short texts that other formats carry."""

from __future__ import annotations

import re
from collections.abc import Iterable

from firmware_host.protocol.messages import Button, EventKind
from firmware_host.recording.labels import LABELS, Label

BoardEvent = tuple[float, EventKind, int]
Note = tuple[float, str]

_BEGINS, _ENDS = "begins", "ends"
# Which of several labels of one word that overlap; the first has no number.
_EDGE = re.compile(rf"({'|'.join(LABELS)}) ({_BEGINS}|{_ENDS})(?: #([1-9][0-9]{{0,8}}))?")
_MAX_VALUE = (1 << 31) - 1
_WEAR = {0: "off", 1: "on"}


def event_text(kind: EventKind, value: int) -> str:
    """Words for an event, such as ``button press``, ``wear off`` or ``battery 87``."""
    word = str(value)
    if kind is EventKind.BUTTON and value in set(Button):
        word = Button(value).name.lower()
    elif kind is EventKind.WEAR:
        word = _WEAR.get(value, word)
    return f"{kind.name.lower()} {word}"


def event_of(text: str) -> tuple[EventKind, int] | None:
    """Way back from `event_text`; None for any other text."""
    kind_word, _, word = text.partition(" ")
    try:
        kind = EventKind[kind_word.upper()] if kind_word.islower() else None
    except KeyError:
        return None
    if kind is None:
        return None
    named = {event_text(EventKind.BUTTON, int(b)): int(b) for b in Button}
    named |= {f"wear {name}": value for value, name in _WEAR.items()}
    if text in named:
        return kind, named[text]
    digits = word.removeprefix("-")
    if not (digits.isascii() and digits.isdecimal() and len(digits) <= 10):
        return None
    value = int(word)
    return (kind, value) if abs(value) <= _MAX_VALUE else None


def notes_of(
    labels: Iterable[Label], events: Iterable[BoardEvent], markers: Iterable[Note]
) -> list[Note]:
    """Everything as texts in order of time.

    Two notes a label, ``stress begins`` and ``stress ends``; ends come before begins of one moment. One that
    begins while others of its word go on has a number: ``stress begins #2``.
    """
    begins: list[Note] = []
    ends: list[Note] = []
    # By word, until when each number is taken.
    taken: dict[str, list[float]] = {}
    for x in sorted(labels, key=lambda x: (x.t_start_utc, x.t_end_utc)):
        of_word = taken.setdefault(x.label, [])
        free = (n for n, utc in enumerate(of_word) if utc <= x.t_start_utc)
        n = next(free, len(of_word))
        of_word[n : n + 1] = [x.t_end_utc]
        number = f" #{n + 1}" if n else ""
        begins.append((x.t_start_utc, f"{x.label} {_BEGINS}{number}"))
        ends.append((x.t_end_utc, f"{x.label} {_ENDS}{number}"))
    others = sorted([*((utc, event_text(kind, value)) for utc, kind, value in events), *markers])
    return sorted([*ends, *begins, *others], key=lambda note: note[0])


def labels_of(notes: Iterable[Note]) -> tuple[list[Label], list[Note]]:
    """Way back from the labels of `notes_of`, and the notes that are none.

    A begin without its end, or an end without its begin, stays a note.
    """
    labels: list[Label] = []
    others: list[Note] = []
    open_: dict[tuple[str, str | None], Note] = {}
    for utc, text in sorted(notes, key=lambda note: note[0]):
        match = _EDGE.fullmatch(text)
        if match is None:
            others.append((utc, text))
            continue
        word, edge, number = match.groups()
        key = (word, number)
        if edge == _BEGINS:
            if key in open_:
                others.append(open_[key])
            open_[key] = (utc, text)
        elif key in open_ and utc > open_[key][0]:
            labels.append(Label(open_.pop(key)[0], utc, word, "file"))
        else:
            others.append((utc, text))
    others += open_.values()
    return sorted(labels, key=lambda x: (x.t_start_utc, x.t_end_utc)), sorted(others)


def sorted_notes(
    notes: Iterable[Note],
) -> tuple[tuple[Label, ...], tuple[BoardEvent, ...], tuple[Note, ...]]:
    """Texts of a foreign file as labels, events and what is neither."""
    labels, others = labels_of(notes)
    events = [(utc, *known) for utc, text in others if (known := event_of(text)) is not None]
    markers = [(utc, text) for utc, text in others if event_of(text) is None]
    return tuple(labels), tuple(events), tuple(markers)
