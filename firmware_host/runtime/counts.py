"""What a run saw, in numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container
from dataclasses import dataclass, field

from firmware_host.events import StreamNoted
from firmware_host.stream.samples import Note
from firmware_host.stream.totals import OTHERS


@dataclass(slots=True)
class Counts:
    """Bytes, samples, losses and events; nothing about the body."""

    n_bytes: int = 0
    samples: Counter[str] = field(default_factory=Counter)
    missing: Counter[str] = field(default_factory=Counter)
    gaps: Counter[str] = field(default_factory=Counter)
    notes: Counter[str] = field(default_factory=Counter)
    events: Counter[str] = field(default_factory=Counter)

    def take_note(self, note: StreamNoted) -> None:
        """Count what was noted of the stream."""
        self.notes[note.what] += 1
        if note.what in (Note.GAP, Note.PAUSE):
            self.gaps[note.channel] += 1
            self.missing[note.channel] += int(note.detail["missing_samples"])

    def keep(self, channels: Container[str]) -> None:
        """Count all but these channels together from here on."""
        for counts in (self.samples, self.missing, self.gaps):
            for name in [name for name in counts if name not in channels and name != OTHERS]:
                counts[OTHERS] += counts.pop(name)
