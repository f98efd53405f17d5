"""What the wearer said of stretches of time: stored, listed, taken back; and what is not believed."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from firmware_host.adaptation.episodes import LabelSpan
from firmware_host.errors import LabelError
from firmware_host.events import OnBoard
from firmware_host.vault.pack import pack, unpack
from firmware_host.vault.records import Vault

LABEL_KIND = "label"
LABEL_REMOVED_KIND = "label_removed"
# Nobody is under one stress for half a day: a longer span is a slip of the pen.
MAX_LABEL_S = 12 * 3600.0
# 2000-01-01: an earlier time is seconds since boot, or a typing error.
OLDEST_UTC = 946_684_800.0
# Label files count whole seconds, so neighbours may share one.
_MAX_OVERLAP_S = 1.0
# The clock may be read a moment after the span was made.
_FUTURE_SLACK_S = 1.0


@dataclass(frozen=True, slots=True)
class StoredLabel:
    """A label with the id of its record; ``removed`` if the wearer took it back."""

    id: int
    span: LabelSpan
    removed: bool = False


def put_label(vault: Vault, span: LabelSpan, *, source: str, now_utc: float) -> int:
    """Store what the wearer said of a stretch of time."""
    meta: dict[str, Any] = {
        "label": span.label.value,
        "start_utc": span.start_utc,
        "end_utc": span.end_utc,
        "source": source,
    }
    if span.on_board is not None:
        meta["on_board"] = asdict(span.on_board)
    return vault.put(LABEL_KIND, pack({}, meta), now_utc)


def remove_label(vault: Vault, label_id: int, *, now_utc: float) -> int:
    """Take a label back; its record stays, so that it remains known what was learned from."""
    return vault.put(LABEL_REMOVED_KIND, pack({}, {"label_id": label_id}), now_utc)


def given_labels(vault: Vault) -> list[StoredLabel]:
    """Every label ever given, those taken back as well, in the order they were given.

    Damaged ones are passed over; see `n_damaged_labels`.
    """
    removed = {
        int(unpack(record.payload)[1]["label_id"])
        for record in vault.iterate(LABEL_REMOVED_KIND, skip_damaged=True)
    }
    found: list[StoredLabel] = []
    for record in vault.iterate(LABEL_KIND, skip_damaged=True):
        meta = unpack(record.payload)[1]
        on_board = OnBoard(**meta["on_board"]) if "on_board" in meta else None
        span = LabelSpan(meta["label"], meta["start_utc"], meta["end_utc"], on_board)
        found.append(StoredLabel(record.id, span, record.id in removed))
    return found


def n_damaged_labels(vault: Vault) -> tuple[int, int]:
    """How many labels, and how many notes that one was taken back, do not open."""
    n_opened = [
        sum(1 for _ in vault.iterate(kind, skip_damaged=True))
        for kind in (LABEL_KIND, LABEL_REMOVED_KIND)
    ]
    return vault.count(LABEL_KIND) - n_opened[0], vault.count(LABEL_REMOVED_KIND) - n_opened[1]


def stored_labels(vault: Vault) -> list[StoredLabel]:
    """Every label that holds, in the order they were given."""
    return [label for label in given_labels(vault) if not label.removed]


def load_labels(vault: Vault) -> list[LabelSpan]:
    """Spans of every label that holds, in the order they were given."""
    return [label.span for label in stored_labels(vault)]


def check_times(start_utc: float, end_utc: float, *, now_utc: float) -> None:
    """Refuse a stretch of time that no wearer can have meant.

    Raises
    ------
    LabelError
        If a time is not finite, before 2000 or in the future, or the stretch is empty or longer
        than twelve hours.
    """
    for name, utc in (("start", start_utc), ("end", end_utc)):
        if not math.isfinite(utc):
            _refuse(f"a {name} that is a time", str(utc))
        if utc < OLDEST_UTC:
            _refuse(f"a {name} after 2000-01-01", iso_time(utc))
        if utc > now_utc + _FUTURE_SLACK_S:
            _refuse(f"a {name} that is not in the future", iso_time(utc))
    if not start_utc < end_utc:
        _refuse("a start before its end", f"{iso_time(start_utc)} to {iso_time(end_utc)}")
    if end_utc - start_utc > MAX_LABEL_S:
        hours = (end_utc - start_utc) / 3600
        _refuse(f"at most {MAX_LABEL_S / 3600:.0f} h", f"{hours:.1f} h from {iso_time(start_utc)}")


def check_agrees(span: LabelSpan, others: Iterable[LabelSpan]) -> None:
    """Refuse a span that calls a time stress which another one calls rest, or the reverse.

    Raises
    ------
    LabelError
        If they share more than a second.
    """
    for other in others:
        shared_s = min(span.end_utc, other.end_utc) - max(span.start_utc, other.start_utc)
        if other.label is not span.label and shared_s > _MAX_OVERLAP_S:
            there = (
                f"{other.label.value} from {iso_time(other.start_utc)} to {iso_time(other.end_utc)}"
            )
            msg = (
                f"label: {span.label.value} from {iso_time(span.start_utc)} to {iso_time(span.end_utc)} "
                f"contradicts {there} by {shared_s:.0f} s: take one back (signet label --list, "
                "signet label --remove N)"
            )
            raise LabelError(msg)


def _refuse(expected: str, received: str) -> None:
    msg = f"label: expected {expected}, got {received}"
    raise LabelError(msg)


def iso_time(utc: float) -> str:
    """Local time with its offset; seconds since 1970 where no calendar reaches."""
    try:
        moment = datetime.fromtimestamp(utc, UTC).astimezone()
    except (ValueError, OverflowError, OSError):
        return f"{utc:g} s since 1970"
    return moment.isoformat(timespec="seconds")
