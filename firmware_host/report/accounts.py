"""Sections about trust: what left, what was learned from what, how stream and host did."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeVar

from firmware_host.report.markup import Markup, element, join
from firmware_host.report.model import ChannelHealth, LedgerEntry, Privacy, ReportData
from firmware_host.report.scales import (
    local,
    print_count,
    print_duration,
    print_value,
)
from firmware_host.report.tables import code, mark, table
from firmware_host.words import counted

# decision -> (sign, class). The sign and the word say it; colour only helps.
_DECISIONS = {
    "kept": ("✓", "good"),
    "not kept": ("–", ""),
    "rolled back": ("↺", "bad"),
    "refused": ("✕", "bad"),
    "failed": ("✕", "bad"),
    "deferred": ("…", ""),
}
_HASH_DIGITS = 12
_DROPPED = "Dropped by board"
_CHANNEL_COLUMNS = (
    ("Channel", ""),
    ("Unit", ""),
    ("Declared Hz", "n"),
    ("Measured Hz", "n"),
    ("Samples", "n"),
    ("Gaps", "n"),
    ("Time in gaps", "n"),
    (_DROPPED, "n"),
    ("Verdict", ""),
)
T = TypeVar("T")


def verdict(privacy: Privacy | None) -> tuple[str, str]:
    """(sentence, class of the box): nothing left, something left, or not known."""
    if privacy is None:
        return "Not known: this run did not record what left the host.", "dim"
    if privacy.sent:
        total = sum(item.n_bytes for item in privacy.sent)
        places = len({item.destination for item in privacy.sent})
        return (
            f"{print_count(total)} bytes left this host, to {counted(places, 'destination')}.",
            "open",
        )
    if privacy.uncounted:
        return "Nothing is recorded as sent, but not every way out was counted.", "dim"
    if not privacy.evidence:
        return "Nothing is recorded as sent, but no evidence for it was collected.", "dim"
    return "Nothing left this host.", ""


def privacy_section(data: ReportData) -> Markup | None:
    """What left, how that is known, and what is kept here."""
    privacy = data.privacy
    if privacy is None:
        return None
    parts: list[Markup] = [element("p", verdict(privacy)[0], class_="big")]
    if privacy.sent:
        rows = [
            [
                s.destination,
                s.what,
                print_count(s.n_messages),
                print_count(s.n_bytes),
                s.consent or "none recorded",
            ]
            for s in privacy.sent
        ]
        heads = ("Destination", "What", "Messages", "Bytes", "Consent")
        parts.append(table("Sent", heads, rows, kinds=("", "words", "n", "n", "")))
    lines = [*privacy.evidence, *([privacy.uncounted] if privacy.uncounted else [])]
    if lines:
        parts.append(element("h3", "How this is known"))
        parts.append(element("ul", *(element("li", line) for line in lines)))
    if privacy.stored:
        rows_stored = [[what, how] for what, how in privacy.stored]
        parts.append(table("Kept on this host", ("What", "How"), rows_stored))
    return join(parts)


def ledger_section(data: ReportData) -> Markup | None:
    """What was learned from what, newest first."""
    entries = sorted(data.ledger, key=lambda entry: -entry.t_utc)
    if not entries:
        return None
    heads = ("When", "What", "Decision", "Learned from", "Held-back score", "How", "Hashes")
    rows = [_ledger_row(entry, data.tz_offset_s) for entry in entries]
    caption = "Newest first. Scores: model as shipped / best so far → what was tried"
    return table(caption, heads, rows, kinds=("t", "", "words", "words", "t", "", "t"))


def _ledger_row(entry: LedgerEntry, tz_offset_s: float) -> list[Markup | str]:
    when = (
        f"{local(entry.t_utc, tz_offset_s):%Y-%m-%d %H:%M}" if math.isfinite(entry.t_utc) else "–"
    )
    sign, kind = _DECISIONS.get(entry.decision, ("", ""))
    decided = [mark(f"{sign} {entry.decision}".strip(), kind)]
    if entry.reason:
        decided.extend([element("br"), join([entry.reason])])
    return [
        when,
        entry.what,
        join(decided),
        entry.learned_from,
        _score(entry),
        _how(entry),
        _hashes(entry),
    ]


def _score(entry: LedgerEntry) -> Markup:
    if not entry.scores:
        return join(["–"])
    lines: list[Markup] = []
    for score in entry.scores:
        # Four digits: a log loss that decides may differ in the third.
        known = f"{print_value(score.generic, 4)} / {print_value(score.before, 4)}"
        lines += [
            *([element("br")] if lines else []),
            element("small", score.name),
            element("br"),
            join([f"{known} → {print_value(score.candidate, 4)}"]),
        ]
    return join(lines)


def _how(entry: LedgerEntry) -> Markup:
    lines = [
        entry.method,
        "" if entry.steps is None else f"{print_count(entry.steps)} steps",
        "" if entry.seed is None else f"seed {entry.seed}",
        print_duration(entry.seconds) if math.isfinite(entry.seconds) else "",
    ]
    return join([", ".join(line for line in lines if line) or "–"])


def _hashes(entry: LedgerEntry) -> Markup:
    pairs = [("data", entry.data_hash), ("adapter", entry.adapter_hash)]
    lines = [code(f"{name} {value[:_HASH_DIGITS]}") for name, value in pairs if value]
    if not lines:
        return join(["–"])
    return join([lines[0], *(join([element("br"), line]) for line in lines[1:])])


def stream_section(data: ReportData) -> Markup | None:
    """Each channel's rate, gaps and drops, and the counters of the link."""
    if not data.stream and not data.link:
        return None
    parts = []
    if data.stream:
        columns = [name for name, _ in _CHANNEL_COLUMNS]
        kinds = [kind for _, kind in _CHANNEL_COLUMNS]
        rows = [_channel_row(c) for c in data.stream]
        if all(c.n_dropped is None for c in data.stream):
            # A column of "not counted" would say nothing.
            dropped = columns.index(_DROPPED)
            columns, kinds = _without(columns, dropped), _without(kinds, dropped)
            rows = [_without(row, dropped) for row in rows]
        parts.append(table("Per channel", columns, rows, kinds=kinds))
    if data.link:
        counters = [[name, print_count(count)] for name, count in data.link]
        caption = "Whole link: a damaged frame cannot be given to one channel"
        parts.append(table(caption, ("Counter", "Count"), counters, kinds=("", "n")))
    return join(parts)


