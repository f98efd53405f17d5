"""Episodes: what belongs to one, what is left out, and how they are divided."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_host.adaptation.episodes import (
    EpisodeSet,
    Label,
    LabelSpan,
    LeftOut,
    Refusal,
    Split,
    build_episodes,
    split_for_gate,
)
from firmware_host.errors import AdaptationReason, LabelError

REST, STRESS = Label.REST, Label.STRESS


def _grid(end_s: float) -> np.ndarray:
    return np.arange(60.0, end_s + 1.0, 10.0)


def _session(*stages: tuple[Label, float]) -> EpisodeSet:
    """Stages back to back, each of so many seconds, windows on the whole grid."""
    spans, t = [], 0.0
    for label, length in stages:
        spans.append(LabelSpan(label, t, t + length))
        t += length
    return build_episodes(_grid(t), spans, window_s=60.0)


def _split(*stages: tuple[Label, float]) -> Split:
    split = split_for_gate(_session(*stages))
    assert isinstance(split, Split)
    return split


def _refusal(built: EpisodeSet) -> Refusal:
    refusal = split_for_gate(built)
    assert isinstance(refusal, Refusal)
    return refusal


def test_windows_wholly_inside_are_taken_and_edges_left_out() -> None:
    built = _session((REST, 200.0), (STRESS, 100.0))
    rest, stress = built.episodes
    assert rest.t_end_utc.tolist() == _grid(200.0).tolist()
    assert stress.t_end_utc.tolist() == [260.0, 270.0, 280.0, 290.0, 300.0]
    # Those ending at 210 to 250 have a foot in either stage.
    assert built.left_out[LeftOut.EDGE] == 5
    assert sum(built.left_out.values()) == 5


def test_equal_labels_that_touch_are_one_episode() -> None:
    spans = [
        LabelSpan(REST, 100.0, 200.0),
        LabelSpan(REST, 0.0, 99.0),
        LabelSpan(REST, 50.0, 120.0),
    ]
    built = build_episodes(_grid(200.0), spans, window_s=60.0)
    (episode,) = built.episodes
    assert (episode.start_utc, episode.end_utc, len(episode)) == (0.0, 200.0, 15)


def test_unusable_windows_are_left_out_and_counted_once() -> None:
    ends = _grid(300.0)
    masks = {LeftOut.NOT_WORN: ends < 90.0, LeftOut.POOR_SIGNAL: ends < 120.0}
    spans = [LabelSpan(REST, 0.0, 200.0)]
    built = build_episodes(ends, spans, window_s=60.0, unusable=masks)
    assert built.left_out[LeftOut.NOT_WORN] == 3
    assert built.left_out[LeftOut.POOR_SIGNAL] == 3
    assert built.left_out[LeftOut.UNLABELLED] == 5
    assert len(built.episodes[0]) == 9
    assert sum(built.left_out.values()) + 9 == len(ends)


def test_windows_claimed_by_both_labels_are_left_out() -> None:
    spans = [LabelSpan(REST, 0.0, 400.0), LabelSpan(STRESS, 390.0, 900.0)]
    built = build_episodes(_grid(900.0), spans, window_s=60.0)
    # From the first that ends after 390 to the last that starts before 400.
    assert built.left_out[LeftOut.CONTRADICTED] == 6
    assert all(e.t_end_utc[-1] <= 390.0 or e.t_end_utc[0] >= 460.0 for e in built.episodes)
    assert isinstance(split_for_gate(built), Split)


def test_labels_that_mostly_contradict_are_refused() -> None:
    spans = [LabelSpan(REST, 0.0, 400.0), LabelSpan(STRESS, 200.0, 600.0)]
    refusal = _refusal(build_episodes(_grid(600.0), spans, window_s=60.0))
    assert refusal.reason is AdaptationReason.CONTRADICTION
    assert "check the labels" in refusal.text


@pytest.mark.parametrize("label", [REST, STRESS])
def test_one_class_is_refused_and_the_missing_one_named(label: Label) -> None:
    refusal = _refusal(_session((label, 600.0)))
    assert refusal.reason is AdaptationReason.ONE_CLASS
    missing = STRESS if label is REST else REST
    assert f"no usable {missing} episode" in refusal.text


def test_no_window_is_refused() -> None:
    built = build_episodes(np.zeros(0), [], window_s=60.0)
    assert _refusal(built).reason is AdaptationReason.NO_DATA


def test_too_short_episodes_are_refused_with_the_counts() -> None:
    built = _session((REST, 70.0), (STRESS, 70.0))
    assert built.episodes == ()
    assert built.left_out[LeftOut.SHORT] == 4
    refusal = _refusal(built)
    assert refusal.reason is AdaptationReason.NO_DATA
    assert "4 in stretches too short" in refusal.text


def test_one_stress_episode_is_halved() -> None:
    split = _split((REST, 600.0), (STRESS, 360.0), (REST, 300.0))
    assert not split.different_episode
    assert split.n_stories == 1
    for first, second in zip(split.calibration, split.held_back, strict=True):
        assert first.label is second.label
        # No sample belongs to both halves.
        assert first.t_end_utc[-1] <= second.t_end_utc[0] - 60.0


def test_two_stories_are_halved_so_that_both_are_learned_from() -> None:
    split = _split((REST, 600.0), (STRESS, 360.0), (REST, 300.0), (STRESS, 600.0), (REST, 300.0))
    assert not split.different_episode
    assert split.n_stories == 2
    assert [e.label for e in split.calibration] == [REST, STRESS, REST, STRESS, REST]


def test_third_stress_episode_is_held_back_whole_with_the_rest_before_it() -> None:
    story = (STRESS, 360.0), (REST, 300.0)
    split = _split((REST, 600.0), *story, *story, *story)
    assert split.different_episode
    assert [e.label for e in split.calibration] == [REST, STRESS, REST, STRESS, REST]
    assert [e.label for e in split.held_back] == [STRESS, REST]
    assert split.n_stories == 3


def test_story_without_the_rest_after_it_does_not_count() -> None:
    split = _split((REST, 600.0), (STRESS, 360.0), (REST, 300.0), (STRESS, 600.0))
    assert split.n_stories == 1
    assert not split.different_episode


def test_stories_too_short_to_halve_take_turns() -> None:
    story = (STRESS, 100.0), (REST, 200.0)
    split = _split((REST, 200.0), *story, *story)
    assert split.different_episode
    assert len(split.turns) == 2
    for n, (calibration, held_back) in enumerate(split.turns):
        assert [e.label for e in held_back] == [STRESS, REST]
        assert held_back[0].start_utc == 200.0 + 300.0 * n
        assert [e.label for e in calibration] == [REST, STRESS, REST]


def test_one_story_too_short_to_halve_is_refused() -> None:
    refusal = _refusal(_session((REST, 200.0), (STRESS, 100.0), (REST, 200.0)))
    assert refusal.reason is AdaptationReason.NO_DATA


def test_the_later_half_of_many_stress_episodes_is_held_back() -> None:
    split = _split(*[(REST, 300.0), (STRESS, 300.0)] * 4, (REST, 300.0))
    assert split.n_stories == 4
    assert [e.label for e in split.calibration] == [REST, STRESS, REST, STRESS, REST]
    assert [e.label for e in split.held_back] == [STRESS, REST, STRESS, REST]


def _random_labels() -> st.SearchStrategy[list[LabelSpan]]:
    span = st.tuples(st.sampled_from(Label), st.integers(0, 3000), st.integers(30, 900))
    return st.lists(span.map(lambda s: LabelSpan(s[0], s[1], s[1] + s[2])), max_size=9)


@settings(max_examples=300, deadline=None)
@given(spans=_random_labels())
def test_whatever_the_labels_sides_never_share_a_moment_and_nothing_is_lost(
    spans: list[LabelSpan],
) -> None:
    ends = _grid(4000.0)
    built = build_episodes(ends, spans, window_s=60.0)
    used = np.concatenate([np.zeros(0, int), *(e.window_idx for e in built.episodes)])
    assert len(np.unique(used)) == len(used)
    assert len(used) + sum(built.left_out.values()) == len(ends)
    split = split_for_gate(built)
    if isinstance(split, Refusal):
        return
    for side in (split.calibration, split.held_back):
        assert {e.label for e in side} == set(Label)
    if split.different_episode and len(split.turns) == 1:
        last = max(e.t_end_utc[-1] for e in split.calibration)
        assert all(e.t_end_utc[0] - 60.0 >= last for e in split.held_back)
    for calibration, held_back in split.turns:
        assert {e.label for e in calibration} == set(Label)
        learned = np.concatenate([e.t_end_utc for e in calibration])
        for episode in held_back:
            gap = np.abs(learned[:, None] - episode.t_end_utc[None, :])
            assert gap.min() >= 60.0


@pytest.mark.parametrize(("label", "end"), [("calm", 10.0), ("rest", 0.0), ("rest", -5.0)])
def test_impossible_label_is_refused(label: str, end: float) -> None:
    with pytest.raises(LabelError, match="expected"):
        LabelSpan(label, 0.0, end)  # type: ignore[arg-type]


def test_every_reason_is_said_in_words() -> None:
    assert all("_" not in reason.words and " " in reason.words for reason in LeftOut)


def test_too_few_windows_are_told_with_what_was_left_out_if_anything_was() -> None:
    nothing = split_for_gate(EpisodeSet((), {LeftOut.EDGE: 0}, 60.0))
    some = split_for_gate(EpisodeSet((), {LeftOut.EDGE: 4}, 60.0))
    assert isinstance(nothing, Refusal)
    assert isinstance(some, Refusal)
    assert "(" not in nothing.text
    assert "(left out: 4 only partly inside a label)" in some.text
