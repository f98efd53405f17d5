"""Labelled episodes, and their division into what is learned from and what judges it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from firmware_host.adaptation.coverage import Edge, WindowEnds, covered, needs_board, seen
from firmware_host.errors import AdaptationReason, LabelError
from firmware_host.events import OnBoard

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

# A gap this short between equal labels is one episode: label files count whole seconds.
_JOIN_S = 1.5
# Windows overlap by 50 of 60 s, so three are 80 s of signal: less says nothing of an episode.
MIN_EPISODE_WINDOWS = 3
# On either side and of either class; four overlapping windows are a minute and a half.
MIN_CLASS_WINDOWS = 4
# What calibration must still hold when whole later episodes are held back: a learner that knows
# one stressor only learns that stressor.
MIN_STORIES_BEFORE = 2
# With more of the labelled windows claimed by both labels, the labels themselves are in doubt.
_MAX_CONTRADICTED_SHARE = 0.2


class Label(StrEnum):
    """What the wearer can say of a stretch of time; the order is the model's output order."""

    REST = "rest"
    STRESS = "stress"

    @property
    def class_idx(self) -> int:
        """Position among the model's outputs."""
        return list(Label).index(self)


class LeftOut(StrEnum):
    """Why a window takes no part in learning; counted, so that the wearer can be told.

    `not_finite` holds no number where one must be; `clock` was stored with a time that is still to
    come or that another stretch of wear claims as well: the clock went back.
    """

    NOT_FINITE = "not_finite"
    CLOCK = "clock"
    NOT_WORN = "not_worn"
    POOR_SIGNAL = "poor_signal"
    MOVING = "moving"
    UNLABELLED = "unlabelled"
    EDGE = "edge"
    CONTRADICTED = "contradicted"
    SHORT = "short"

    @property
    def words(self) -> str:
        """For people, after 'n windows'."""
        return _LEFT_OUT_WORDS[self]


_LEFT_OUT_WORDS = {
    LeftOut.NOT_FINITE: "without numbers",
    LeftOut.CLOCK: "of a time that the clock got wrong",
    LeftOut.NOT_WORN: "while not worn",
    LeftOut.POOR_SIGNAL: "with a poor signal",
    LeftOut.MOVING: "with too much movement",
    LeftOut.UNLABELLED: "without a label",
    LeftOut.EDGE: "only partly inside a label",
    LeftOut.CONTRADICTED: "labelled both rest and stress",
    LeftOut.SHORT: "in stretches too short to learn from",
}


@dataclass(frozen=True, slots=True)
class LabelSpan:
    """A stretch of time, host UTC, and what it was; one of the board's buttons is `on_board` too."""

    label: Label
    start_utc: float
    end_utc: float
    on_board: OnBoard | None = None

    def __post_init__(self) -> None:
        try:
            object.__setattr__(self, "label", Label(self.label))
        except ValueError as err:
            known = ", ".join(Label)
            msg = f"label: expected one of {known}, got {self.label!r}"
            raise LabelError(msg) from err
        if not self.start_utc < self.end_utc:
            msg = f"label: expected a start before its end, got {self.start_utc}, {self.end_utc}"
            raise LabelError(msg)


@dataclass(frozen=True, slots=True)
class Episode:
    """One unbroken stretch of one label and the usable windows wholly inside it.

    window_idx (n,) positions in the table the episodes were built from, t_end_utc (n,) their ends,
    increasing: by the clock of the label's end, where the host's was set within it.
    """

    label: Label
    start_utc: float
    end_utc: float
    window_idx: NDArray[np.int64]
    t_end_utc: FloatArray

    def __len__(self) -> int:
        return len(self.window_idx)


@dataclass(frozen=True, slots=True)
class EpisodeSet:
    """Episodes by start time, and how many windows were left out for which reason."""

    episodes: tuple[Episode, ...]
    left_out: Mapping[LeftOut, int]
    window_s: float