def _without(items: Sequence[T], idx: int) -> list[T]:
    return [*items[:idx], *items[idx + 1 :]]


def _channel_row(channel: ChannelHealth) -> list[Markup | str]:
    return [
        channel.channel,
        channel.unit,
        print_value(channel.declared_hz, 4),
        print_value(channel.measured_hz, 4),
        print_count(channel.n_samples),
        print_count(channel.n_gaps),
        print_duration(channel.gap_s),
        "–" if channel.n_dropped is None else print_count(channel.n_dropped),
        _channel_verdict(channel),
    ]


def _channel_verdict(channel: ChannelHealth) -> Markup:
    if not channel.n_samples:
        return mark("✕ silent", "bad")
    difference = abs(channel.measured_hz - channel.declared_hz) / max(
        abs(channel.declared_hz), 1e-9
    )
    if math.isfinite(difference) and difference > channel.rate_tolerance:
        return mark("✕ rate off", "bad")
    if channel.n_gaps or channel.n_dropped:
        return mark("with gaps" if channel.n_gaps else "with drops")
    return mark("✓ complete", "good") if math.isfinite(difference) else mark("rate not measured")


def costs_section(data: ReportData) -> Markup | None:
    """What the host spent, against its budget."""
    if not data.costs:
        return None
    rows: list[list[Markup | str]] = []
    for cost in data.costs:
        has_limit = math.isfinite(cost.limit)
        limit = f"{print_value(cost.limit)} {cost.unit}" if has_limit else "–"
        inside = mark("✓ inside", "good") if cost.value <= cost.limit else mark("✕ over", "bad")
        known = has_limit and math.isfinite(cost.value)
        value = f"{print_value(cost.value)} {cost.unit}"
        rows.append([cost.name, value, limit, inside if known else "–", cost.note])
    heads = ("Cost", "Measured", "Budget", "Verdict", "Note")
    return table(
        "Measured on this host, during this run", heads, rows, kinds=("", "n", "n", "", "words")
    )
