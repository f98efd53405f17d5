"""The learning job on a wearer whose rest looks like other people's stress."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from firmware_host.adaptation import ledger
from firmware_host.adaptation import outcome as outcomes
from firmware_host.adaptation import personalise as job
from firmware_host.adaptation.adapters import load_current, pointer_name, read_adapter
from firmware_host.adaptation.checkpoint import JOB_CHECKPOINT_KIND
from firmware_host.adaptation.episodes import Label, LeftOut
from firmware_host.adaptation.exact import solve
from firmware_host.adaptation.gate import GateReason
from firmware_host.adaptation.outcome import Outcome
from firmware_host.adaptation.personalise import personalise
from firmware_host.adaptation.prepare import ModelFacts, Prepared, prepare
from firmware_host.adaptation.recipe import CANDIDATES, Candidate
from firmware_host.adaptation.revert import revert
from firmware_host.adaptation.runner import Conduct
from firmware_host.adaptation.samples import load_baseline, put_baseline
from firmware_host.errors import AdaptationReason, StorageError
from firmware_host.signals.normalise import Baseline
from firmware_host.vault.records import Vault
from training.stress.numpy_model import TableModel

from .conftest import N_FEATURES, T0_UTC, Day, skip_model

REST, STRESS = Label.REST, Label.STRESS


def _shifted_day(day: Day, *, n_tasks: int = 1) -> None:
    """After the baseline, rest sits at z of about 1.5 and stress at 3: generic calls all stress."""
    day.stage(REST, 0.0, minutes=5)
    for _ in range(n_tasks):
        day.stage(STRESS, 1.6)
        day.stage(REST, 0.8)


def _learn(
    vault: Vault,
    model: TableModel,
    facts: ModelFacts,
    *,
    now_utc: float = T0_UTC + 30 * 86_400.0,
    **options: object,
) -> Outcome:
    return personalise(vault, model, facts, seed=1, now_utc=now_utc, **options)  # type: ignore[arg-type]


def _ready(vault: Vault) -> None:
    """A guided baseline from before the day, so that rest and stress are both shifted."""
    put_baseline(vault, Baseline(np.zeros(N_FEATURES), np.full(N_FEATURES, 0.1), 20), now_utc=0.0)


def test_bias_is_learned_kept_and_written_down(
    vault: Vault, model: TableModel, facts: ModelFacts, day: Day
) -> None:
    _ready(vault)
    _shifted_day(day)
    generic = read_adapter(model)
    outcome = _learn(vault, model, facts)
    assert (outcome.kept, outcome.group, outcome.reason) == (True, "bias", GateReason.BETTER)
    assert not outcome.different_episode
    figures = outcome.figures
    assert figures["candidate_log_loss"] < 0.8 * figures["generic_log_loss"]
    adapter = load_current(vault, "stress", bundle_sha256=facts.bundle_sha256)
    assert adapter is not None
    assert (adapter.id, adapter.version, adapter.group) == (outcome.adapter_id, 1, "bias")
    # The model holds what the vault holds, and only the bias moved, towards less stress.
    for name, value in read_adapter(model).items():
        np.testing.assert_array_equal(value, adapter.arrays[name])
        assert np.array_equal(value, generic[name]) is (name != "head_b")
    assert adapter.arrays["head_b"][1] < generic["head_b"][1]
    (entry,) = ledger.entries(vault)
    assert entry.id == outcome.ledger_id
    facts_written = entry.facts
    assert facts_written["adapter_id"] == outcome.adapter_id
    assert facts_written["bundle_sha256"] == facts.bundle_sha256
    assert [t["group"] for t in facts_written["trials"]] == [c.groups for c in CANDIDATES]
    assert facts_written["trials"][1]["reason"] == GateReason.NEEDS_ANOTHER_EPISODE
    assert facts_written["seed"] == 1
    assert len(facts_written["data_sha256"]) == 64


def test_same_data_and_seed_give_the_same_bytes(tmp_path: Path, facts: ModelFacts) -> None:
    digests: list[tuple[str, dict[str, object]]] = []
    for name in ("one", "two"):
        with Vault.create(tmp_path / name, tmp_path / f"{name}.key") as vault:
            _ready(vault)
            _shifted_day(Day(vault), n_tasks=4)
            outcome = _learn(vault, skip_model(), facts)
            assert outcome.adapter_id is not None
            assert outcome.ledger_id is not None
            adapter = hashlib.sha256(vault.get(outcome.adapter_id).payload).hexdigest()
            (entry,) = ledger.entries(vault)
            digests.append((adapter, {k: v for k, v in entry.facts.items() if k != "used"}))
    assert digests[0] == digests[1]


def test_later_stages_that_object_keep_the_generic_model(
    vault: Vault, model: TableModel, facts: ModelFacts, day: Day
) -> None:
    _ready(vault)
    for _ in range(2):
        day.stage(REST, 1.0)
        day.stage(STRESS, 1.6)
    # From then on the generic model was right all along.
    for _ in range(2):
        day.stage(REST, -0.6)
        day.stage(STRESS, 0.3)
    day.stage(REST, -0.6)
    generic = read_adapter(model)
    outcome = _learn(vault, model, facts)
    assert outcome.different_episode
    assert not outcome.kept
    assert outcome.reason == GateReason.WORSE_THAN_CURRENT
    assert outcome.text == "on later windows of yours it did worse than the generic model"
    assert load_current(vault, "stress", bundle_sha256=facts.bundle_sha256) is None
    for name, value in read_adapter(model).items():
        np.testing.assert_array_equal(value, generic[name])
    assert ledger.entries(vault)[0].facts["kept"] is False


@pytest.mark.parametrize(("n_stories", "moved"), [(1, False), (2, True)])
def test_weights_may_move_once_two_stress_episodes_and_the_rest_after_them_are_labelled(
    vault: Vault, facts: ModelFacts, day: Day, n_stories: int, moved: bool
) -> None:
    # The generic model reads the feature the wrong way round: no bias can help.
    model = skip_model(-1.0)
    _ready(vault)
    day.stage(REST, -0.5)
    for _ in range(n_stories):
        day.stage(STRESS, 0.5)
        day.stage(REST, -0.5)
    free = tuple(replace(c, anchor=0.01) for c in CANDIDATES)
    outcome = _learn(vault, model, facts, candidates=free)
    assert outcome.kept is moved
    if moved:
        assert outcome.group in {"head", "lora+head"}
        assert outcome.figures["candidate_balanced_accuracy"] > 0.9


def test_what_passed_is_learned_again_from_all_labels(
    vault: Vault, model: TableModel, facts: ModelFacts, day: Day
) -> None:
    _ready(vault)
    _shifted_day(day)
    assert _learn(vault, model, facts).kept
    prepared = prepare(vault, facts, now_utc=T0_UTC + 30 * 86_400.0)
    assert isinstance(prepared, Prepared)
    windows, bias = prepared.evidence.everything, CANDIDATES[0]
    assert len(windows.y) > sum(len(side.y) for side in prepared.evidence.turns[0])
    again = skip_model()
    solve(
        again, windows.x, windows.y, windows.weight,
        linear=False, anchor=bias.anchor, bias_anchor=bias.anchor,
    )  # fmt: skip
    np.testing.assert_array_equal(read_adapter(model)["head_b"], read_adapter(again)["head_b"])


def test_weights_in_force_are_not_judged_on_what_they_learned_from(
    vault: Vault, model: TableModel, facts: ModelFacts, day: Day
) -> None:
    _ready(vault)
    _shifted_day(day)
    first = personalise(vault, model, facts, seed=1, now_utc=day.now_utc)
    assert first.kept
    prepared = prepare(vault, facts, now_utc=T0_UTC + 30 * 86_400.0)
    assert isinstance(prepared, Prepared)
    # All of it was known when the update was made, so nothing is left to judge that update by.
    assert (prepared.held_back_utc < day.now_utc).all()
    _ = day.stage(STRESS, 1.6), day.stage(REST, 0.8)
    personalise(vault, model, facts, seed=1, now_utc=day.now_utc)
    trials = ledger.entries(vault)[-1].facts["trials"]
    assert trials[0]["group"] == "generic"
    # Ten windows lie wholly inside half of a 5-minute stage; two stages are new.
    assert trials[0]["n_windows"] == 2 * 10


def test_running_again_without_new_labels_does_nothing(
    vault: Vault, model: TableModel, facts: ModelFacts, day: Day
) -> None:
    _ready(vault)
    _shifted_day(day)
    first = _learn(vault, model, facts)
    again = _learn(vault, model, facts)
    assert (again.kept, again.reason) == (False, outcomes.NOTHING_NEW)
    assert vault.pointer(pointer_name("stress")) == first.adapter_id
    assert vault.count(ledger.LEDGER_KIND) == 1
    _ = day.stage(STRESS, 1.6), day.stage(REST, 0.8)
    assert _learn(vault, model, facts).reason != outcomes.NOTHING_NEW
    assert vault.count(ledger.LEDGER_KIND) == 2
    assert ledger.is_unbroken(vault)


def test_an_adapter_that_later_days_contradict_is_dropped(
    vault: Vault, model: TableModel, facts: ModelFacts, day: Day
) -> None:
    _ready(vault)
    _shifted_day(day)
    assert _learn(vault, model, facts, now_utc=day.now_utc).kept
    # From now on this wearer is like everybody else.
    for _ in range(3):
        day.stage(STRESS, 0.4)
        day.stage(REST, -0.6)
    generic = skip_model()
    outcome = _learn(vault, model, facts)
    assert (outcome.kept, outcome.group) == (True, "generic")
    assert outcome.adapter_id is None
    assert load_current(vault, "stress", bundle_sha256=facts.bundle_sha256) is None
    np.testing.assert_array_equal(read_adapter(model)["head_b"], read_adapter(generic)["head_b"])


def test_baseline_is_made_from_the_first_rest_when_there_is_none(
    vault: Vault, model: TableModel, facts: ModelFacts, day: Day
) -> None:
    _shifted_day(day)
    assert load_baseline(vault) is None
    outcome = _learn(vault, model, facts)
    stored = load_baseline(vault)
    assert stored is not None
    baseline_id, baseline = stored
    assert baseline.n_windows == 25
    np.testing.assert_allclose(baseline.center, 0.0, atol=0.08)
    assert ledger.entries(vault)[0].facts["baseline_id"] == baseline_id
    assert outcome.n_calibration > 0


@pytest.mark.parametrize(
    ("stages", "reason"),
    [
        ([], AdaptationReason.NO_DATA),
        ([(REST, 6.0)], AdaptationReason.ONE_CLASS),
        ([(STRESS, 6.0)], AdaptationReason.ONE_CLASS),
        ([(REST, 6.0), (STRESS, 1.2)], AdaptationReason.ONE_CLASS),
        ([(REST, 6.0), (STRESS, 2.0)], AdaptationReason.NO_DATA),
    ],
)
def test_refusal_says_why_and_writes_nothing(
    vault: Vault,
    model: TableModel,
    facts: ModelFacts,
    day: Day,
    stages: list[tuple[Label, float]],
    reason: AdaptationReason,
) -> None:
    for label, minutes in stages:
        day.stage(label, 0.0, minutes=minutes)
    before = vault.kinds()
    outcome = _learn(vault, model, facts)
    assert (outcome.kept, outcome.reason) == (False, reason)
    assert outcome.text
    assert vault.kinds() == before


def test_windows_that_are_no_evidence_are_left_out(
    vault: Vault, model: TableModel, facts: ModelFacts, day: Day
) -> None:
    _ready(vault)
    _shifted_day(day)
    day.stage(STRESS, 9.0, minutes=3, worn=False)
    day.stage(STRESS, 9.0, minutes=3, quality=0.2)
    day.stage(STRESS, 9.0, minutes=3, motion=5.0)
    outcome = _learn(vault, model, facts)
    left_out = {reason: n for reason, n in outcome.left_out.items() if n}
    assert left_out[LeftOut.NOT_WORN] == left_out[LeftOut.POOR_SIGNAL] == 13
    assert left_out[LeftOut.MOVING] == 13


def test_full_disk_leaves_model_and_vault_as_they_were(
    vault: Vault,
    model: TableModel,
    facts: ModelFacts,
    day: Day,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _ready(vault)
    _shifted_day(day)
    generic = read_adapter(model)

    def full(*_args: object, **_kwargs: object) -> int:
        raise StorageError("vault: expected room to write, got a full disk")

    # The last write of the transaction: adapter and pointer are already in it.
    with monkeypatch.context() as patched:
        patched.setattr(job.ledger, "append", full)
        kinds = vault.kinds()
        with pytest.raises(StorageError):
            _learn(vault, model, facts)
    # What was trained so far is not lost: the checkpoint is still there.
    assert vault.kinds() == {**kinds, JOB_CHECKPOINT_KIND: 1}
    assert vault.pointer(pointer_name("stress")) is None
    for name, value in read_adapter(model).items():
        np.testing.assert_array_equal(value, generic[name])
    assert _learn(vault, model, facts).kept
    assert ledger.entries(vault)[0].facts["used"]["n_resumes"] == 1


def test_wearer_who_goes_back_while_it_learns_has_the_last_word(
    vault: Vault, model: TableModel, facts: ModelFacts, day: Day
) -> None:
    _ready(vault)
    _shifted_day(day)
    _learn(vault, model, facts)
    _ = day.stage(STRESS, 1.6), day.stage(REST, 0.8)

    def go_back(stage: str, _done: int, _total: int) -> None:
        if stage == "done":
            revert(vault, "stress", bundle_sha256=facts.bundle_sha256, now_utc=8.0)

    outcome = _learn(vault, model, facts, conduct=Conduct(progress=go_back))
    assert (outcome.kept, outcome.reason) == (False, outcomes.CHANGED_MEANWHILE)
    assert load_current(vault, "stress", bundle_sha256=facts.bundle_sha256) is None
    np.testing.assert_array_equal(
        read_adapter(model)["head_b"], read_adapter(skip_model())["head_b"]
    )


def test_diverging_candidate_is_passed_over(
    vault: Vault, model: TableModel, facts: ModelFacts, day: Day
) -> None:
    _ready(vault)
    _shifted_day(day)
    wild = Candidate("bias", steps=30, learning_rate=1e6, anchor=2.0, min_gain=0.0)
    outcome = _learn(vault, model, facts, candidates=(wild, CANDIDATES[0]))
    assert outcome.kept
    trials = ledger.entries(vault)[0].facts["trials"]
    assert [t["reason"] for t in trials] == [GateReason.DIVERGED, GateReason.BETTER]


def test_progress_names_every_candidate(
    vault: Vault, model: TableModel, facts: ModelFacts, day: Day
) -> None:
    _ready(vault)
    _shifted_day(day)
    seen: list[tuple[str, int, int]] = []
    _learn(vault, model, facts, conduct=Conduct(progress=lambda *told: seen.append(told)))
    n = len(CANDIDATES)
    named = [(candidate.groups, i, n) for i, candidate in enumerate(CANDIDATES)]
    assert seen == [*named, ("done", n, n)]
