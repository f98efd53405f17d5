"""Sections about trust: what left, what was learned from what, how stream and host did."""

from __future__ import annotations

import math

from firmware_host.report.markup import Markup, element, join
from firmware_host.report.model import ChannelHealth, LedgerEntry, Privacy, ReportData
from firmware_host.report.scales import (
    local,
    print_count,
    print_duration,
    print_value,
)
from firmware_host.report.tables import code, mark, table

# decision -> (sign, class). The sign and the word say it; colour only helps.
_DECISIONS = {
    "kept": ("✓", "good"),
    "rolled back": ("↺", "bad"),
    "refused": ("✕", "bad"),
    "failed": ("✕", "bad"),
    "deferred": ("…", ""),
}
_HASH_DIGITS = 12


def verdict(privacy: Privacy | None) -> tuple[str, str]:
    """(sentence, class of the box): nothing left, something left, or not known."""
    if privacy is None:
        return "Not known: this run did not record what left the host.", "dim"
    if privacy.sent:
        total = sum(item.n_bytes for item in privacy.sent)
        places = len({item.destination for item in privacy.sent})
        plural = "destination" if places == 1 else "destinations"
        return f"{print_count(total)} bytes left this host, to {places} {plural}.", "open"
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
    if privacy.evidence:
        parts.append(element("h3", "How this is known"))
        parts.append(element("ul", *(element("li", line) for line in privacy.evidence)))
    if privacy.stored:
        rows_stored = [[what, how] for what, how in privacy.stored]
        parts.append(table("Kept on this host", ("What", "How"), rows_stored))
    return join(parts)


def ledger_section(data: ReportData) -> Markup | None:
    """What was learned from what, newest first."""
    entries = sorted(data.ledger, key=lambda entry: -entry.t_utc)
    if not entries:
        return None
    heads = ("When", "What", "Decision", "Learned from", "Score", "How", "Hashes")
    rows = [_ledger_row(entry, data.tz_offset_s) for entry in entries]
    return table("Newest first", heads, rows, kinds=("t", "", "words", "words", "", "", "t"))


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
    if not entry.score_name and not math.isfinite(entry.after):
        return join(["–"])
    change = f"{print_value(entry.before)} → {print_value(entry.after)}"
    return join([entry.score_name or None, element("br") if entry.score_name else None, change])


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
        heads = (
            "Channel",
            "Unit",
            "Declared Hz",
            "Measured Hz",
            "Samples",
            "Gaps",
            "Time in gaps",
            "Dropped by board",
            "Verdict",
        )
        kinds = ("", "", "n", "n", "n", "n", "n", "n", "")
        parts.append(
            table("Per channel", heads, [_channel_row(c) for c in data.stream], kinds=kinds)
        )
    if data.link:
        rows = [[name, print_count(count)] for name, count in data.link]
        caption = "Whole link: a damaged frame cannot be given to one channel"
        parts.append(table(caption, ("Counter", "Count"), rows, kinds=("", "n")))
    return join(parts)


def _channel_row(channel: ChannelHealth) -> list[Markup | str]:
    return [
        channel.channel,
        channel.unit,
        print_value(channel.declared_hz, 4),
        print_value(channel.measured_hz, 4),
        print_count(channel.n_samples),
        print_count(channel.n_gaps),
        print_duration(channel.gap_s),
        print_count(channel.n_dropped),
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
