"""Annotations of EDF+: time-stamped lists of texts, one list a record and all of one length.

A record is as long as the longest list, so what is said in one second would be paid for in every second. A text
says itself when it was, so those that find no room go into lists of later records, and a long one goes in parts
such as ``(1/3) Then she``, each a text of its own for readers that know nothing of parts.
"""

from __future__ import annotations

import math
import re
from collections import deque
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from firmware_host.units import MICROSECONDS_PER_SECOND

Annotation = tuple[float, float | None, str]
"""Onset in UNIX seconds, duration in s, text."""

# An hour of seconds costs 3.6 kB for each byte of the longest text; nobody types much more than this.
_MAX_TEXT_BYTES = 100
_PART = re.compile(r"\(([0-9]{1,6})/([0-9]{1,6})\) (.*)", re.DOTALL)


def annotation_lists(
    notes: Iterable[Annotation], start_utc: float, present: NDArray[np.int64], record_s: int
) -> list[bytes]:
    """One list for each of the records ``present``, all of one even length, and no longer than they have to be."""
    zero_utc = math.floor(start_utc)
    heads = [
        _tal(start_utc - zero_utc + number * record_s, None, "") for number in present.tolist()
    ]
    said = sorted(_in_parts(notes), key=lambda note: note[0])
    numbers = [math.floor((utc - start_utc) / record_s) for utc, *_ in said]
    rows = np.searchsorted(present, np.array(numbers, dtype=np.int64), side="right") - 1
    tals = [_tal(utc - zero_utc, duration_s, text) for utc, duration_s, text in said]
    head = max(map(len, heads))
    size = head + max(max(map(len, tals), default=0), sum(map(len, tals)) // len(heads))
    while (lists := _filled(heads, tals, rows.tolist(), size)) is None:
        size += size // 4
    longest = max(map(len, lists))
    return [one.ljust(longest + longest % 2, b"\0") for one in lists]


def joined(notes: Iterable[Annotation]) -> list[Annotation]:
    """Way back from parts: texts that were cut are whole again; incomplete ones stay parts."""
    whole: list[Annotation] = []
    parts: dict[tuple[float, int], dict[int, Annotation]] = {}
    for note in notes:
        match = _PART.fullmatch(note[2])
        found = {} if match is None else parts.setdefault((note[0], int(match[2])), {})
        if match is None or note[1] is not None or int(match[1]) in found:
            whole.append(note)
        else:
            found[int(match[1])] = note
    for (utc, n), found in parts.items():
        if n > 1 and sorted(found) == list(range(1, n + 1)):
            texts = [found[k][2].partition(") ")[2] for k in range(1, n + 1)]
            whole.append((utc, None, "".join(texts)))
        else:
            whole += found.values()
    return sorted(whole, key=lambda note: note[0])


def _filled(
    heads: list[bytes], tals: list[bytes], rows: list[int], size: int
) -> list[bytes] | None:
    """Each text in the list of its record or a later one, else an earlier one; None if there is no room."""
    lists = list(heads)
    waiting: deque[bytes] = deque()
    n = 0
    for row in range(len(lists)):
        while n < len(tals) and rows[n] <= row:
            waiting.append(tals[n])
            n += 1
        while waiting and len(lists[row]) + len(waiting[0]) <= size:
            lists[row] += waiting.popleft()
    for row in reversed(range(len(lists))):
        while waiting and len(lists[row]) + len(waiting[-1]) <= size:
            lists[row] += waiting.pop()
    return None if waiting else lists


def _in_parts(notes: Iterable[Annotation]) -> Iterable[Annotation]:
    taken: set[int] = set()
    for utc, duration_s, text in notes:
        # Control characters end a text.
        data = "".join(c if c >= " " else " " for c in text).encode()
        if len(data) <= _MAX_TEXT_BYTES or duration_s is not None:
            yield utc, duration_s, data.decode()
            continue
        # Each long text has a moment of its own, or parts of two would be mixed up.
        at_us = round(utc * MICROSECONDS_PER_SECOND)
        while at_us in taken:
            at_us += 1
        taken.add(at_us)
        parts = _cut(data)
        for k, part in enumerate(parts, 1):
            yield at_us / MICROSECONDS_PER_SECOND, None, f"({k}/{len(parts)}) {part}"


def _cut(data: bytes) -> list[str]:
    """The text in pieces of whole characters."""
    parts = []
    while data:
        part = data[:_MAX_TEXT_BYTES].decode(errors="ignore")
        parts.append(part)
        data = data[len(part.encode()) :]
    return parts


def _tal(onset_s: float, duration_s: float | None, text: str) -> bytes:
    lasting = "" if duration_s is None else f"\x15{_seconds(duration_s)}"
    sign = "-" if onset_s < 0 else "+"
    return f"{sign}{_seconds(abs(onset_s))}{lasting}\x14{text}\x14\0".encode()


def _seconds(value: float) -> str:
    return f"{value:.6f}".rstrip("0").rstrip(".")
