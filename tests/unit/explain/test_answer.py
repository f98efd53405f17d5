"""Explanations of a linear model, whose answer anybody can work out."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from firmware_host.explain.account import account_of
from firmware_host.explain.answer import score_again
from firmware_host.inference.bundle import load_bundle
from firmware_host.inference.contract import StressContract
from firmware_host.signals.normalise import Baseline
from firmware_host.signals.stress import CHANNELS, FEATURE_CHANNELS, FEATURE_NAMES
from tests.unit.explain.linear import N_FEATURES, REST, WEIGHTS, linear_model, moment_of


@pytest.fixture(scope="module")
def contract(repo: Path) -> StressContract:
    shipped = next((repo / "models" / "bundles").iterdir())
    stress = load_bundle(shipped).stress
    spread = replace(stress.normalisation, spread=(1.0,) * N_FEATURES)
    return replace(stress, normalisation=spread)


def _n(channel: str) -> int:
    return FEATURE_CHANNELS.count(channel)


def _log_odds(p: float) -> float:
    return math.log(p / (1 - p))


def test_shares_of_a_linear_model_are_weight_times_deviation(contract: StressContract) -> None:
    z = {"bvp": 0.5, "eda": 1.0, "temp": 3.0, "acc": 2.0}
    answer = score_again(moment_of([z], said=0.5), contract, linear_model())
    assert answer is not None
    slope = contract.calibration.slope
    for channel, share in answer.shares.items():
        assert share == pytest.approx(slope * WEIGHTS[channel] * z[channel] * _n(channel), abs=1e-5)
    way = _log_odds(answer.p_stress) - _log_odds(answer.p_at_rest)
    assert sum(answer.shares.values()) == pytest.approx(way, abs=1e-5)
    for channel, p in answer.p_without.items():
        left = _log_odds(answer.p_stress) - answer.shares[channel]
        assert _log_odds(p) == pytest.approx(left, abs=1e-5)
    assert answer.learned == 0.0


def test_earlier_windows_count_as_smoothing_remembers_them(contract: StressContract) -> None:
    answer = score_again(moment_of([{"eda": 1.0}, {}], said=0.5), contract, linear_model())
    assert answer is not None
    remembered = math.exp(-10.0 / contract.smoothing_s)
    expected = contract.calibration.slope * WEIGHTS["eda"] * _n("eda") * remembered
    assert answer.shares["eda"] == pytest.approx(expected, abs=1e-5)


def test_baseline_that_gives_the_answer_of_the_time_is_found(contract: StressContract) -> None:
    z = {"eda": 1.0}
    truth = score_again(moment_of([z], said=0.5), contract, linear_model())
    assert truth is not None
    other = Baseline(np.full(N_FEATURES, 0.7), np.ones(N_FEATURES), 24)
    moment = replace(moment_of([z], said=truth.p_stress), baselines=[other, REST])
    found = score_again(moment, contract, linear_model())
    assert found is not None
    assert found.is_exact
    assert found.baseline is REST
    lost = score_again(replace(moment, baselines=[other]), contract, linear_model())
    assert lost is not None
    assert not lost.is_exact


def test_what_labels_added_is_told_apart(contract: StressContract) -> None:
    louder = linear_model(2.0).run("get_adapter")
    weights = {name: v for name, v in louder.items() if not name.startswith("momentum")}
    moment = replace(moment_of([{"eda": 1.0}], said=0.5, adapter=3), adapters={3: weights})
    answer = score_again(moment, contract, linear_model())
    assert answer is not None
    generic = contract.calibration.slope * WEIGHTS["eda"] * _n("eda")
    assert answer.learned == pytest.approx(generic, abs=1e-5)
    assert answer.shares["eda"] == pytest.approx(2 * generic, abs=1e-5)


def test_unreadable_channel_has_no_share(contract: StressContract) -> None:
    moment = moment_of([{"eda": 1.0, "bvp": 1.0}], said=0.5)
    moment.table.quality[:, CHANNELS.index("eda")] = 0.1
    answer = score_again(moment, contract, linear_model())
    assert answer is not None
    assert answer.shares["eda"] == pytest.approx(0.0, abs=1e-6)
    assert answer.shares["bvp"] > 0


def test_strongest_feature_comes_first_with_its_own_effect(contract: StressContract) -> None:
    moment = moment_of([{"bvp": 0.5}], said=0.5)
    strong = FEATURE_NAMES.index("scr_count")
    moment.table.features[-1, strong] = 4.0
    account = account_of(moment, contract, linear_model())
    first = account["score"]["features"][0]
    assert (first["name"], first["value"], first["at_rest"]) == ("Skin responses", 4.0, 0.0)
    effect = contract.calibration.slope * WEIGHTS["eda"] * 4.0
    assert first["effect"] == pytest.approx(effect, abs=1e-5)


@pytest.mark.parametrize(
    ("state", "said", "words"),
    [
        ("not_worn", None, "not on the skin"),
        ("learning_baseline", None, "no baseline"),
        ("poor_signal", None, "skin contact 100% (needs 50%)"),
        ("unsure", 0.27, "too near the line"),
        ("stress", 0.9, "above the line"),
        ("rest", 0.1, "not above the line"),
    ],
)
def test_rule_behind_a_state_is_told(
    contract: StressContract, state: str, said: float | None, words: str
) -> None:
    account = account_of(moment_of([{}], said=said, state=state), contract, linear_model())
    assert words in account["reason"]
    assert (account["score"] is None) == (said is None)


@pytest.mark.parametrize(
    ("motion_ms2", "rise_bpm", "state", "words"),
    [(9.0, 30.0, "exercise", "+30 bpm"), (9.0, 2.0, "moving", "+2 bpm from rest")],
)
def test_movement_is_told_with_the_heart(
    contract: StressContract, motion_ms2: float, rise_bpm: float, state: str, words: str
) -> None:
    moment = moment_of([{}] * 3, said=0.5, state=state)
    moment.table.motion[:] = motion_ms2
    moment.table.features[:, FEATURE_NAMES.index("hr_median_bpm")] = rise_bpm
    account = account_of(moment, contract, linear_model())
    assert "movement over the last minutes 9.00 m/s²" in account["reason"]
    assert words in account["reason"]
