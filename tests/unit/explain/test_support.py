"""Leaving an episode out of learning changes the answer by what that episode taught."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from firmware_host.adaptation.adapters import apply_adapter
from firmware_host.adaptation.episodes import Label, LabelSpan
from firmware_host.adaptation.labels import put_label
from firmware_host.adaptation.personalise import personalise
from firmware_host.adaptation.prepare import ModelFacts
from firmware_host.adaptation.recipe import Candidate
from firmware_host.adaptation.samples import WINDOW_KIND, put_baseline, window_payload
from firmware_host.explain.answer import score_again
from firmware_host.explain.support import Support, support_of
from firmware_host.inference.bundle import load_bundle
from firmware_host.inference.contract import StressContract
from firmware_host.signals.stress import CHANNELS, FEATURE_CHANNELS, StressWindow
from firmware_host.vault.records import Vault
from tests.unit.explain.linear import N_FEATURES, REST, linear_model, moment_of

T0_UTC = 1_767_600_000.0
FACTS = ModelFacts("ab" * 32, np.ones(N_FEATURES), 60.0)
# Only the bias may move, however little it gains: what it learns is how often there was stress.
BIAS = (Candidate("bias", 0, 0.0, anchor=0.1, min_gain=0.0),)


@pytest.fixture
def vault(tmp_path: Path):
    with Vault.create(tmp_path / "vault", tmp_path / "key") as opened:
        put_baseline(opened, REST, now_utc=T0_UTC)
        yield opened


@pytest.fixture(scope="module")
def contract(repo: Path) -> StressContract:
    return load_bundle(next((repo / "models" / "bundles").iterdir())).stress


def _episode(vault: Vault, label: Label, start_s: float, eda_z: float) -> None:
    rng = np.random.default_rng(int(start_s))
    for t_s in np.arange(start_s + 60, start_s + 480, 10.0):
        features = np.array([eda_z if c == "eda" else 0.0 for c in FEATURE_CHANNELS])
        features += rng.normal(0.0, 0.05, N_FEATURES)
        window = StressWindow(
            t_s, features.astype(np.float32), dict.fromkeys(CHANNELS, 1.0), 0.05, True, 0.0
        )
        vault.put(WINDOW_KIND, window_payload(window, session=1), T0_UTC + t_s)
    span = LabelSpan(label, T0_UTC + start_s, T0_UTC + start_s + 480)
    put_label(vault, span, source="cli", now_utc=span.end_utc)


def _support(vault: Vault, contract: StressContract) -> Support | None:
    model = linear_model()
    done = personalise(vault, model, FACTS, seed=1, now_utc=T0_UTC + 9000, candidates=BIAS)
    assert done.kept, done.text
    weights = {n: v for n, v in model.run("get_adapter").items() if not n.startswith("momentum")}
    moment = moment_of([{"eda": 0.2}], said=0.5, adapter=1)
    object.__setattr__(moment, "adapters", {1: weights})
    object.__setattr__(moment, "baselines", [REST])
    answer = score_again(moment, contract, model)
    assert answer is not None
    apply_adapter(model, None)
    return support_of(vault, moment, answer, FACTS, contract, model)


def test_each_episode_counts_by_what_it_taught(vault: Vault, contract: StressContract) -> None:
    # The generic line lies at zero; this wearer's stress hardly reaches it from below.
    _episode(vault, Label.REST, 0, -0.9)
    _episode(vault, Label.STRESS, 600, -0.2)
    _episode(vault, Label.REST, 1200, -0.9)
    _episode(vault, Label.STRESS, 1800, -0.2)
    _episode(vault, Label.REST, 2400, -0.9)
    support = _support(vault, contract)
    assert support is not None
    assert support.is_exact
    assert (support.version, support.group) == (1, "bias")
    assert [one.n_windows for one in support.labels] == [42] * 5
    # Equal episodes taught the same, and each alone little: the others say it too.
    assert all(one.effect is not None and abs(one.effect) < 0.1 for one in support.labels)


def test_without_the_only_stress_nothing_is_left(vault: Vault, contract: StressContract) -> None:
    _episode(vault, Label.REST, 0, -0.9)
    _episode(vault, Label.STRESS, 600, -0.2)
    _episode(vault, Label.REST, 1200, -0.9)
    support = _support(vault, contract)
    assert support is not None
    stress = [one for one in support.labels if one.label == "stress"]
    assert [one.effect for one in stress] == [None]
    assert all(one.effect is not None for one in support.labels if one.label == "rest")


def test_windows_that_deviate_the_same_way_are_alike(
    vault: Vault, contract: StressContract
) -> None:
    _episode(vault, Label.REST, 0, -0.9)
    _episode(vault, Label.STRESS, 600, -0.2)
    _episode(vault, Label.REST, 1200, 0.4)
    support = _support(vault, contract)
    assert support is not None
    alike = {one.start_utc - T0_UTC: one.alike for one in support.labels}
    assert alike[1200.0] > 0.9
    assert alike[0.0] == 0.0
