"""What of the wearer's own labels an answer rests on: each episode left out of learning in turn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from firmware_host.adaptation import ledger
from firmware_host.adaptation.adapters import Adapter, history
from firmware_host.adaptation.choice import GENERIC
from firmware_host.adaptation.episodes import Episode
from firmware_host.adaptation.evidence import Compared
from firmware_host.adaptation.labels import stored_labels
from firmware_host.adaptation.preferences import given
from firmware_host.adaptation.prepare import (
    ModelFacts,
    labelled_windows,
    read_comparisons,
    read_episodes,
)
from firmware_host.adaptation.recipe import Candidate
from firmware_host.adaptation.samples import inputs_by_day, load_rests
from firmware_host.adaptation.trainings import train_alone
from firmware_host.errors import AdaptationError
from firmware_host.explain.answer import Answer, masked_logits
from firmware_host.explain.moment import Moment, Weights
from firmware_host.inference.base import SignatureModel
from firmware_host.inference.contract import StressContract
from firmware_host.vault.records import Vault

# A solved or trained value comes back the same to the last bits; more is another set of labels.
_SAME_WEIGHT = 1e-4
# Cosine above which a labelled window counts as like the one explained.
_ALIKE = 0.5


@dataclass(frozen=True, slots=True)
class LabelEffect:
    """One labelled episode that was learned from.

    Parameters
    ----------
    effect
        Log-odds that the answer would lose without this episode; None where the rest of the labels
        are of one class only, so that nothing could be learned at all.
    alike
        Share of its windows that deviate from rest the way the explained window does.
    """

    label: str
    start_utc: float
    end_utc: float
    n_windows: int
    effect: float | None
    alike: float


@dataclass(frozen=True, slots=True)
class Support:
    """What an adapter was learned from; without `is_exact` the labels have changed since."""

    version: int
    group: str
    is_exact: bool
    labels: tuple[LabelEffect, ...]


def support_of(
    vault: Vault,
    moment: Moment,
    answer: Answer,
    facts: ModelFacts,
    contract: StressContract,
    model: SignatureModel,
) -> Support | None:
    """Learn again without each episode and see what becomes of the answer.

    None where nothing was learned, or where it is no longer known from what.
    """
    version = answer.scored.versions[-1]
    adapter = next((a for a in history(vault, "stress") if a.version == version), None)
    how = None if adapter is None else _how(vault, adapter)
    rests = load_rests(vault)
    if adapter is None or how is None or not rests:
        return None
    # Ids grow: what was said before the adapter was stored.
    spans = [label.span for label in stored_labels(vault) if label.id < adapter.id]
    table, built = read_episodes(vault, facts, spans)
    x = inputs_by_day(table, rests, facts.spread)
    compared = None
    if how[0].way == "comparisons":
        said = [one for one in given(vault) if one.id < adapter.id]
        now_utc = adapter.created_utc
        pairs = read_comparisons(vault, facts, said, rests, now_utc=now_utc, turns=[])
        if pairs is None:
            # Taken back since, or no longer stored: what made the adapter cannot be made again.
            return None
        compared = pairs.everything
    again = _Again(model, *how, x, built.episodes, compared)
    everything = again.learn(None)
    if everything is None:
        return None
    whole = _log_odds(model, moment, answer, everything, contract)
    effects = []
    for episode in built.episodes:
        without = again.learn(episode)
        left = None if without is None else _log_odds(model, moment, answer, without, contract)
        effect = None if left is None else whole - left
        alike = _share_alike(x[episode.window_idx], answer.scored.z[-1])
        span = (episode.label.value, episode.start_utc, episode.end_utc)
        effects.append(LabelEffect(*span, len(episode), effect, alike))
    effects.sort(key=lambda one: -abs(one.effect or 0.0))
    return Support(version, adapter.group, _is_same(everything, adapter.arrays), tuple(effects))


@dataclass(frozen=True, slots=True)
class _Again:
    """The training that made an adapter, on all episodes but one."""

    model: SignatureModel
    candidate: Candidate
    seed: int
    x: NDArray[np.float32]
    episodes: Sequence[Episode]
    compared: Compared | None

    def learn(self, left_out: Episode | None) -> Weights | None:
        """Weights learned from the others; None if that cannot be done."""
        others = tuple(episode for episode in self.episodes if episode is not left_out)
        if not others:
            return None
        labelled = labelled_windows(self.x, others)
        try:
            return train_alone(self.model, self.candidate, labelled, self.compared, seed=self.seed)
        except AdaptationError:
            return None


def _how(vault: Vault, adapter: Adapter) -> tuple[Candidate, int] | None:
    """The candidate and the seed that made an adapter, from its line in the ledger."""
    for entry in ledger.entries(vault):
        facts = entry.facts
        if facts.get("adapter_id") != adapter.id or "candidates" not in facts:
            continue
        tried = [trial for trial in facts["trials"] if trial["group"] != GENERIC]
        kept = [i for i, trial in enumerate(tried) if trial["kept"]]
        return Candidate(**facts["candidates"][kept[-1]]), int(facts["seed"])
    return None


def _log_odds(
    model: SignatureModel,
    moment: Moment,
    answer: Answer,
    weights: Weights,
    contract: StressContract,
) -> float:
    """Calibrated log-odds of the answer, had its adapter been another."""
    in_force = {0: None, **moment.adapters, answer.scored.versions[-1]: weights}
    keep = np.ones((1, answer.scored.z.shape[1]), np.float32)
    scored = masked_logits(model, answer.scored, keep, in_force, contract.smoothing_s)
    return contract.calibration.slope * float(scored[0])


def _is_same(one: Weights, other: Weights) -> bool:
    return all(np.allclose(one[name], other[name], atol=_SAME_WEIGHT) for name in other)


def _share_alike(z: NDArray[np.float32], explained: NDArray[np.float32]) -> float:
    lengths = np.linalg.norm(z, axis=1) * np.linalg.norm(explained)
    cosines = (z @ explained) / np.maximum(lengths, 1e-9)
    return float(np.mean(cosines > _ALIKE))
