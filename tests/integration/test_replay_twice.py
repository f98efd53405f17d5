"""A recording played twice into one vault counts once."""

from __future__ import annotations

from pathlib import Path

from command import Wearer


def test_another_replay_adds_no_windows_and_no_events(wearer: Wearer, recording: Path) -> None:
    counts = []
    for _ in range(3):
        wearer.signet("replay", recording).check()
        records = wearer.signet("status", "--json").check().json["records"]
        counts.append((records["stress_window"], records["event"]))
    first, second, third = counts
    assert first[0] == second[0]
    # The second one knows the baseline that the first one learned, so some scores are others.
    assert first[1] < second[1] < 2 * first[1]
    assert second == third
