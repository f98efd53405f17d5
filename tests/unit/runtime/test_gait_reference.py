"""The wearer's gait references in the vault: one bundle, one for each placement, never mixed."""

from __future__ import annotations

import json
import logging
import zipfile
from dataclasses import replace

import numpy as np
import pytest

from firmware_host.adaptation.limits import Limits
from firmware_host.identity.enrolment import Enrolled
from firmware_host.inference.bundle import load_bundle
from firmware_host.runtime.gait_reference import (
    GAIT_KIND,
    GAIT_POINTER,
    gait_facts,
    gait_pointer,
    gait_references,
    load_walking,
    put_walking,
)
from firmware_host.runtime.state import wearer_state
from firmware_host.runtime.waiting import look_at
from firmware_host.vault.pack import pack
from firmware_host.vault.records import Vault
from firmware_host.vault.wearer import export
from tests.bundles import write_bundle


class _Recorder:
    """Remembers the adapter it was given."""

    def __init__(self) -> None:
        self.adapter: dict[str, np.ndarray] = {}

    def run(self, signature, **arrays):
        assert signature == "set_adapter"
        self.adapter = arrays
        return {}


@pytest.fixture
def bundle(tmp_path):
    return load_bundle(write_bundle(tmp_path / "bundles"))


@pytest.fixture
def vault(tmp_path):
    with Vault.open_or_create(tmp_path / "state", tmp_path / "key") as opened:
        yield opened


@pytest.fixture
def enrolled(rng) -> Enrolled:
    adapter = {"head_w": rng.normal(size=(1, 5)).astype(np.float32)}
    return Enrolled(np.ones(5, np.float32), adapter, 0.25, 11)


def test_reference_when_worn_where_it_was_enrolled_is_put_into_the_model(
    vault, bundle, enrolled, rng
):
    put_walking(vault, enrolled, bundle, placement="pocket", now_utc=1.0)
    model = _Recorder()
    found = load_walking(vault, bundle, model, "pocket")
    assert found is not None
    assert found.threshold == 0.25
    assert found.margin == bundle.gait.limit("verification_margin", "pocket")
    np.testing.assert_array_equal(model.adapter["head_w"], enrolled.adapter["head_w"])


def test_reference_when_worn_elsewhere_is_left_out_with_one_warning(
    vault, bundle, enrolled, caplog
):
    put_walking(vault, enrolled, bundle, placement="wrist", now_utc=1.0)
    model = _Recorder()
    with caplog.at_level(logging.WARNING):
        assert load_walking(vault, bundle, model, "pocket") is None
    (said,) = caplog.messages
    assert "enrolled for the wrist" in said
    assert "signet enrol gait --placement pocket" in said
    assert not model.adapter


def test_nobody_is_warned_when_nobody_is_enrolled(vault, bundle, caplog):
    assert load_walking(vault, bundle, _Recorder(), "wrist") is None
    assert not caplog.messages


def test_each_placement_keeps_its_own_reference(vault, bundle, enrolled):
    elsewhere = replace(enrolled, adapter={"head_w": np.zeros((1, 5), np.float32)}, threshold=0.75)
    wrist_id = put_walking(vault, enrolled, bundle, placement="wrist", now_utc=1.0)
    pocket_id = put_walking(vault, elsewhere, bundle, placement="pocket", now_utc=2.0)
    assert gait_references(vault) == {"pocket": pocket_id, "wrist": wrist_id}
    for placement, expected in (("wrist", enrolled), ("pocket", elsewhere)):
        model = _Recorder()
        found = load_walking(vault, bundle, model, placement)
        assert found is not None
        assert found.threshold == expected.threshold
        np.testing.assert_array_equal(model.adapter["head_w"], expected.adapter["head_w"])


