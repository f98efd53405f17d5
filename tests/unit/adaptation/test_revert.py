"""Back to any earlier adapter, with the rest it was learned on; nothing is deleted."""

from __future__ import annotations

import sqlite3

import numpy as np
import pytest

from firmware_host.adaptation import ledger
from firmware_host.adaptation.adapters import history, load_current, put_adapter, read_adapter
from firmware_host.adaptation.revert import Reverted, revert
from firmware_host.adaptation.samples import load_baseline, put_baseline
from firmware_host.errors import AdaptationError, AdaptationReason
from firmware_host.signals.normalise import Baseline
from firmware_host.vault.records import Vault

from .conftest import N_FEATURES, skip_model

BUNDLE, OTHER = "ab" * 32, "cd" * 32


def _put(
    vault: Vault, shift: float, *, bundle: str = BUNDLE, baseline_id: int | None = None
) -> int:
    arrays = {name: value + np.float32(shift) for name, value in read_adapter(skip_model()).items()}
    with vault.transaction():
        return put_adapter(
            vault, arrays, model="stress", bundle_sha256=bundle, group="bias",
            baseline_id=baseline_id, now_utc=1.0,
        )  # fmt: skip


def _back(vault: Vault, to: int | None = None) -> Reverted:
    return revert(vault, "stress", bundle_sha256=BUNDLE, now_utc=5.0, to=to)


def _version(done: Reverted) -> int:
    return 0 if done.adapter is None else done.adapter.version


def test_revert_goes_back_step_by_step_and_is_written_down(vault: Vault) -> None:
    first, second = _put(vault, 0.1), _put(vault, 0.2)
    assert _version(_back(vault)) == 1
    assert _version(_back(vault)) == 0
    with pytest.raises(AdaptationError, match="generic model in force") as caught:
        _back(vault)
    assert caught.value.reason is AdaptationReason.NO_DATA
    facts = [entry.facts for entry in ledger.entries(vault)]
    assert [(f["what"], f["from_id"], f["to_id"], f["to_version"]) for f in facts] == [
        ("revert", second, first, 1),
        ("revert", first, None, 0),
    ]
    # Nothing was deleted, and numbers are not used again.
    third = _put(vault, 0.3)
    versions = {a.id: (a.version, a.parent_id) for a in history(vault, "stress")}
    assert versions == {first: (1, None), second: (2, first), third: (3, None)}


def test_any_version_is_one_step_away_and_so_is_generic(vault: Vault) -> None:
    ids = [_put(vault, 0.1 * n) for n in range(1, 5)]
    for to in (1, 3, 2, 4, 0, 2):
        assert _version(_back(vault, to)) == to
        current = load_current(vault, "stress", bundle_sha256=BUNDLE)
        assert (None if current is None else current.id) == (ids[to - 1] if to else None)


@pytest.mark.parametrize(("to", "told"), [(7, "got 7"), (2, "got adapter 2"), (-1, "got -1")])
def test_version_that_makes_no_sense_is_refused_and_named(vault: Vault, to: int, told: str) -> None:
    _put(vault, 0.1)
    second = _put(vault, 0.2)
    with pytest.raises(AdaptationError, match=told) as caught:
        _back(vault, to)
    assert "versions: 1, 2; or generic" in str(caught.value)
    assert vault.pointer("adapter/stress") == second
    assert not ledger.entries(vault)


def test_generic_is_refused_when_it_is_in_force(vault: Vault) -> None:
    with pytest.raises(AdaptationError, match="got the generic model"):
        _back(vault, 0)


def test_adapter_of_another_bundle_is_refused(vault: Vault) -> None:
    _put(vault, 0.1, bundle=OTHER)
    second = _put(vault, 0.2)
    with pytest.raises(AdaptationError) as caught:
        _back(vault, 1)
    assert caught.value.reason is AdaptationReason.FOREIGN_ADAPTER
    assert vault.pointer("adapter/stress") == second


def test_the_rest_it_was_learned_on_comes_back_with_an_adapter(vault: Vault) -> None:
    baselines = []
    for level in (0.0, 1.0):
        baseline = Baseline(np.full(N_FEATURES, level), np.ones(N_FEATURES), 20)
        baselines.append(put_baseline(vault, baseline, now_utc=level))
        _put(vault, level, baseline_id=baselines[-1])
    done = _back(vault, 1)
    assert done.is_rest_restored
    stored = load_baseline(vault)
    assert stored is not None
    assert stored[0] == baselines[0]
    assert ledger.entries(vault)[-1].facts["is_rest_restored"] is True
    assert not _back(vault, 0).is_rest_restored


def test_rest_that_is_gone_refuses_and_changes_nothing(vault: Vault) -> None:
    _put(vault, 0.1, baseline_id=99)
    second = _put(vault, 0.2)
    with pytest.raises(AdaptationError) as caught:
        _back(vault, 1)
    assert caught.value.reason is AdaptationReason.NO_BASELINE
    assert vault.pointer("adapter/stress") == second


def test_damaged_adapter_in_force_leaves_the_way_to_any_other(vault: Vault) -> None:
    _put(vault, 0.1)
    second = _put(vault, 0.2)
    with sqlite3.connect(vault.directory / "vault.sqlite3") as database:
        database.execute("UPDATE records SET sealed = zeroblob(60) WHERE id = ?", (second,))
    database.close()
    with pytest.raises(AdaptationError, match="a damaged one"):
        _back(vault)
    assert _version(_back(vault, 1)) == 1
