"""The wearer's gait reference in the vault: one bundle, one placement, never mixed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from firmware_host.errors import ConfigError
from firmware_host.identity.enrolment import Enrolled
from firmware_host.inference.bundle import load_bundle
from firmware_host.runtime.gait_path import load_walking, put_walking
from firmware_host.vault.records import Vault
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


def test_reference_when_worn_elsewhere_is_refused_in_one_line(vault, bundle, enrolled):
    put_walking(vault, enrolled, bundle, placement="pocket", now_utc=1.0)
    model = _Recorder()
    with pytest.raises(ConfigError, match="enrolled on the pocket") as err:
        load_walking(vault, bundle, model, "wrist")
    assert "\n" not in str(err.value)
    assert "'wrist'" in str(err.value)
    assert not model.adapter


def test_reference_of_another_bundle_is_not_used(vault, bundle, enrolled):
    put_walking(vault, enrolled, bundle, placement="wrist", now_utc=1.0)
    other = replace(bundle, sha256="0" * 64)
    assert load_walking(vault, other, _Recorder(), "wrist") is None