@dataclass(frozen=True, slots=True)
class Split:
    """Calibration and held-back episodes.

    `turns` are the pairs of the two to go through: mostly one; one for each stress episode when they
    are held back by turns, and then `calibration` and `held_back` list all episodes of either kind.
    With `different_episode` every held-back window is of another episode than the calibration of
    its turn, for stress and rest alike; with one turn it is later, too. Without it the sides are
    halves of the same episodes, and passing there says little of an episode unlike them.
    `n_stories` counts the stress episodes, of both sides together, that a labelled rest follows.
    """

    calibration: tuple[Episode, ...]
    held_back: tuple[Episode, ...]
    different_episode: bool
    n_stories: int
    turns: tuple[tuple[tuple[Episode, ...], tuple[Episode, ...]], ...] = ()

    def __post_init__(self) -> None:
        if not self.turns:
            object.__setattr__(self, "turns", ((self.calibration, self.held_back),))


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why nothing can be learned yet, in a word and in a sentence for the wearer."""

    reason: AdaptationReason
    text: str


def build_episodes(
    t_end_utc: FloatArray,
    labels: Sequence[LabelSpan],
    *,
    window_s: float,
    unusable: Mapping[LeftOut, BoolArray] | None = None,
    ends: WindowEnds | None = None,
) -> EpisodeSet:
    """Assign windows to labelled episodes.

    Parameters
    ----------
    t_end_utc
        (n,) ends of the windows, increasing.
    labels
        Spans in any order; equal ones that touch or overlap are one episode.
    unusable
        Masks (n,) of windows that are left out whatever their label, first reason counts.
    ends
        The same ends on both clocks; without it host time decides alone.
    """
    if ends is None:
        n = len(t_end_utc)
        ends = WindowEnds(t_end_utc, np.full(n, -1), np.full(n, np.nan))
    spans = _joined(told_apart(labels, ends, window_s))
    free, counts = _usable(len(t_end_utc), unusable or {})
    start_utc = t_end_utc - window_s
    edges = [seen(span, ends) for span in spans]
    clashing = _clashing(start_utc, t_end_utc, spans, edges)
    inside_any = np.zeros(len(t_end_utc), np.bool_)
    touched = np.zeros(len(t_end_utc), np.bool_)
    episodes: list[Episode] = []
    short = 0
    for span, (begin, end) in zip(spans, edges, strict=True):
        inside = (start_utc >= begin) & (t_end_utc <= end)
        touched |= (t_end_utc > begin) & (start_utc < end)
        # Labels of the same kind that are not joined may overlap.
        chosen = np.flatnonzero(inside & free & ~clashing & ~inside_any)
        inside_any |= inside
        episode = _episode(span, chosen, ends)
        if len(episode) >= MIN_EPISODE_WINDOWS:
            episodes.append(episode)
        else:
            short += len(episode)
    counts[LeftOut.UNLABELLED] = int((free & ~touched).sum())
    counts[LeftOut.CONTRADICTED] = int((free & clashing).sum())
    counts[LeftOut.EDGE] = int((free & touched & ~inside_any & ~clashing).sum())
    counts[LeftOut.SHORT] = short
    return EpisodeSet(tuple(episodes), counts, window_s)


def split_for_gate(built: EpisodeSet) -> Split | Refusal:
    """Divide episodes into earlier ones to learn from and later ones to judge by.

    With four stories or so, about the later half of the stress episodes is held back, with the rest
    that follows or lies between; whole episodes only. If that leaves too few stories to learn from
    or a side without one of the classes, every episode is halved and `different_episode` is False.
    Two stories or more that are too short to be halved take turns.
    """
    refusal = _refusal(built)
    if refusal is not None:
        return refusal
    n_stress = sum(episode.label is Label.STRESS for episode in built.episodes)
    for n_held_back in range(max(1, n_stress // 2), 0, -1):
        split = _split_by_episode(built, n_held_back)
        if split is not None:
            return split
    halves = _halves(built)
    if _has_both(halves.calibration) and _has_both(halves.held_back):
        return halves
    return _by_story(built) or Refusal(AdaptationReason.NO_DATA, _too_little(built))


def n_stories(episodes: Sequence[Episode]) -> int:
    """Count stress episodes that a labelled rest follows before the next one; by start time.

    The rest that follows is where false alarms live: arousal outlasts its cause.
    """
    labels = [episode.label for episode in episodes]
    pairs = pairwise(labels)
    return sum(one is Label.STRESS and two is Label.REST for one, two in pairs)


def told_apart(labels: Sequence[LabelSpan], ends: WindowEnds, window_s: float) -> list[LabelSpan]:
    """The same labels, `on_board` only where the board's clock must decide."""
    return [
        span if needs_board(span, ends, window_s) else replace(span, on_board=None)
        for span in labels
    ]


