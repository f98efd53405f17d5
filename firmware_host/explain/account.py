"""The whole account of one event as plain values, for printing and for machines."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from firmware_host.explain.answer import Answer, score_again
from firmware_host.explain.features import feature_effects
from firmware_host.explain.moment import Moment
from firmware_host.explain.reasons import reason_of
from firmware_host.explain.support import Support
from firmware_host.inference.base import SignatureModel
from firmware_host.inference.contract import StressContract


def account_of(
    moment: Moment,
    contract: StressContract,
    model: SignatureModel,
    support: Callable[[Answer], Support | None] = lambda _: None,
) -> dict[str, Any]:
    """Explain one moment; `support` finds what of the wearer's labels an answer rests on.

    Keys: `event` as stored; `reason` which rule decided; `score` None without an answer, else
    `p_stress`, `p_at_rest`, `is_exact`, `shares`, `p_without`, `learned` as in `Answer`, and
    `features`, the strongest first, and `support`, as in `Support`, None where nothing was learned.
    """
    answer = score_again(moment, contract, model)
    baseline = None if answer is None else answer.baseline
    return {
        "event": dict(moment.event),
        "reason": reason_of(moment, contract, baseline),
        "score": None if answer is None else _score(moment, answer, contract, model, support),
    }


def _score(
    moment: Moment,
    answer: Answer,
    contract: StressContract,
    model: SignatureModel,
    support: Callable[[Answer], Support | None],
) -> dict[str, Any]:
    effects = feature_effects(
        moment,
        answer,
        model,
        smoothing_s=contract.smoothing_s,
        slope=contract.calibration.slope,
    )
    rests_on = support(answer)
    return {
        "p_stress": answer.p_stress,
        "p_at_rest": answer.p_at_rest,
        "is_exact": answer.is_exact,
        "shares": dict(answer.shares),
        "p_without": dict(answer.p_without),
        "learned": answer.learned,
        "features": [_finite(asdict(effect)) for effect in effects],
        "support": None if rests_on is None else asdict(rests_on),
    }


def _finite(row: dict[str, Any]) -> dict[str, Any]:
    """Unknown rest is null in JSON, not NaN, which is not JSON."""
    return {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in row.items()}
