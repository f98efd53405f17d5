"""What a board reported and what a wearer said, as the short texts that other formats carry."""

from __future__ import annotations

from collections.abc import Iterable

from firmware_host.protocol.messages import Button, EventKind
from firmware_host.recording.labels import LABELS, Label

BoardEvent = tuple[float, EventKind, int]
Note = tuple[float, str]

_BEGINS, _ENDS = "begins", "ends"
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


def label_notes(labels: Iterable[Label]) -> list[Note]:
    """Two notes a label, ``stress begins`` and ``stress ends``; ends come before begins of one moment."""
    notes = [(x.t_start_utc, f"{x.label} {_BEGINS}") for x in labels]
    return [(x.t_end_utc, f"{x.label} {_ENDS}") for x in labels] + notes


def labels_of(notes: Iterable[Note]) -> tuple[list[Label], list[Note]]:
    """Way back from `label_notes`: labels, and the notes that are none.

    A begin without its end, or an end without its begin, stays a note.
    """
    labels: list[Label] = []
    others: list[Note] = []
    open_: dict[str, float] = {}
    for utc, text in sorted(notes, key=lambda note: note[0]):
        word, _, edge = text.partition(" ")
        if word not in LABELS or edge not in (_BEGINS, _ENDS):
            others.append((utc, text))
        elif edge == _BEGINS:
            if word in open_:
                others.append((open_[word], text))
            open_[word] = utc
        elif word in open_ and utc > open_[word]:
            labels.append(Label(open_.pop(word), utc, word, "file"))
        else:
            others.append((utc, text))
    others += [(utc, f"{word} {_BEGINS}") for word, utc in open_.items()]
    return sorted(labels, key=lambda x: (x.t_start_utc, x.t_end_utc)), sorted(others)


def sorted_notes(
    notes: Iterable[Note],
) -> tuple[tuple[Label, ...], tuple[BoardEvent, ...], tuple[Note, ...]]:
    """Texts of a foreign file as labels, events and what is neither."""
    labels, others = labels_of(notes)
    events = [(utc, *known) for utc, text in others if (known := event_of(text)) is not None]
    markers = [(utc, text) for utc, text in others if event_of(text) is None]
    return tuple(labels), tuple(events), tuple(markers)
