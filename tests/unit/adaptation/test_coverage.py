"""Which windows a label covers where the host's clock was set, and where it was not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from firmware_host.adaptation.coverage import WindowEnds, covered, host_spans, needs_board
from firmware_host.adaptation.episodes import (
    EpisodeSet,
    Label,
    LabelSpan,
    LeftOut,
    Split,
    build_episodes,
    covered_by_board,
    split_for_gate,
)
from firmware_host.adaptation.labels import load_labels, put_label
from firmware_host.adaptation.prepare import ModelFacts, read_episodes
from firmware_host.adaptation.samples import WINDOW_KIND, replay_ids, window_payload
from firmware_host.events import OnBoard
from firmware_host.signals.stress import CHANNELS, StressWindow
from firmware_host.vault.records import Vault

from .conftest import N_FEATURES

REST, STRESS = Label.REST, Label.STRESS
T0_UTC, SESSION, WINDOW_S = 1.7e9, 4711, 60.0
# Four hours of windows, and the steps of the host's clock: (stream time, by how much).
LASTS_S = 4 * 3600.0
HOUR = 3600.0
Steps = list[tuple[float, float]]


def _host_utc(t_s: float, steps: Steps) -> float:
    return T0_UTC + t_s + sum(by_s for at_s, by_s in steps if t_s > at_s)


def _ends(steps: Steps, *, session: int = SESSION, day_s: float = 0.0) -> WindowEnds:
    t_s = np.arange(WINDOW_S, LASTS_S, 10.0)
    utc = np.array([_host_utc(t, steps) for t in t_s.tolist()]) + day_s
    return WindowEnds(utc, np.full(len(t_s), session), t_s)


def _pressed(label: Label, start_s: float, end_s: float, steps: Steps) -> LabelSpan:
    start_utc, end_utc = _host_utc(start_s, steps), _host_utc(end_s, steps)
    on_board = OnBoard(SESSION, start_s, end_s, start_utc)
    if not 0 < end_utc - start_utc <= HOUR:
        start_utc = end_utc - on_board.lasts_s
    return LabelSpan(label, start_utc, end_utc, on_board)


def _built(labels: list[LabelSpan], ends: WindowEnds) -> EpisodeSet:
    order = np.argsort(ends.utc, kind="stable")
    ends = WindowEnds(ends.utc[order], ends.session[order], ends.t_s[order])
    return build_episodes(ends.utc, labels, window_s=WINDOW_S, ends=ends)


def _board_times(built: EpisodeSet, ends: WindowEnds) -> list[list[float]]:
    ordered = ends.t_s[np.argsort(ends.utc, kind="stable")]
    return [ordered[episode.window_idx].tolist() for episode in built.episodes]


_NAMES = ("utc", "session", "t_s")
# Of a label from 1000 s to 1600 s.
INSIDE = [float(t) for t in range(1060, 1601, 10)]


@pytest.mark.parametrize(
    "steps",
    [
        [(1300.0, -HOUR)],
        [(2000.0, -HOUR)],
        [(1300.0, -200.0)],
        [(1300.0, 1800.0), (2000.0, -1800.0)],
        [(1300.0, 3e8), (9000.0, -3e8)],
        [(500.0, 90.0), (1590.0, -90.0), (1700.0, -500.0)],
    ],
    ids=["back within", "back after", "back a little", "leap", "years", "often"],
)
def test_board_tells_what_the_hosts_clock_does_not(steps: Steps) -> None:
    ends, label = _ends(steps), _pressed(STRESS, 1000.0, 1600.0, steps)
    assert needs_board(label, ends, WINDOW_S)
    assert ends.t_s[covered(label, ends, WINDOW_S)].tolist() == INSIDE
    assert ends.t_s[covered_by_board([label], ends, WINDOW_S)].tolist() == INSIDE
    built = _built([label], ends)
    (found,) = _board_times(built, ends)
    assert found == INSIDE
    (episode,) = built.episodes
    assert np.diff(episode.t_end_utc) == pytest.approx(10.0, abs=1e-5)
    # Host time alone is wrong, or this would show nothing.
    assert _board_times(_built([replace(label, on_board=None)], ends), ends) != [INSIDE]
    # Whoever looks for its windows by host time finds them all.
    looked = np.zeros(len(ends.utc), np.bool_)
    for start_utc, end_utc in host_spans(label):
        looked |= (ends.utc >= start_utc) & (ends.utc <= end_utc)
    assert looked[covered(label, ends, WINDOW_S)].all()


@pytest.mark.parametrize("drift_s", [0.0, 0.2])
def test_host_time_decides_while_nobody_sets_the_clock(drift_s: float) -> None:
    ends = _ends([])
    ends = replace(ends, utc=ends.utc + drift_s * ends.t_s / LASTS_S)
    label = _pressed(STRESS, 1000.0, 1600.0, [])
    assert not needs_board(label, ends, WINDOW_S)
    assert host_spans(label) == [(label.start_utc, label.end_utc)]
    assert not covered_by_board([label], ends, WINDOW_S).any()
    # Joined with what was said at the host, as ever.
    said = LabelSpan(STRESS, label.end_utc, label.end_utc + 300.0)
    (episode,) = _built([label, said], ends).episodes
    assert (episode.start_utc, episode.end_utc) == (label.start_utc, said.end_utc)


def test_windows_of_another_session_or_run_are_not_meant() -> None:
    steps: Steps = [(2000.0, -HOUR)]
    label = _pressed(STRESS, 1000.0, 1600.0, steps)
    day_s = 86_400.0
    # The same number on another day; another number at the very same times; the same session heard
    # by a run that began later, whose stream time begins anew.
    assert not covered(label, _ends(steps, day_s=day_s), WINDOW_S).any()
    assert not covered(label, _ends(steps, session=4712), WINDOW_S).any()
    assert not covered(label, _ends([], day_s=600.0), WINDOW_S).any()
    # Of the other session, too, host time would say otherwise.
    assert needs_board(label, _ends(steps, session=4712), WINDOW_S)


@pytest.mark.parametrize("steps", [[], [(2000.0, -HOUR)]])
@pytest.mark.parametrize("shift_s", [0.0, 3.0, 30.0, 700.0])
def test_minutes_played_once_more_are_counted_once(steps: Steps, shift_s: float) -> None:
    once = _ends(steps)
    # Another release, or the recording without its beginning: stream time begins later.
    again = replace(once, t_s=once.t_s - shift_s)
    ends = WindowEnds(*(np.concatenate([getattr(x, n) for x in (once, again)]) for n in _NAMES))
    label = _pressed(STRESS, 1000.0, 1600.0, steps)
    is_decided = covered_by_board([label], ends, WINDOW_S)
    contested = np.ones(len(ends.utc), np.bool_) & ~is_decided
    order = np.argsort(ends.utc, kind="stable")
    built = build_episodes(
        ends.utc[order],
        [label],
        window_s=WINDOW_S,
        unusable={LeftOut.CLOCK: contested[order]},
        ends=WindowEnds(*(getattr(ends, name)[order] for name in _NAMES)),
    )
    n_counted = sum(len(episode) for episode in built.episodes)
    assert n_counted == (len(INSIDE) if steps or shift_s else 0)


def test_label_without_board_times_goes_by_host_time_among_set_clocks() -> None:
    # From 1400 s to 5000 s the clock shows every time twice.
    ends = _ends([(5000.0, -HOUR)])
    said = LabelSpan(REST, T0_UTC + 2000.0, T0_UTC + 2600.0)
    assert not needs_board(said, ends, WINDOW_S)
    (found,) = _board_times(_built([said], ends), ends)
    assert len(found) == 2 * len(INSIDE)


def test_two_presses_at_the_same_host_time_do_not_contradict_each_other() -> None:
    steps: Steps = [(5000.0, -HOUR)]
    ends = _ends(steps)
    labels = [_pressed(REST, 2000.0, 2600.0, steps), _pressed(STRESS, 5600.0, 6200.0, steps)]
    assert labels[0].start_utc == labels[1].start_utc
    built = _built(labels, ends)
    assert built.left_out[LeftOut.CONTRADICTED] == 0
    first, second = _board_times(built, ends)
    assert first == [t + 1000.0 for t in INSIDE]
    assert second == [t + 4600.0 for t in INSIDE]


def test_window_is_counted_once_and_a_contradiction_shows() -> None:
    steps: Steps = [(1300.0, -HOUR)]
    ends, pressed = _ends(steps), _pressed(STRESS, 1000.0, 1600.0, steps)
    by_hand = LabelSpan(STRESS, _host_utc(1400.0, steps), _host_utc(1800.0, steps))
    built = _built([pressed, by_hand], ends)
    chosen = np.concatenate([episode.window_idx for episode in built.episodes])
    assert len(set(chosen.tolist())) == len(chosen)
    against = _built([pressed, replace(by_hand, label=REST)], ends)
    # Those that touch 1400 s to 1600 s.
    assert against.left_out[LeftOut.CONTRADICTED] == 25
    (kept,) = (e for e in against.episodes if e.label is STRESS)
    ordered = ends.t_s[np.argsort(ends.utc, kind="stable")]
    assert ordered[kept.window_idx].tolist() == [t for t in INSIDE if t <= 1400.0]


def test_halves_of_a_label_with_a_set_clock_share_no_second() -> None:
    steps: Steps = [(1290.0, -HOUR)]
    ends = _ends(steps)
    labels = [
        _pressed(REST, 400.0, 1000.0, steps),
        _pressed(STRESS, 1000.0, 1600.0, steps),
        _pressed(REST, 1600.0, 2200.0, steps),
    ]
    split = split_for_gate(_built(labels, ends))
    assert isinstance(split, Split)
    ordered = ends.t_s[np.argsort(ends.utc, kind="stable")]
    for calibration, held_back in split.turns:
        one, two = (
            ordered[np.concatenate([e.window_idx for e in side])]
            for side in (calibration, held_back)
        )
        assert (np.abs(one[:, None] - two) >= WINDOW_S).all()


@pytest.fixture
def facts() -> ModelFacts:
    return ModelFacts("ab" * 32, np.ones(N_FEATURES), WINDOW_S)


def _store(vault: Vault, ends: WindowEnds) -> None:
    items = []
    for utc, t_s in zip(ends.utc.tolist(), ends.t_s.tolist(), strict=True):
        features = np.zeros(N_FEATURES, np.float32)
        window = StressWindow(t_s, features, dict.fromkeys(CHANNELS, 1.0), 0.1, True, 0.0)
        items.append((window_payload(window, session=SESSION), utc))
    vault.put_many(WINDOW_KIND, items)


def test_vault_gives_each_label_its_own_windows(vault: Vault, facts: ModelFacts) -> None:
    steps: Steps = [(2300.0, -HOUR)]
    ends = _ends(steps)
    _store(vault, ends)
    # The second one within the set clock, the third at the host time of the first.
    times = [(REST, 1000.0, 1600.0), (STRESS, 2000.0, 2600.0), (REST, 4600.0, 5200.0)]
    for label, start_s, end_s in times:
        put_label(vault, _pressed(label, start_s, end_s, steps), source="button", now_utc=T0_UTC)
    labels = load_labels(vault)
    table, built = read_episodes(vault, facts, labels)
    found = {
        (episode.label, *table.t_end_s[episode.window_idx][[0, -1]].tolist(), len(episode))
        for episode in built.episodes
    }
    assert found == {(label, start + 60.0, end, 55) for label, start, end in times}
    assert len(replay_ids(vault, labels)) >= 3 * 55
    # By host time alone, a label of two passes is of neither.
    _, by_host = read_episodes(vault, facts, [replace(x, on_board=None) for x in labels])
    assert by_host.left_out[LeftOut.CLOCK] >= 2 * 55


def test_minutes_that_only_host_time_tells_of_stay_left_out(
    vault: Vault, facts: ModelFacts
) -> None:
    _store(vault, _ends([(5000.0, -HOUR)]))
    said = LabelSpan(REST, T0_UTC + 2000.0, T0_UTC + 2600.0)
    put_label(vault, said, source="cli", now_utc=T0_UTC)
    _, built = read_episodes(vault, facts, load_labels(vault))
    assert built.episodes == ()
    assert built.left_out[LeftOut.CLOCK] >= 2 * 55
