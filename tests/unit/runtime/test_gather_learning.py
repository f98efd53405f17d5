"""What a report tells of learning: jobs kept, not kept and rolled back, and why."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from firmware_host.adaptation import ledger
from firmware_host.adaptation.adapters import put_adapter
from firmware_host.adaptation.revert import revert
from firmware_host.runtime.baseline import Source
from firmware_host.runtime.drifting import RunFacts, watch_run
from firmware_host.runtime.memory import Memory
from tests.unit.runtime.lives import T0, Life, Tell, some_baseline, some_job


def test_what_no_longer_fits_is_said_with_what_to_do(life: Life, tell: Tell) -> None:
    assert "No longer fits" not in dict(tell()[0].facts)
    memory = Memory(life.vault, keep_days=30)
    for day in range(12):
        weak = some_baseline(0.0 if day < 6 else -8.0)
        memory.take_baseline(weak, Source.QUIET, T0 + day * 86_400.0)
    watch_run(life.vault, RunFacts(Counter(), 0.0, 0, "wrist"), now_utc=T0 + 12 * 86_400.0)
    said = dict(tell()[0].facts)["No longer fits"]
    assert "weaker" in said
    assert "signet enrol baseline" in said


def test_ledger_tells_kept_from_not_kept_from_rolled_back(life: Life, tell: Tell) -> None:
    vault = life.vault
    ledger.append(vault, some_job(kept=False), now_utc=T0)
    with vault.transaction():
        adapter_id = put_adapter(
            vault, {"head_b": np.zeros(2, np.float32)}, model="stress", bundle_sha256="0" * 64,
            group="bias", baseline_id=None, now_utc=T0 + 1,
        )  # fmt: skip
        ledger.append(vault, some_job(kept=True, adapter_id=adapter_id), now_utc=T0 + 1)
    revert(vault, "stress", bundle_sha256="0" * 64, now_utc=T0 + 2)
    rows = tell()[0].ledger
    assert [row.decision for row in rows] == ["not kept", "kept", "rolled back"]
    assert rows[1].what == "stress model, adapter 1"
    assert rows[2].reason == "the wearer went back from adapter 1 to the model as shipped"
    assert (
        rows[0].learned_from == "90 windows of 3 episodes; judged on 70 windows of 2 other episodes"
    )
    first = rows[0].scores[0]
    assert (first.name, first.generic, first.before, first.candidate) == (
        "balanced accuracy", 0.7, 0.75, 0.8,
    )  # fmt: skip
    assert rows[0].steps == 200


@pytest.mark.parametrize(
    ("group", "steps"), [("head", None), ("lora+head", 800), ("lora+head, comparisons", 400)]
)
def test_ledger_tells_the_steps_of_the_update_and_none_of_a_solution(
    life: Life, tell: Tell, group: str, steps: int | None
) -> None:
    tried = [
        {"groups": "head", "steps": 0, "way": "labels"},
        {"groups": "lora+head", "steps": 800, "way": "labels"},
        {"groups": "lora+head", "steps": 400, "way": "comparisons"},
    ]
    ledger.append(
        life.vault, {**some_job(kept=False), "group": group, "candidates": tried}, now_utc=T0
    )
    assert tell()[0].ledger[0].steps == steps


def test_a_dropped_job_says_why(life: Life, tell: Tell) -> None:
    why = "an unfinished job was dropped: the settings changed meanwhile"
    ledger.append(life.vault, {"what": "job_dropped", "text": why}, now_utc=T0)
    (row,) = tell()[0].ledger
    assert (row.what, row.decision, row.reason) == ("unfinished learning job", "dropped", why)


def test_a_job_without_trials_gives_no_scores(life: Life, tell: Tell) -> None:
    ledger.append(life.vault, {"what": "personalise", "kept": False}, now_utc=T0)
    (row,) = tell()[0].ledger
    assert row.decision == "not kept"
    assert not row.scores


def test_learning_memory_of_an_earlier_run_is_said_to_be_that(life: Life, tell: Tell) -> None:
    life.summary(T0, learned=[{"peak_rss_mb": 66.0}, {"peak_rss_mb": 61.0}])
    life.summary(T0 + 1000)
    costs = {cost.name: cost for cost in tell()[0].costs}
    learning = costs["Peak memory, learning"]
    assert learning.value == 66.0
    assert "earlier run" in learning.note
    assert costs["Vault on the disk"].value > 0