def covered_by_board(labels: Sequence[LabelSpan], ends: WindowEnds, window_s: float) -> BoolArray:
    """Mark (n,) windows of which the board's clock decided that they are inside a label."""
    inside = np.zeros(len(ends.utc), np.bool_)
    for span in told_apart(labels, ends, window_s):
        if span.on_board is not None:
            inside |= covered(span, ends, window_s)
    return inside


def _episode(span: LabelSpan, chosen: NDArray[np.int64], ends: WindowEnds) -> Episode:
    t_end_utc = ends.utc[chosen]
    if span.on_board is not None:
        # A recording that two releases played may have left two windows of one moment.
        t_end_s, first = np.unique(ends.t_s[chosen], return_index=True)
        chosen, t_end_utc = chosen[first], span.end_utc - (span.on_board.end_s - t_end_s)
    return Episode(span.label, span.start_utc, span.end_utc, chosen, t_end_utc)


def _joined(labels: Sequence[LabelSpan]) -> list[LabelSpan]:
    # Nothing follows in host time on what host time does not tell; and presses do not overlap.
    spans = [span for span in labels if span.on_board is not None]
    for kind in Label:
        own: list[LabelSpan] = []
        plain = (s for s in labels if s.label is kind and s.on_board is None)
        for span in sorted(plain, key=lambda s: s.start_utc):
            if own and span.start_utc - own[-1].end_utc <= _JOIN_S:
                own[-1] = replace(own[-1], end_utc=max(own[-1].end_utc, span.end_utc))
            else:
                own.append(span)
        spans += own
    return sorted(spans, key=lambda s: (s.start_utc, s.end_utc))


def _usable(n: int, unusable: Mapping[LeftOut, BoolArray]) -> tuple[BoolArray, dict[LeftOut, int]]:
    free = np.ones(n, np.bool_)
    counts: dict[LeftOut, int] = dict.fromkeys(LeftOut, 0)
    for reason, mask in unusable.items():
        counts[reason] = int((free & mask).sum())
        free &= ~mask
    return free, counts


def _clashing(
    start_utc: FloatArray,
    end_utc: FloatArray,
    spans: Sequence[LabelSpan],
    edges: Sequence[tuple[Edge, Edge]],
) -> BoolArray:
    """Mark windows that touch a moment which both labels claim."""
    clashing = np.zeros(len(start_utc), np.bool_)
    pairs = list(zip(spans, edges, strict=True))
    for rest in (edge for span, edge in pairs if span.label is Label.REST):
        for stress in (edge for span, edge in pairs if span.label is Label.STRESS):
            begin, end = np.maximum(rest[0], stress[0]), np.minimum(rest[1], stress[1])
            if np.any(begin < end):
                clashing |= (begin < end) & (end_utc > begin) & (start_utc < end)
    return clashing


def _refusal(built: EpisodeSet) -> Refusal | None:
    n_used = sum(len(episode) for episode in built.episodes)
    n_clashing = built.left_out.get(LeftOut.CONTRADICTED, 0)
    if n_clashing > _MAX_CONTRADICTED_SHARE * (n_used + n_clashing):
        text = f"{n_clashing} of {n_used + n_clashing} labelled windows are called rest and stress"
        return Refusal(AdaptationReason.CONTRADICTION, f"{text}: check the labels")
    if not built.episodes:
        return Refusal(AdaptationReason.NO_DATA, _too_little(built))
    for label in Label:
        if all(episode.label is not label for episode in built.episodes):
            text = f"no usable {label} episode yet: label one of at least 2 minutes"
            return Refusal(AdaptationReason.ONE_CLASS, text)
    return None