def test_enrolling_again_replaces_the_reference_of_that_placement_only(vault, bundle, enrolled):
    put_walking(vault, enrolled, bundle, placement="wrist", now_utc=1.0)
    pocket_id = put_walking(vault, enrolled, bundle, placement="pocket", now_utc=2.0)
    wrist_id = put_walking(vault, enrolled, bundle, placement="wrist", now_utc=3.0)
    assert gait_references(vault) == {"pocket": pocket_id, "wrist": wrist_id}


@pytest.mark.parametrize(
    ("meta", "placement"), [({}, "wrist"), ({"placement": "pocket"}, "pocket")]
)
def test_reference_of_the_older_form_counts_where_it_was_made(
    vault, bundle, enrolled, meta, placement
):
    facts = {"bundle_sha256": bundle.sha256, "threshold": 0.5, **meta}
    arrays = {f"adapter/{name}": value for name, value in enrolled.adapter.items()}
    old_id = vault.put(GAIT_KIND, pack(arrays, facts), 1.0)
    vault.set_pointer(GAIT_POINTER, old_id)
    assert gait_references(vault) == {placement: old_id}
    found = load_walking(vault, bundle, _Recorder(), placement)
    assert found is not None
    assert found.threshold == 0.5
    other = "wrist" if placement == "pocket" else "pocket"
    other_id = put_walking(vault, enrolled, bundle, placement=other, now_utc=2.0)
    assert gait_references(vault) == {placement: old_id, other: other_id}
    new_id = put_walking(vault, enrolled, bundle, placement=placement, now_utc=3.0)
    assert gait_references(vault) == {placement: new_id, other: other_id}
    assert vault.pointer(GAIT_POINTER) is None


def test_reference_of_another_bundle_is_left_out_with_one_warning(vault, bundle, enrolled, caplog):
    put_walking(vault, enrolled, bundle, placement="pocket", now_utc=1.0)
    other, model = replace(bundle, sha256="0" * 64), _Recorder()
    with caplog.at_level(logging.WARNING):
        assert load_walking(vault, other, model, "pocket") is None
    (said,) = caplog.messages
    assert "another bundle" in said
    assert "signet enrol gait --placement pocket" in said
    assert not model.adapter


def test_export_carries_the_references_of_every_placement(vault, bundle, enrolled, tmp_path):
    ids = {
        gait_pointer(place): put_walking(vault, enrolled, bundle, placement=place, now_utc=1.0)
        for place in ("wrist", "pocket")
    }
    export(vault, tmp_path / "mine.zip")
    with zipfile.ZipFile(tmp_path / "mine.zip") as archive:
        manifest = json.loads(archive.read("manifest.json"))
        lines = archive.read(f"{GAIT_KIND}/part-0000.jsonl").splitlines()
    assert manifest["pointers"] == ids
    assert [json.loads(line)["meta"]["placement"] for line in lines] == ["wrist", "pocket"]


def test_facts_of_a_placement_without_a_reference_are_none(vault, bundle, enrolled):
    put_walking(vault, enrolled, bundle, placement="wrist", now_utc=1.0)
    assert gait_facts(vault, "wrist")["n_windows"] == 11
    assert gait_facts(vault, "pocket") == {}


def test_status_tells_where_the_wearer_is_enrolled_and_where_again(vault, bundle, enrolled):
    nowhere = vault.directory / "no_machine"
    waiting = look_at(vault, host_root=nowhere, storage=nowhere, limits=Limits(), now_utc=1.0)
    assert waiting.lines() == ["a stream from the wrist: no minute was seen yet (signet run)"]
    assert wearer_state(vault, bundle.path, waiting)["gait_placements"] == []
    older = replace(bundle, sha256="0" * 64)
    put_walking(vault, enrolled, bundle, placement="wrist", now_utc=1.0)
    put_walking(vault, enrolled, older, placement="pocket", now_utc=1.0)
    state = wearer_state(vault, bundle.path, waiting)
    assert state["gait_placements"] == ["pocket", "wrist"]
    assert state["gait_of_another_bundle"] == ["pocket"]
    text = json.dumps(state)
    assert vault.wearer_id not in text
    assert str(vault.directory) not in text
