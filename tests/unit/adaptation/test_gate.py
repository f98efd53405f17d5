"""The gate lets through what does not lose, and says why not otherwise."""

from __future__ import annotations

import math
from itertools import product

import pytest

from firmware_host.adaptation.gate import Decision, GateReason, Scores, decide, score

GENERIC = Scores(0.60, 0.70, 40)


def _decide(
    candidate: Scores,
    *,
    current: Scores = GENERIC,
    generic: Scores = GENERIC,
    min_gain: float = 0.0,
) -> Decision:
    return decide(
        generic=generic,
        current=current,
        candidate=candidate,
        against="the one before",
        min_gain=min_gain,
    )


@pytest.mark.parametrize(
    ("candidate", "reason"),
    [
        (Scores(0.50, 0.75, 40), GateReason.BETTER),
        (Scores(0.50, 0.70, 40), GateReason.BETTER),
        (Scores(0.60, 0.75, 40), GateReason.BETTER),
        (Scores(0.60, 0.70, 40), GateReason.TIE),
        (Scores(0.61, 0.75, 40), GateReason.WORSE_THAN_CURRENT),
        (Scores(0.50, 0.69, 40), GateReason.WORSE_THAN_CURRENT),
        (Scores(math.nan, 0.75, 40), GateReason.DIVERGED),
        (Scores(0.50, math.nan, 40), GateReason.DIVERGED),
        (Scores(math.inf, 0.75, 40), GateReason.DIVERGED),
    ],
)
def test_decision_over_scores(candidate: Scores, reason: GateReason) -> None:
    decision = _decide(candidate)
    assert decision.reason is reason
    assert decision.kept is (reason is GateReason.BETTER)
    assert decision.figures["generic_log_loss"] == 0.60
    assert "\n" not in decision.text


def test_better_than_current_but_worse_than_generic_is_not_kept() -> None:
    decision = _decide(Scores(0.65, 0.68, 40), current=Scores(0.80, 0.60, 40))
    assert decision.reason is GateReason.WORSE_THAN_GENERIC


def test_no_candidate_that_loses_anything_is_ever_kept() -> None:
    levels = (0.4, 0.5, 0.6)
    for values in product(levels, repeat=6):
        generic, current, candidate = (
            Scores(a, b, 9) for a, b in zip(*[iter(values)] * 2, strict=True)
        )
        decision = _decide(candidate, current=current, generic=generic)
        if decision.kept:
            for other in (generic, current):
                assert candidate.log_loss <= other.log_loss
                assert candidate.balanced_accuracy >= other.balanced_accuracy


def test_text_names_what_an_update_was_compared_with() -> None:
    assert _decide(Scores(0.61, 0.75, 40)).text.endswith("did worse than the one before")
    assert _decide(Scores(0.60, 0.70, 40)).text == "it did only as well as the one before"


def test_gain_below_the_margin_is_not_kept() -> None:
    assert _decide(Scores(0.59, 0.8, 40), min_gain=0.05).reason is GateReason.SMALL_GAIN
    assert _decide(Scores(0.56, 0.8, 40), min_gain=0.05).kept


def test_unknown_scores_of_the_others_keep_nothing() -> None:
    unknown = Scores(math.nan, math.nan, 40)
    assert not _decide(Scores(0.1, 0.9, 40), current=unknown).kept
    assert not _decide(Scores(0.1, 0.9, 40), generic=unknown).kept


def test_score_weighs_classes_equally() -> None:
    few = score([0, 1], [0.2, 0.8])
    many = score([0] * 9 + [1], [0.2] * 9 + [0.8])
    assert few.log_loss == pytest.approx(many.log_loss)
    assert many.balanced_accuracy == 1.0
    assert math.isnan(score([0, 1], [0.2, math.nan]).log_loss)