def _too_little(built: EpisodeSet) -> str:
    lost = ", ".join(f"{n} {reason.words}" for reason, n in built.left_out.items() if n)
    why = f" (left out: {lost})" if lost else ""
    return f"too few labelled windows to learn and to check{why}: label longer episodes"


def _split_by_episode(built: EpisodeSet, n_stress_held_back: int) -> Split | None:
    episodes = built.episodes
    for cut in range(len(episodes) - 1, 0, -1):
        held_back = _later(episodes[cut:], episodes[:cut], built.window_s)
        n_stress = sum(episode.label is Label.STRESS for episode in held_back)
        if n_stress < n_stress_held_back or not _has_both(held_back):
            continue
        # An earlier cut only takes more away from calibration.
        if not _has_both(episodes[:cut]) or n_stories(episodes[:cut]) < MIN_STORIES_BEFORE:
            return None
        return Split(episodes[:cut], held_back, True, n_stories(episodes))
    return None


def _later(
    later: tuple[Episode, ...], earlier: tuple[Episode, ...], window_s: float
) -> tuple[Episode, ...]:
    """Keep what starts after every earlier window has ended; labels may overlap in time."""
    end_utc = max(float(episode.t_end_utc[-1]) for episode in earlier)
    kept = [_where(episode, episode.t_end_utc - window_s >= end_utc) for episode in later]
    return tuple(episode for episode in kept if len(episode) >= MIN_EPISODE_WINDOWS)


def _halves(built: EpisodeSet) -> Split:
    first: list[Episode] = []
    second: list[Episode] = []
    for episode in built.episodes:
        begin, end = float(episode.t_end_utc[0]) - built.window_s, float(episode.t_end_utc[-1])
        middle = (begin + end) / 2
        first.append(_where(episode, episode.t_end_utc <= middle))
        second.append(_where(episode, episode.t_end_utc - built.window_s >= middle))
    return Split(
        tuple(episode for episode in first if len(episode)),
        tuple(episode for episode in second if len(episode)),
        different_episode=False,
        n_stories=n_stories(built.episodes),
    )


def _by_story(built: EpisodeSet) -> Split | None:
    """Each stress episode is held back in turn, with the rest after it, if there are two."""
    turns = []
    episodes = built.episodes
    for idx, episode in enumerate(episodes):
        if episode.label is Label.STRESS:
            after = [e for e in episodes[idx + 1 : idx + 2] if e.label is Label.REST]
            held_back = (episode, *after)
            others = tuple(e for e in episodes if all(e is not one for one in held_back))
            turns.append((_apart(others, held_back, built.window_s), held_back))
    enough = all(_has_both(calibration) for calibration, _ in turns)
    held = tuple(episode for _, held_back in turns for episode in held_back)
    if n_stories(episodes) < MIN_STORIES_BEFORE or not enough or not _has_both(held):
        return None
    return Split(episodes, held, True, n_stories(episodes), tuple(turns))


def _apart(
    episodes: tuple[Episode, ...], others: tuple[Episode, ...], window_s: float
) -> tuple[Episode, ...]:
    """Drop windows that share a moment with others'; labels may overlap in time."""
    ends = np.concatenate([episode.t_end_utc for episode in others])
    kept = [
        _where(e, (np.abs(e.t_end_utc[:, None] - ends) >= window_s).all(axis=1)) for e in episodes
    ]
    return tuple(episode for episode in kept if len(episode))


def _where(episode: Episode, mask: BoolArray) -> Episode:
    return replace(episode, window_idx=episode.window_idx[mask], t_end_utc=episode.t_end_utc[mask])


def _has_both(episodes: Sequence[Episode]) -> bool:
    return all(
        sum(len(episode) for episode in episodes if episode.label is label) >= MIN_CLASS_WINDOWS
        for label in Label
    )
