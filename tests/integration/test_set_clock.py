"""A day on which somebody sets the host's clock back: what the buttons said stays with its minutes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from command import Wearer

from firmware_host.adaptation.labels import load_labels
from firmware_host.adaptation.prepare import ModelFacts, read_episodes
from firmware_host.signals.stress import FEATURE_NAMES
from firmware_host.vault.records import Vault

# Minutes, and whether the buttons say so. The person presses some seconds after the beginning of a bout
# and before its end.
BOUTS = [("other", 5, False), ("rest", 6, True), ("stress", 6, True), ("rest", 6, True)]
HOUR_LATER = [("other", 42, False), ("stress", 6, True), ("rest", 6, True)]
# Back by an hour in the middle of the first stress: the second is when the first rest was, by that clock.
BACK = [(14, -3600)]
# Half an hour ahead in the middle of the stress, and back again when it is over: by that clock, it
# lasted until the rest had ended too.
AHEAD_AND_BACK = [(14, 1800), (19, -1800)]
SLACK_S = 20.0

Found = list[tuple[str, float, float]]


def _scenario(path: Path, bouts: list[tuple[str, int, bool]], steps: list[tuple[int, int]]) -> str:
    text = ["start_utc = 2026-05-04T08:00:00Z"]
    for label, minutes, says_so in bouts:
        buttons = "on_time" if says_so else "none"
        text.append(f'[[bout]]\nlabel = "{label}"\nminutes = {minutes}\nbuttons = "{buttons}"')
    for minute, by_s in steps:
        text.append(f'[[fault]]\nkind = "clock_jump"\nat_s = {60 * minute}\nhost_step_s = {by_s}')
    path.write_text("\n".join(text), encoding="utf-8")
    return f"synthetic:?seed=8&scenario={path}"


def _said(bouts: list[tuple[str, int, bool]]) -> Found:
    """Bouts that the buttons tell of, in seconds since the board was switched on."""
    found, start_s = [], 0.0
    for label, minutes, says_so in bouts:
        if says_so:
            found.append((label, start_s, start_s + 60.0 * minutes))
        start_s += 60.0 * minutes
    return found


def _covered(wearer: Wearer, *, by_host_time: bool = False) -> Found:
    """Labels with the first and the last moment of their windows; none is missing in between."""
    facts = ModelFacts("ab" * 32, np.ones(len(FEATURE_NAMES)), 60.0)
    with Vault.open(wearer.state, wearer.folder / "key") as vault:
        labels = load_labels(vault)
        if by_host_time:
            labels = [replace(label, on_board=None) for label in labels]
        table, built = read_episodes(vault, facts, labels)
    found = []
    for episode in built.episodes:
        t_end_s = table.t_end_s[episode.window_idx]
        is_whole = np.array_equal(t_end_s, np.arange(t_end_s[0], t_end_s[-1] + 1, 10.0))
        found.append((episode.label.value, t_end_s[0] - 60.0 if is_whole else np.nan, t_end_s[-1]))
    return sorted(found, key=lambda one: one[1])


def _is_right(found: Found, said: Found) -> bool:
    return [one[0] for one in found] == [one[0] for one in said] and all(
        start_s <= first_s < start_s + SLACK_S and end_s - SLACK_S < last_s <= end_s
        for (_, first_s, last_s), (_, start_s, end_s) in zip(found, said, strict=True)
    )


@pytest.fixture(scope="module")
def set_back(tmp_path_factory: pytest.TempPathFactory) -> Wearer:
    """A wearer whose host's clock was set back by an hour; the run was recorded."""
    folder = tmp_path_factory.mktemp("set_back")
    url = _scenario(folder / "life.toml", BOUTS + HOUR_LATER, BACK)
    wearer = Wearer(folder)
    recording = folder / "a.mcap"
    wearer.signet("run", "--device", url, "--no-learn", "--record", recording).check()
    return wearer


def test_labels_before_within_and_after_cover_their_own_minutes(set_back: Wearer) -> None:
    said = _said(BOUTS + HOUR_LATER)
    assert _is_right(_covered(set_back), said)
    assert not _is_right(_covered(set_back, by_host_time=True), said)


def test_replay_of_the_recording_gives_the_same_and_brings_nothing_back(
    set_back: Wearer, tmp_path: Path
) -> None:
    said, recording = _said(BOUTS + HOUR_LATER), set_back.folder / "a.mcap"
    other = Wearer(tmp_path)
    events = other.signet("replay", recording, "--json").check().events
    assert _is_right(_covered(other), said)
    told = [event for event in events if event["kind"] == "label"]
    assert [event["source"] for event in told] == ["button"] * len(said)
    lasted_s = [e["on_board"]["end_s"] - e["on_board"]["start_s"] for e in told]
    assert lasted_s == pytest.approx([345.0] * len(said), abs=15.0)
    before = other.signet("status", "--json").check().json["records"]
    other.signet("label", "--remove", "2").check()
    other.signet("replay", recording).check()
    after = other.signet("status", "--json").check().json["records"]
    assert (after["label"], after["stress_window"]) == (before["label"], before["stress_window"])
    assert _is_right(_covered(other), said[:1] + said[2:])


def test_label_that_seems_to_last_on_does_not(wearer: Wearer) -> None:
    bouts = [*BOUTS, ("other", 25, False)]
    url = _scenario(wearer.folder / "life.toml", bouts, AHEAD_AND_BACK)
    wearer.signet("run", "--device", url, "--no-learn").check()
    assert _is_right(_covered(wearer), _said(bouts))
    by_host = _covered(wearer, by_host_time=True)
    assert not _is_right(by_host, _said(bouts))
    # Of minutes that nobody called stress, too.
    assert any(label == "stress" and last_s > 23 * 60.0 for label, _, last_s in by_host)
