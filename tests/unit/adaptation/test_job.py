"""A job may stop after any step: what it ends with does not know of it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from firmware_host.adaptation import ledger
from firmware_host.adaptation.adapters import read_adapter
from firmware_host.adaptation.budget import Budget, Meter, Used
from firmware_host.adaptation.checkpoint import JOB_CHECKPOINT_KIND, has_unfinished, load
from firmware_host.adaptation.episodes import Label, LabelSpan
from firmware_host.adaptation.labels import put_label
from firmware_host.adaptation.outcome import PAUSED, Outcome
from firmware_host.adaptation.personalise import personalise
from firmware_host.adaptation.prepare import ModelFacts
from firmware_host.adaptation.recipe import CANDIDATES, Candidate
from firmware_host.adaptation.runner import Conduct
from firmware_host.adaptation.samples import put_baseline
from firmware_host.errors import AdaptationError, AdaptationReason
from firmware_host.signals.normalise import Baseline
from firmware_host.vault.records import Vault

from .conftest import N_FEATURES, Day, skip_model

# As shipped, but for fewer steps of the slow one, which wins here.
FEW = (*CANDIDATES[:3], Candidate("lora+head", 20, 0.01, 0.02, 0.0, min_stories=2, by_window=True))
WEIGH, EXACT, STEPS = 1, 3, 20
N_STEPS = WEIGH + EXACT + STEPS + STEPS


class Paused(BaseException):
    """Ends a call between two steps, as a kill would."""


@dataclass
class Wearer:
    """A vault with two stories in it, always the same, and a model that reads one feature wrongly."""

    folder: Path
    facts: ModelFacts

    def __post_init__(self) -> None:
        with Vault.create(self.folder / "vault", self.folder / "key") as vault:
            centre, scale = np.zeros(N_FEATURES), np.full(N_FEATURES, 0.1)
            put_baseline(vault, Baseline(centre, scale, 20), now_utc=0.0)
            day = Day(vault)
            for _ in range(2):
                day.stage(Label.REST, -0.5)
                day.stage(Label.STRESS, 0.5)
            day.stage(Label.REST, -0.5)
            self.now_utc = day.now_utc

    def learn(self, may_go_on: Callable[[], str | None] = lambda: None, **options: Any) -> Outcome:
        """One call in what might be another process: nothing but the vault is kept."""
        conduct = Conduct(may_go_on=may_go_on, checkpoint_steps=6, **options.pop("conduct", {}))
        order = {"seed": 1, "now_utc": self.now_utc, "candidates": FEW, "facts": self.facts}
        with self.open() as vault:
            return personalise(vault, skip_model(-1.0), conduct=conduct, **{**order, **options})

    def open(self) -> Vault:
        return Vault.open(self.folder / "vault", self.folder / "key")

    def result(self) -> tuple[bytes, dict[str, Any]]:
        """Stored adapter, and the job's ledger entry without what may vary."""
        with self.open() as vault:
            entry = ledger.latest(vault, what="personalise")
            assert entry is not None
            facts = {k: v for k, v in entry.facts.items() if k != "used"}
            return vault.get(facts["adapter_id"]).payload, facts

    def used(self) -> dict[str, Any]:
        with self.open() as vault:
            entry = ledger.latest(vault, what="personalise")
            assert entry is not None
            return dict(entry.facts["used"])


@pytest.fixture
def wearer(tmp_path: Path, facts: ModelFacts) -> Wearer:
    return Wearer(tmp_path / "wearer", facts)


@pytest.fixture
def whole(tmp_path: Path, facts: ModelFacts) -> tuple[bytes, dict[str, Any]]:
    """What an uninterrupted job ends with."""
    other = Wearer(tmp_path / "whole", facts)
    outcome = other.learn()
    assert (outcome.kept, outcome.group, outcome.n_steps) == (True, "lora+head", N_STEPS)
    assert other.used()["n_resumes"] == 0
    return other.result()


class _Stop:
    """Says to pause, or dies, before the n-th step of a call."""

    def __init__(self, n_steps: int, *, dies: bool = False) -> None:
        self._left, self._dies = n_steps, dies

    def __call__(self) -> str | None:
        self._left -= 1
        if self._left >= 0:
            return None
        if self._dies:
            raise Paused
        return "enough"


def test_paused_before_every_step_ends_with_the_same_bytes(
    tmp_path: Path, facts: ModelFacts, whole: tuple[bytes, dict[str, Any]]
) -> None:
    for n in range(1, N_STEPS):
        wearer = Wearer(tmp_path / str(n), facts)
        paused = wearer.learn(_Stop(n))
        assert (paused.kept, paused.reason, paused.n_steps) == (False, PAUSED, n)
        assert paused.text.startswith("paused: enough")
        assert wearer.learn().kept
        assert wearer.result() == whole
        assert wearer.used()["n_resumes"] == 1


