"""What a learning job reads: windows and labels divided, with the baseline they are seen from."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from firmware_host.adaptation.compared import divide
from firmware_host.adaptation.episodes import (
    Episode,
    EpisodeSet,
    Label,
    LabelSpan,
    LeftOut,
    Refusal,
    Split,
    build_episodes,
    covered_by_board,
    split_for_gate,
)
from firmware_host.adaptation.evidence import Comparisons, Evidence, Labelled
from firmware_host.adaptation.labels import load_labels, n_damaged_labels
from firmware_host.adaptation.preferences import Given, comparisons, given
from firmware_host.adaptation.samples import (
    Rest,
    WindowTable,
    inputs_by_day,
    load_baseline,
    load_rests,
    load_windows,
    load_windows_between,
    model_inputs,
)
from firmware_host.errors import AdaptationReason, VaultError
from firmware_host.signals.normalise import Baseline, BaselineEstimator
from firmware_host.signals.stress import CHANNELS
from firmware_host.vault.pack import pack
from firmware_host.vault.records import Vault

# Below this share of good heart beats a window was wrong more often than right, whatever the model.
MIN_PULSE_QUALITY = 0.5
MIN_SKIN_QUALITY = 0.5
# Two clocks that agree may differ by seconds; a clock that was set back differs by more.
CLOCK_SLACK_S = 60.0


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """What the job needs to know of the bundle.

    `spread` (26,) typical within-wearer spread; `max_motion_ms2` the movement above which a
    window is exercise, None if the caller filters elsewhere; `runtime` whatever else decides about
    the bytes of a result: name and version of the runtime, its kernels, the machine.
    """

    bundle_sha256: str
    spread: NDArray[np.float64]
    window_s: float
    max_motion_ms2: float | None = None
    runtime: str = ""


@dataclass(frozen=True, slots=True)
class Prepared:
    """Everything read and divided before any weight moves.

    `baseline_id` None if it is new; `held_back_utc` (n,) starts of the held-back windows;
    `set_aside` says what else than windows is not used, and why.
    """

    baseline_id: int | None
    baseline: Baseline
    split: Split
    evidence: Evidence
    held_back_utc: NDArray[np.float64]
    left_out: Mapping[LeftOut, int]
    data_sha256: str
    set_aside: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TooLittle:
    """Why nothing can be learned, the episodes that there are, and what was set aside."""

    refusal: Refusal
    built: EpisodeSet
    set_aside: tuple[str, ...]


def prepare(vault: Vault, facts: ModelFacts, *, now_utc: float) -> Prepared | TooLittle:
    """Read the vault as of a time; what is damaged or of a time to come is set aside."""
    labels, set_aside = _labels_to_use(vault, now_utc)
    n_damaged = len(vault.damaged)
    table, built = read_episodes(vault, facts, labels, now_utc=now_utc)
    if n_damaged := len(vault.damaged) - n_damaged:
        set_aside.append(f"{n_damaged} damaged window{'s' * (n_damaged > 1)}")
    split = split_for_gate(built)
    if isinstance(split, Refusal):
        return TooLittle(split, built, tuple(set_aside))
    stored = _stored_baseline(vault, set_aside)
    baseline_id, baseline = stored or (None, first_rest_baseline(table, built.episodes))
    if baseline is None:
        text = "no rest to compare with yet: sit still for a few minutes and label it rest"
        refusal = Refusal(AdaptationReason.NO_BASELINE, text)
        return TooLittle(refusal, built, tuple(set_aside))
    rests = load_rests(vault) if stored else []
    x = (
        inputs_by_day(table, rests, facts.spread)
        if rests
        else model_inputs(table, baseline, facts.spread)
    )
    evidence = evidence_of(x, built, split)
    if rests:
        turns = [held_back for _, held_back in split.turns]
        said = given(vault)
        compared = read_comparisons(vault, facts, said, rests, now_utc=now_utc, turns=turns)
        evidence = replace(evidence, comparisons=compared)
    return Prepared(
        baseline_id,
        baseline,
        split,
        evidence,
        np.concatenate([e.t_end_utc for _, side in split.turns for e in side]) - facts.window_s,
        built.left_out,
        _data_hash(evidence),
        tuple(set_aside),
    )


def read_comparisons(
    vault: Vault,
    facts: ModelFacts,
    said: Sequence[Given],
    rests: Sequence[Rest],
    *,
    now_utc: float,
    turns: Sequence[Sequence[Episode]],
) -> Comparisons | None:
    """Pairs of windows from what the wearer said of moments of the past, as `compared.divide` does."""

    def read(start_utc: float, end_utc: float) -> NDArray[np.float32]:
        table = load_windows_between(vault, start_utc, end_utc)
        unusable = unusable_windows(table, max_motion_ms2=facts.max_motion_ms2)
        free = ~np.logical_or.reduce(list(unusable.values()))
        return inputs_by_day(table.rows(np.flatnonzero(free)), rests, facts.spread)

    latest_utc = now_utc + CLOCK_SLACK_S
    past = [
        one
        for one in comparisons(said)
        if max(one.more_utc, one.less_utc) + facts.window_s <= latest_utc
    ]
    return divide(past, read, window_s=facts.window_s, turns=turns) if past else None


def _labels_to_use(vault: Vault, now_utc: float) -> tuple[list[LabelSpan], list[str]]:
    """Labels that open and lie in the past, and words for the others."""
    labels = load_labels(vault)
    past = [span for span in labels if span.end_utc <= now_utc + CLOCK_SLACK_S]
    n_damaged, n_removals = n_damaged_labels(vault)
    counts = {
        "of a time to come: the clock went back": len(labels) - len(past),
        "damaged": n_damaged,
    }
    set_aside = [f"{n} label{'s' * (n > 1)} {why}" for why, n in counts.items() if n]
    if n_removals:
        set_aside.append(f"{n_removals} damaged note that a label was taken back: check the labels")
    return past, set_aside


def _stored_baseline(vault: Vault, set_aside: list[str]) -> tuple[int, Baseline] | None:
    try:
        return load_baseline(vault)
    except VaultError:
        set_aside.append("the baseline, damaged: one was made from the first labelled rest")
        return None


def read_episodes(
    vault: Vault, facts: ModelFacts, labels: Sequence[LabelSpan], *, now_utc: float = math.inf
) -> tuple[WindowTable, EpisodeSet]:
    """Read the windows of some labels, and sort them into episodes."""
    table = load_windows(vault, labels)
    # Which pass of the host's clock is meant, the board's tells.
    decided = covered_by_board(labels, table.ends, facts.window_s)
    table = replace(table, contested=table.contested & ~decided)
    unusable = unusable_windows(table, max_motion_ms2=facts.max_motion_ms2, now_utc=now_utc)
    built = build_episodes(
        table.t_end_utc, labels, window_s=facts.window_s, unusable=unusable, ends=table.ends
    )
    return table, built


def evidence_of(x: NDArray[np.float32], built: EpisodeSet, split: Split) -> Evidence:
    """Model inputs (n, 26) of a table by side of the split; nothing in force, so all is fresh."""
    turns = tuple(
        (labelled_windows(x, calibration), labelled_windows(x, held_back))
        for calibration, held_back in split.turns
    )
    n_held_back = sum(len(held_back.y) for _, held_back in turns)
    everything = labelled_windows(x, built.episodes)
    return Evidence(turns, everything, split.n_stories, np.ones(n_held_back, np.bool_))


def unusable_windows(
    table: WindowTable, *, max_motion_ms2: float | None, now_utc: float = math.inf
) -> dict[LeftOut, NDArray[np.bool_]]:
    """Mark windows that are no evidence of stress or rest, whatever their label."""
    pulse = table.quality[:, CHANNELS.index("bvp")]
    skin = table.quality[:, CHANNELS.index("eda")]
    finite = np.isfinite(table.quality).all(axis=1) & np.isfinite(table.features).any(axis=1)
    if max_motion_ms2 is not None:
        finite &= np.isfinite(table.motion)
    masks = {
        LeftOut.NOT_FINITE: ~finite,
        LeftOut.CLOCK: table.contested | (table.t_end_utc > now_utc + CLOCK_SLACK_S),
        LeftOut.NOT_WORN: ~table.worn,
        LeftOut.POOR_SIGNAL: (pulse < MIN_PULSE_QUALITY) & (skin < MIN_SKIN_QUALITY),
    }
    if max_motion_ms2 is not None:
        masks[LeftOut.MOVING] = table.motion > max_motion_ms2
    return masks


def first_rest_baseline(table: WindowTable, episodes: tuple[Episode, ...]) -> Baseline | None:
    """Baseline of the earliest rest episode, for a wearer without a guided one."""
    rests = [episode for episode in episodes if episode.label is Label.REST]
    if not rests:
        return None
    estimator = BaselineEstimator()
    for idx in rests[0].window_idx:
        estimator.add(table.features[idx], table.quality_of(int(idx)))
    return estimator.baseline()


def labelled_windows(x: NDArray[np.float32], episodes: tuple[Episode, ...]) -> Labelled:
    """Rows of the episodes' windows; every episode of a class weighs the same.

    Windows overlap, so a long episode has more of them, but hardly tells more.
    """
    idx = np.concatenate([episode.window_idx for episode in episodes])
    y = np.concatenate([np.full(len(e), e.label.class_idx, np.int64) for e in episodes])
    weight = np.concatenate([np.full(len(e), 1.0 / len(e)) for e in episodes])
    return Labelled(x[idx], y, weight.astype(np.float32))


def _data_hash(evidence: Evidence) -> str:
    sides = {"everything": evidence.everything}
    for n, (calibration, held_back) in enumerate(evidence.turns):
        sides |= {f"calibration_{n}": calibration, f"held_back_{n}": held_back}
    arrays = {
        f"{side}_{name}": values
        for side, windows in sides.items()
        for name, values in (("x", windows.x), ("y", windows.y), ("weight", windows.weight))
    }
    if evidence.comparisons is not None:
        parts = (*evidence.comparisons.turns, evidence.comparisons.held_back)
        for n, pairs in enumerate((*parts, evidence.comparisons.everything)):
            arrays |= {f"more_{n}": pairs.more, f"less_{n}": pairs.less, f"pair_{n}": pairs.weight}
    return hashlib.sha256(pack(arrays)).hexdigest()
