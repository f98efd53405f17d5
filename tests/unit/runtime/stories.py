"""Labels and comparisons that can be learned from, shared by the tests beside it."""

from __future__ import annotations

from firmware_host.adaptation.episodes import LabelSpan
from firmware_host.adaptation.labels import put_label
from firmware_host.adaptation.preferences import PREFERENCE_KIND, Comparison, put_comparison
from firmware_host.adaptation.samples import WINDOW_KIND
from firmware_host.events import Labelled
from firmware_host.runtime.learning import LearnTrigger
from firmware_host.vault.pack import pack
from firmware_host.vault.records import Vault

# Any time well after 2000, as labels have it.
START_UTC = 1.7e9


def labelled(kind: str, start: float, minutes: float = 5.0) -> Labelled:
    end = start + 60 * minutes
    return Labelled(end, end, kind, start, end, "button")


def tell_story(trigger: LearnTrigger) -> None:
    for label in (labelled("rest", 0), labelled("stress", 400), labelled("rest", 800)):
        trigger.add(label)


def compare(vault: Vault, n: int, *, first: int = 0, is_seen: bool = True) -> None:
    """Say n comparisons of moments with a window each."""
    for i in range(first, first + n):
        more, less = (START_UTC + 600 * i + at for at in (0, 300))
        if is_seen:
            vault.put_many(WINDOW_KIND, [(b"window", more + 30), (b"window", less + 30)])
            put_comparison(vault, Comparison(more, less), now_utc=START_UTC + 1e6)
        else:
            # Its windows are gone since.
            meta = {"more_utc": more, "less_utc": less}
            vault.put(PREFERENCE_KIND, pack({}, meta), START_UTC + 1e6)


def store_stories(vault: Vault, n: int) -> None:
    for i in range(2 * n + 1):
        span = LabelSpan(
            "stress" if i % 2 else "rest", *(START_UTC + 400 * i + s for s in (0, 300))
        )
        put_label(vault, span, source="cli", now_utc=START_UTC + 9000)