def test_one_step_a_call_ends_with_the_same_bytes(
    wearer: Wearer, whole: tuple[bytes, dict[str, Any]]
) -> None:
    outcomes = [wearer.learn(_Stop(1)) for _ in range(N_STEPS)]
    assert [one.reason for one in outcomes[:-1]] == [PAUSED] * (N_STEPS - 1)
    assert outcomes[-1].kept
    assert wearer.result() == whole


def test_dying_without_a_word_loses_only_the_steps_since_the_checkpoint(
    wearer: Wearer, whole: tuple[bytes, dict[str, Any]]
) -> None:
    reached = []
    for n in (3, 14, 8, 11):
        with pytest.raises(Paused):
            wearer.learn(_Stop(n, dies=True))
        with wearer.open() as vault:
            found = load(vault)
            assert found is not None
            assert vault.count(JOB_CHECKPOINT_KIND) == 1
            reached.append(found.state.n_steps)
    assert reached == [0, 12, 18, 24]
    assert wearer.learn().kept
    assert wearer.result() == whole
    assert wearer.used()["n_resumes"] == 4


def test_nothing_is_begun_where_the_first_step_is_not_allowed(wearer: Wearer) -> None:
    with wearer.open() as vault:
        before = vault.kinds()
    outcome = wearer.learn(lambda: "on battery")
    assert outcome.reason == PAUSED
    assert outcome.text == "not begun: on battery"
    with wearer.open() as vault:
        assert vault.kinds() == before
        assert not has_unfinished(vault)


def test_a_job_that_may_not_begin_leaves_the_paused_one(
    wearer: Wearer, whole: tuple[bytes, dict[str, Any]]
) -> None:
    wearer.learn(_Stop(14))
    held = wearer.learn(lambda: "too hot", seed=2)
    assert (held.reason, held.text) == (PAUSED, "not begun: too hot")
    with wearer.open() as vault:
        assert not ledger.entries(vault)
    assert wearer.learn().kept
    assert wearer.result() == whole
    assert wearer.used()["n_resumes"] == 1


def test_a_pause_leaves_the_model_as_it_was(wearer: Wearer) -> None:
    model = skip_model(-1.0)
    generic = read_adapter(model)
    with wearer.open() as vault:
        personalise(
            vault, model, wearer.facts, seed=1, now_utc=wearer.now_utc, candidates=FEW,
            conduct=Conduct(may_go_on=_Stop(9)),
        )  # fmt: skip
    for name, value in read_adapter(model).items():
        np.testing.assert_array_equal(value, generic[name])


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda _: {"seed": 2}, "the settings"),
        (lambda _: {"candidates": FEW[:3]}, "the settings"),
        (lambda w: {"facts": replace(w.facts, bundle_sha256="cd" * 32)}, "the model bundle"),
        (lambda w: {"facts": replace(w.facts, runtime="another")}, "the runtime"),
        (lambda w: _label_more(w), "the labels, the windows or the baseline"),
    ],
)
def test_changed_inputs_drop_the_unfinished_job_with_the_reason(
    wearer: Wearer, change: Callable[[Wearer], dict[str, Any]], told: str
) -> None:
    wearer.learn(_Stop(14))
    outcome = wearer.learn(**change(wearer))
    assert outcome.reason != PAUSED
    with wearer.open() as vault:
        dropped, learned = ledger.entries(vault)
        assert not has_unfinished(vault)
    assert dropped.facts["what"] == "job_dropped"
    assert dropped.facts["changed"] == [told]
    assert learned.facts["used"]["n_resumes"] == 0


def _label_more(wearer: Wearer) -> dict[str, Any]:
    with wearer.open() as vault:
        day = Day(vault, now_utc=wearer.now_utc)
        day.stage(Label.STRESS, 0.5)
    return {"now_utc": day.now_utc}


def test_labels_that_no_longer_suffice_drop_the_unfinished_job(wearer: Wearer) -> None:
    wearer.learn(_Stop(14))
    with wearer.open() as vault:
        span = LabelSpan(Label.STRESS, wearer.now_utc - 1500.0, wearer.now_utc)
        put_label(vault, span, source="test", now_utc=wearer.now_utc)
    assert wearer.learn().reason == AdaptationReason.CONTRADICTION
    with wearer.open() as vault:
        assert not has_unfinished(vault)
        (dropped,) = ledger.entries(vault)
    assert "changed meanwhile" in dropped.facts["text"]


