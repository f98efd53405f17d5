"""What is said of a printing board's lines."""

from __future__ import annotations

from dataclasses import asdict

from firmware_host.runtime.drops import drop_words, line_words
from firmware_host.transport.text_lines import LineCounters


def test_a_board_that_sends_frames_has_no_lines() -> None:
    assert line_words({}) == ""


def test_every_reason_to_skip_a_line_has_its_words() -> None:
    counters = LineCounters(readings=7, headers=2)
    assert line_words(asdict(counters)) == "7 readings, skipped: none"
    names = [name for name in asdict(counters) if name not in ("readings", "headers")]
    for i, name in enumerate(names, 1):
        setattr(counters, name, i)
    words = line_words(asdict(counters))
    assert len(words.split(", ")) == 1 + len(names)
    assert counters.skipped == sum(range(1, len(names) + 1))


def test_counts_of_one_are_said_as_one() -> None:
    counts = {"bad_frames": 1, "late_blocks": 2, "foreign_messages": 1, "backfill_asked": 1}
    assert set(drop_words(counts)) == {
        "1 bad frame",
        "2 blocks too late",
        "1 message of a session that was not announced yet",
        "1 time lost blocks were asked for",
    }
