"""Self-updates in the vault: once a day, from proof, with the ledger, and one way back."""

from __future__ import annotations

import numpy as np
import pytest

from firmware_host.adaptation import ledger
from firmware_host.errors import AdaptationError
from firmware_host.identity.enrolment import enrol
from firmware_host.identity.self_update import MAX_WALKS, WALK_WINDOWS, Walk
from firmware_host.inference.bundle import load_bundle
from firmware_host.runtime.gait_following import WALK_KIND, GaitFollower
from firmware_host.runtime.gait_path import others
from firmware_host.runtime.gait_reference import (
    GAIT_KIND,
    anchor_of,
    gait_references,
    load_walking,
    put_walking,
    revert_gait,
)
from firmware_host.vault.records import Vault
from tests.bundles import write_bundle
from training.gait.numpy_model import NumpyGaitModel

DAY_S = 86_400.0
T0 = 1e9
PLACE = "wrist"


@pytest.fixture
def bundle(tmp_path):
    return load_bundle(write_bundle(tmp_path / "bundles"))


@pytest.fixture
def vault(tmp_path):
    with Vault.open_or_create(tmp_path / "state", tmp_path / "key") as opened:
        yield opened


class Life:
    """A wearer of the test bundle: enrolled, and walking as enrolled or a little otherwise."""

    def __init__(self, bundle, vault: Vault) -> None:
        rng = np.random.default_rng(4)
        background = others(bundle, PLACE)
        n = len(background.center)
        arrays = {
            "center": background.center,
            "scale": background.scale,
            "directions": np.linalg.qr(rng.normal(size=(n, 3)))[0].T,
            "shrink": np.full(3, 0.3),
            "lora_a": rng.normal(size=(4, n)),
            "lora_b": np.zeros((n, 4)),
            "head_w": np.zeros((1, n)),
            "head_b": np.zeros(1),
        }
        self.model = NumpyGaitModel({name: np.asarray(v, np.float32) for name, v in arrays.items()})
        self.person = background.center + 1.5 * background.scale * rng.normal(size=n)
        self.rng, self.scale = rng, background.scale
        enrolled = enrol(
            self.model,
            self.walk().features,
            background.draw(seed=1),
            threshold=1.0,
            fill=background.center,
            rng=rng,
        )
        self.anchor_id = put_walking(vault, enrolled, bundle, placement=PLACE, now_utc=T0)
        self.follower = GaitFollower(vault, bundle, self.model, PLACE, seed=1)

    def walk(self) -> Walk:
        noise = self.rng.normal(size=(WALK_WINDOWS, len(self.person)))
        return Walk((self.person + 0.3 * self.scale * noise).astype(np.float32), 60.0)


@pytest.fixture
def life(bundle, vault) -> Life:
    return Life(bundle, vault)


def test_without_a_sure_walk_nothing_happens(life, vault):
    assert not life.follower.update(T0 + DAY_S)
    assert ledger.entries(vault) == []


def test_a_sure_walk_makes_a_new_reference_that_goes_back_to_the_enrolment(life, vault, bundle):
    life.follower.take(life.walk())
    assert life.follower.update(T0 + DAY_S)
    current = gait_references(vault)[PLACE]
    assert current != life.anchor_id
    assert anchor_of(vault, PLACE)[0] == life.anchor_id
    assert life.follower.reference().anchor is not None
    (entry,) = ledger.entries(vault)
    assert entry.facts["kept"]
    assert entry.facts["reference_id"] == current
    # Counts and ids only: no score and no feature of the wearer's walk.
    assert set(entry.facts) == {
        "what", "placement", "seed", "n_walks", "after_id", "anchor_id", "kept", "distance",
        "reference_id", "previous_sha256",
    }  # fmt: skip


def test_the_reference_moves_once_a_day_however_much_is_walked(life, vault):
    for hour in range(12):
        life.follower.take(life.walk())
        assert life.follower.update(T0 + DAY_S + 3600.0 * hour) == (hour == 0)
    assert vault.count(GAIT_KIND) == 2


def test_only_the_latest_walks_are_kept(life, vault):
    for day in range(1, MAX_WALKS + 4):
        life.follower.take(life.walk())
        assert life.follower.update(T0 + DAY_S * day)
    assert vault.count(WALK_KIND) == MAX_WALKS
    assert ledger.is_unbroken(vault)


def test_one_step_back_is_the_reference_before_and_the_walk_is_not_learned_again(
    life, vault, bundle
):
    life.follower.take(life.walk())
    life.follower.update(T0 + DAY_S)
    assert revert_gait(vault, PLACE, now_utc=T0 + 2 * DAY_S) == life.anchor_id
    assert load_walking(vault, bundle, life.model, PLACE).anchor is None
    with pytest.raises(AdaptationError, match="as it was enrolled"):
        revert_gait(vault, PLACE, now_utc=T0 + 2 * DAY_S)
    life.follower.take(life.walk())
    assert life.follower.update(T0 + 3 * DAY_S)
    assert ledger.latest(vault, what="gait_self_update").facts["n_walks"] == 1


def test_nobody_enrolled_there_is_nothing_to_follow_or_go_back_from(life, vault):
    with pytest.raises(AdaptationError, match="nobody enrolled"):
        revert_gait(vault, "pocket", now_utc=T0)
    elsewhere = GaitFollower(vault, life.follower.bundle, life.model, "pocket", seed=1)
    elsewhere.take(life.walk())
    assert not elsewhere.update(T0 + DAY_S)
