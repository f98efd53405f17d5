"""Adapters: tied to their bundle, numbered, taken back; the ledger's chain."""

from __future__ import annotations

import numpy as np
import pytest

from firmware_host.adaptation import ledger
from firmware_host.adaptation.adapters import (
    apply_adapter,
    history,
    load_current,
    put_adapter,
    read_adapter,
)
from firmware_host.errors import AdaptationError, AdaptationReason
from firmware_host.vault.pack import pack
from firmware_host.vault.records import Vault
from training.stress.numpy_model import TableModel

BUNDLE, OTHER = "ab" * 32, "cd" * 32


def _put(vault: Vault, model: TableModel, *, shift: float, bundle: str = BUNDLE) -> int:
    arrays = {name: value + np.float32(shift) for name, value in read_adapter(model).items()}
    with vault.transaction():
        return put_adapter(
            vault, arrays, model="stress", bundle_sha256=bundle, group="bias", baseline_id=None,
            now_utc=1.0,
        )  # fmt: skip


def test_adapter_comes_back_as_it_was_stored(vault: Vault, model: TableModel) -> None:
    _put(vault, model, shift=0.25)
    adapter = load_current(vault, "stress", bundle_sha256=BUNDLE)
    assert adapter is not None
    before = read_adapter(model)
    apply_adapter(model, adapter.arrays)
    state = model.run("get_adapter")
    for name, value in before.items():
        np.testing.assert_array_equal(state[name], value + np.float32(0.25))
        assert not state[f"momentum_{name}"].any()
    apply_adapter(model, None)
    for name, value in read_adapter(model).items():
        np.testing.assert_array_equal(value, before[name])


def test_number_of_a_damaged_adapter_is_not_given_again(vault: Vault, model: TableModel) -> None:
    first, second = _put(vault, model, shift=0.1), _put(vault, model, shift=0.2)
    vault._database.execute("UPDATE records SET sealed = zeroblob(60) WHERE id = ?", (second,))
    third = _put(vault, model, shift=0.3)
    assert {a.id: a.version for a in history(vault, "stress")} == {first: 1, third: 3}


def test_values_stay_out_of_the_text_of_an_adapter(vault: Vault, model: TableModel) -> None:
    _put(vault, model, shift=0.25)
    assert "array" not in repr(load_current(vault, "stress", bundle_sha256=BUNDLE))


def test_adapter_of_another_bundle_is_refused(vault: Vault, model: TableModel) -> None:
    _put(vault, model, shift=0.25, bundle=OTHER)
    with pytest.raises(AdaptationError, match="expected one learned on bundle abab") as caught:
        load_current(vault, "stress", bundle_sha256=BUNDLE)
    assert caught.value.reason is AdaptationReason.FOREIGN_ADAPTER


def test_no_adapter_is_the_generic_model(vault: Vault) -> None:
    assert load_current(vault, "stress", bundle_sha256=BUNDLE) is None


def test_ledger_shows_an_entry_taken_out(vault: Vault) -> None:
    ids = [ledger.append(vault, {"what": "x", "n": n}, now_utc=float(n)) for n in range(4)]
    assert ledger.is_unbroken(vault)
    vault._database.execute("DELETE FROM records WHERE id = ?", (ids[1],))
    assert not ledger.is_unbroken(vault)


def test_ledger_shows_an_entry_put_in(vault: Vault) -> None:
    ledger.append(vault, {"what": "x"}, now_utc=0.0)
    vault.put(ledger.LEDGER_KIND, pack({}, {"what": "y", "previous_sha256": "0" * 64}), 1.0)
    assert not ledger.is_unbroken(vault)


def test_ledger_takes_figures_that_do_not_exist(vault: Vault) -> None:
    ledger.append(vault, {"what": "x", "loss": float("nan"), "deep": [{"y": 1.5}]}, now_utc=0.0)
    (entry,) = ledger.entries(vault)
    assert entry.facts["loss"] is None
    assert entry.facts["deep"] == [{"y": 1.5}]
    assert ledger.latest(vault, what="x") == entry
    assert ledger.latest(vault, what="y") is None
