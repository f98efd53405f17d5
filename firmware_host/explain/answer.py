"""Scores a moment again, with every set of signals as it was or as at the wearer's rest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from firmware_host.adaptation.adapters import apply_adapter
from firmware_host.explain.moment import Moment, Weights
from firmware_host.explain.shares import coalitions, shapley
from firmware_host.inference.base import SignatureModel
from firmware_host.inference.contract import StressContract
from firmware_host.signals.normalise import Baseline, normalise_rows
from firmware_host.signals.smoothing import LogitEma
from firmware_host.signals.stress import CHANNELS, FEATURE_CHANNELS

FloatArray = NDArray[np.float64]

# Events keep six decimals and runtimes differ in the seventh; more means other numbers in force.
_SAME_P = 5e-4
_SETS = coalitions(len(CHANNELS))
_NONE, _ALL = 0, len(_SETS) - 1
# (16, 26): which features each set of channels leaves as they were.
_KEEP = _SETS[:, [CHANNELS.index(name) for name in FEATURE_CHANNELS]].astype(np.float32)


@dataclass(frozen=True, slots=True)
class Answer:
    """What moved one answer.

    Parameters
    ----------
    p_stress, p_at_rest
        What these windows score now, and what they would with every signal as at the wearer's rest.
    is_exact
        Whether `p_stress` is what was said at the time.
    shares
        By channel, in calibrated log-odds; they add up to the way from `p_at_rest` to `p_stress`.
    p_without
        By channel: the score with that channel alone as at rest.
    learned
        Log-odds that the wearer's own labels added; 0 for the generic model.
    scored
        The windows that the smoothed score is made of, ready to be scored by other weights.
    baseline
        The rest that all of it is measured from.
    """

    p_stress: float
    p_at_rest: float
    is_exact: bool
    shares: Mapping[str, float]
    p_without: Mapping[str, float]
    learned: float
    scored: Scored = field(repr=False)
    baseline: Baseline = field(repr=False)


@dataclass(frozen=True, slots=True)
class Scored:
    """Windows with an answer: z (n, 26) as the model sees them, t_s (n,), adapter versions (n,)."""

    z: NDArray[np.float32]
    t_s: tuple[float, ...]
    versions: tuple[int, ...]


def score_again(moment: Moment, contract: StressContract, model: SignatureModel) -> Answer | None:
    """Explain a moment that was scored; None for one that was not.

    Of the baselines that may have been in force the one counts that gives the answer of the time.

    Parameters
    ----------
    model
        The stress network of the bundle; is left with the weights of one of the windows.
    """
    said = moment.event["p_personal"]
    if said is None or not moment.baselines:
        return None
    answers = []
    for baseline in moment.baselines:
        answers.append(_answer(moment, baseline, contract, model))
        if answers[-1].is_exact:
            return answers[-1]
    return answers[0]


def masked_logits(
    model: SignatureModel,
    scored: Scored,
    keep: NDArray[np.float32],
    weights: Mapping[int, Weights | None],
    smoothing_s: float,
) -> FloatArray:
    """(m,) smoothed log-odds after the last window, with some of the inputs as at rest.

    Smoothing is linear, so shares of a smoothed score are smoothed shares.

    Parameters
    ----------
    keep
        (m, 26) factors: 1 leaves an input as it was, 0 puts it at the wearer's rest.
    weights
        By version; the model is left with the last one.
    """
    smoothers = [LogitEma(time_constant_s=smoothing_s) for _ in keep]
    in_force: int | None = None
    last: list[float] = []
    for row, t_s, version in zip(scored.z, scored.t_s, scored.versions, strict=True):
        if version != in_force:
            apply_adapter(model, weights[version])
            in_force = version
        logits = [_logit(model, row * factors) for factors in keep]
        last = [one.update(value, t_s) for one, value in zip(smoothers, logits, strict=True)]
    return np.array(last)


def _logit(model: SignatureModel, row: NDArray[np.float32]) -> float:
    rest, stress = model.run("infer", x=row[None, :])["logits"][0].tolist()
    return float(stress - rest)


def _answer(
    moment: Moment, baseline: Baseline, contract: StressContract, model: SignatureModel
) -> Answer:
    scored = _scored(moment, baseline, contract)
    smoothing_s, calibration = contract.smoothing_s, contract.calibration
    weights = {0: None, **moment.adapters}
    by_set = masked_logits(model, scored, _KEEP, weights, smoothing_s)
    as_shipped = replace(scored, versions=(0,) * len(scored.versions))
    generic = masked_logits(model, as_shipped, _KEEP[_ALL:], weights, smoothing_s)
    p_by_set = [calibration.probability(value) for value in by_set.tolist()]
    return Answer(
        p_stress=p_by_set[_ALL],
        p_at_rest=p_by_set[_NONE],
        is_exact=abs(p_by_set[_ALL] - moment.event["p_personal"]) < _SAME_P,
        shares=dict(zip(CHANNELS, (calibration.slope * shapley(by_set)).tolist(), strict=True)),
        p_without={name: p_by_set[_ALL ^ (1 << i)] for i, name in enumerate(CHANNELS)},
        learned=calibration.slope * float(by_set[_ALL] - generic[0]),
        scored=scored,
        baseline=baseline,
    )


def _scored(moment: Moment, baseline: Baseline, contract: StressContract) -> Scored:
    """Windows that got a probability and whose trace is still in the smoothed score."""
    since_s = moment.event["t_s"] - 10.0 * contract.smoothing_s
    rows = [
        i
        for i, event in enumerate(moment.events)
        if event["p_personal"] is not None and event["t_s"] >= since_s
    ]
    table = moment.table.rows(np.array(rows))
    spread = np.asarray(contract.normalisation.spread, np.float64)
    clip = contract.normalisation.clip
    return Scored(
        normalise_rows(table.features, table.quality, baseline, spread, clip=clip),
        tuple(moment.events[i]["t_s"] for i in rows),
        tuple(moment.events[i]["adapter"] for i in rows),
    )
