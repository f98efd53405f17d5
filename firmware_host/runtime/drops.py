"""What did not get through, counted by why."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from firmware_host.protocol.parser import MessageParser
from firmware_host.stream.assembler import StreamAssembler

# Of each channel, in all sessions of a run; with what was dropped stands what of it came after all.
BLOCK_DROPS = (
    "board_dropped",
    "duplicate_blocks",
    "late_blocks",
    "bad_blocks",
    "filled_blocks",
    "filled_samples",
    "gone_samples",
)
_WORDS = {
    "board_dropped": "dropped by the board",
    "late_blocks": "blocks too late",
    "duplicate_blocks": "blocks twice",
    "bad_blocks": "blocks of a wrong size",
    "bad_frames": "bad frames",
    "oversize": "frames too long",
    "bad_payloads": "payloads without sense",
    "unknown_kinds": "frames of unknown kind",
    "host_frames": "frames that only a host sends",
    "foreign_messages": "messages of a session that was not announced yet",
    "unknown_streams": "blocks of a channel that was not announced",
    "backfill_asked": "times lost blocks were asked for",
    "filled_samples": "lost samples sent again",
    "gone_samples": "lost samples gone for good",
    "links_lost": "times the link was lost",
}
_PLURAL = re.compile(r"\b(block|frame|message|payload|sample|time)s\b")

_SKIPPED_LINES = {
    "words": "other text",
    "columns": "other columns",
    "not_finite": "not finite",
    "overlong": "too long",
    "binary": "no text",
    "out_of_range": "out of range",
    "bad_time": "impossible time",
    "early": "too early and too many",
}


def line_words(lines: Mapping[str, int]) -> str:
    """What became of the lines of a board that prints; nothing for one that sends frames."""
    if not lines:
        return ""
    skipped = [f"{lines[name]} {words}" for name, words in _SKIPPED_LINES.items() if lines[name]]
    return f"{lines['readings']} readings, skipped: {', '.join(skipped) or 'none'}"


def _line_faults(assembler: StreamAssembler, parser: MessageParser) -> dict[str, int]:
    """What came over the line and could not be used, by why."""
    decoder = parser.decoder
    return {
        "bad_frames": decoder.bad_frames,
        "oversize": decoder.oversize,
        "skipped_bytes": decoder.skipped_bytes,
        "bad_payloads": parser.bad_payloads,
        "unknown_kinds": parser.unknown_kinds,
        "host_frames": parser.host_frames,
        "foreign_messages": assembler.n_foreign,
        "unknown_streams": assembler.n_unknown_stream,
    }


def drops(assembler: StreamAssembler, parser: MessageParser) -> dict[str, int]:
    """Everything that was dropped, by why: on the line, and of all channels and sessions together."""
    totals = assembler.tracks.totals.values()
    of_blocks = {name: sum(counts[name] for counts in totals) for name in BLOCK_DROPS}
    return {**_line_faults(assembler, parser), **of_blocks}


def drop_words(counts: Mapping[str, Any]) -> list[str]:
    """Words for each counter that counted, of a summary or a channel's counts."""
    return [_counted(counts[name], words) for name, words in _WORDS.items() if counts.get(name)]


def _counted(n: int, words: str) -> str:
    return f"{n} {_PLURAL.sub(_one, words, count=1) if n == 1 else words}"


def _one(plural: re.Match[str]) -> str:
    return plural[1]