@pytest.mark.parametrize("damage", ["zeroblob(60)", "substr(sealed, 1, 700)", "x''"])
def test_a_damaged_checkpoint_is_ignored_and_said(
    wearer: Wearer, whole: tuple[bytes, dict[str, Any]], damage: str
) -> None:
    wearer.learn(_Stop(14))
    with sqlite3.connect(wearer.folder / "vault" / "vault.sqlite3") as database:
        database.execute(
            f"UPDATE records SET sealed = {damage} WHERE kind = ?", (JOB_CHECKPOINT_KIND,)
        )
    database.close()
    assert wearer.learn().kept
    adapter, facts = wearer.result()
    assert adapter == whole[0]
    # The line about the damage comes before, so the chain differs; what was learned does not.
    assert facts["trials"] == whole[1]["trials"]
    with wearer.open() as vault:
        assert "damaged" in ledger.entries(vault)[0].facts["text"]


@pytest.mark.parametrize(
    ("budget", "told"),
    [
        (Budget(seconds=1e-6), "1e-06 s is used up before the first step"),
        (Budget(joules=1e-9), r"CPU time x 1 W\) is used up before the first step"),
        (Budget(n_bytes=2000), "2000 bytes in the vault is used up before the first step"),
    ],
)
def test_budget_too_small_for_one_step_is_refused(
    wearer: Wearer, budget: Budget, told: str
) -> None:
    with pytest.raises(AdaptationError, match=told) as caught:
        wearer.learn(conduct={"budget": budget})
    assert caught.value.reason is AdaptationReason.BUDGET
    with wearer.open() as vault:
        assert not has_unfinished(vault)
    # And with a job under way: it stays where it was.
    wearer.learn(_Stop(14))
    with pytest.raises(AdaptationError):
        wearer.learn(conduct={"budget": budget})
    with wearer.open() as vault:
        found = load(vault)
        assert found is not None
        assert found.state.n_steps == 14


def test_budget_of_exactly_one_step_gets_on_by_one_step_a_call(wearer: Wearer) -> None:
    with pytest.raises(AdaptationError, match=r"a step may write \d+ bytes") as caught:
        wearer.learn(conduct={"budget": Budget(n_bytes=1)})
    n_bytes = int(str(caught.value).split("may write ")[1].split()[0])
    done = [wearer.learn(conduct={"budget": Budget(n_bytes=n_bytes)}).n_steps for _ in range(3)]
    assert done == [1, 2, 3]


def test_budget_of_bytes_is_never_exceeded(wearer: Wearer) -> None:
    n_bytes = 60_000
    for _ in range(9):
        with wearer.open() as vault:
            conduct = Conduct(budget=Budget(n_bytes=n_bytes), checkpoint_steps=1)
            outcome = personalise(
                vault, skip_model(-1.0), wearer.facts, seed=1, now_utc=wearer.now_utc,
                candidates=FEW, conduct=conduct,
            )  # fmt: skip
            assert 0 < vault.bytes_written <= n_bytes
        if outcome.reason != PAUSED:
            break
        assert "60000 bytes" in outcome.text
    assert outcome.kept
    assert wearer.used()["vault_bytes"] > n_bytes


def test_meter_counts_seconds_bytes_and_joules_by_proxy() -> None:
    now = {"wall": 10.0, "cpu": 5.0, "bytes": 100}
    clocks = {"wall": lambda: now["wall"], "cpu": lambda: now["cpu"]}
    hasty = Meter(Budget(seconds=1.5), lambda: int(now["bytes"]), **clocks)
    meter = Meter(Budget(joules=3.0, core_w=2.0), lambda: int(now["bytes"]), **clocks)
    now.update(wall=11.0, cpu=6.4, bytes=150)
    assert meter.spent(reserve_bytes=0) is None
    used = meter.used().plus(Used(1.0, 0.0, 10, 2))
    assert (used.wall_s, used.n_bytes, used.n_resumes) == (2.0, 60, 2)
    assert hasty.spent(reserve_bytes=0) is None
    now.update(wall=11.5, cpu=6.5)
    assert hasty.spent(reserve_bytes=0) == "the budget of 1.5 s is used up"
    assert meter.spent(reserve_bytes=0) == "the budget of 3 J (CPU time x 2 W) is used up"


def test_exact_and_small_steps_that_diverge_do_not_end_a_job(wearer: Wearer) -> None:
    wild = Candidate("lora+head", steps=30, learning_rate=1e6, anchor=2.0, min_gain=0.0)
    outcomes = [wearer.learn(_Stop(4), candidates=(wild, FEW[2])) for _ in range(2)]
    assert outcomes[-1].reason != PAUSED
    assert len(wearer.result()[1]["trials"]) == 2
