"""A reference that follows its wearer: what counts as proof, what is learned, who is kept out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from firmware_host.events import Wearer
from firmware_host.identity.enrolment import enrol
from firmware_host.identity.self_update import (
    MAX_DISTANCE,
    WALK_WINDOWS,
    WalkWatch,
    distance,
    follow,
)
from firmware_host.identity.verification import N_WINDOWS, Anchor, Verification, Verifier
from firmware_host.identity.walking import WalkingGate
from tests.unit.identity.fake_walks import N_FEATURES, FakeWindow, World

GATE = WalkingGate(min_walk=0.5, min_periodicity=0.4)
FILL = np.zeros(N_FEATURES, np.float32)
LIMIT, THRESHOLD = 5.0, 3.0


def _window(i: int) -> FakeWindow:
    return FakeWindow(5.0 + 2.5 * i, np.full(N_FEATURES, float(i), np.float32))


def _walk(
    watch: WalkWatch, score: float, n: int, *, anchor: float | None = None, n_windows=N_WINDOWS
):
    """Walks found among n windows of one score."""
    by_anchor = score if anchor is None else anchor
    said = Verification(score, Wearer.WEARER, n_windows, True, by_anchor)
    found = [watch.add(_window(i), said) for i in range(n)]
    return [walk for walk in found if walk is not None]


@pytest.fixture
def watch() -> WalkWatch:
    made = WalkWatch(limit=LIMIT)
    made.contact(is_on=True)
    return made


def test_the_first_sure_minute_is_proof_and_the_next_is_learned_from(watch):
    assert _walk(watch, LIMIT, WALK_WINDOWS) == []
    assert watch.is_proved
    (walk,) = _walk(watch, LIMIT, WALK_WINDOWS)
    assert walk.features.shape == (WALK_WINDOWS, N_FEATURES)


@pytest.mark.parametrize(
    ("score", "anchor", "n_windows"),
    [(LIMIT - 0.1, None, N_WINDOWS), (LIMIT, LIMIT - 0.1, N_WINDOWS), (LIMIT, None, N_WINDOWS - 1)],
)
def test_a_walk_in_doubt_proves_nothing(watch, score, anchor, n_windows):
    assert _walk(watch, score, 5 * WALK_WINDOWS, anchor=anchor, n_windows=n_windows) == []
    assert not watch.is_proved


def test_one_doubtful_moment_begins_the_minute_anew(watch):
    _walk(watch, LIMIT, WALK_WINDOWS)
    for _ in range(5):
        assert _walk(watch, LIMIT, WALK_WINDOWS - 1) == []
        _walk(watch, LIMIT - 0.5, 1)
    assert watch.is_proved


@pytest.mark.parametrize("taken_off", [lambda w: w.contact(is_on=False), lambda w: w.forget()])
def test_a_band_taken_off_needs_proof_again(watch, taken_off):
    _walk(watch, LIMIT, WALK_WINDOWS)
    taken_off(watch)
    assert not watch.is_proved
    # Not on the skin, as far as anybody knows: nothing counts.
    assert _walk(watch, LIMIT, 3 * WALK_WINDOWS) == []
    watch.contact(is_on=True)
    assert _walk(watch, LIMIT, WALK_WINDOWS) == []


def test_somebody_else_walking_in_the_same_band_ends_the_proof(watch):
    _walk(watch, LIMIT, WALK_WINDOWS)
    _walk(watch, 0.0, 1)
    assert not watch.is_proved


def _enrolled(world: World):
    model = world.model()
    anchor = enrol(
        model,
        world.features(0, WALK_WINDOWS),
        world.cohort(),
        threshold=THRESHOLD,
        fill=FILL,
        rng=np.random.default_rng(1),
    )
    return model, anchor


def _follow(world: World, model, anchor, walks):
    return follow(model, anchor, walks, world.cohort(), fill=FILL, rng=np.random.default_rng(2))


def _mean(model, rows) -> float:
    return float(np.mean([model.run("embed", features=r[None])["score"][0, 0] for r in rows]))


@pytest.fixture
def world(rng) -> World:
    return World(rng)


def test_a_wearer_who_changed_is_known_better_after_following(world):
    model, anchor = _enrolled(world)
    changed = world.features(0, 3 * WALK_WINDOWS) + 0.6 * (world.people[2] - world.people[0])
    changed = changed.astype(np.float32)
    before = _mean(model, changed)
    made = _follow(world, model, anchor, np.split(changed, 3))
    assert made is not None
    assert _mean(model, changed) > before
    assert _mean(model, anchor.features) > THRESHOLD
    np.testing.assert_array_equal(made.features, anchor.features)


def test_a_reference_never_goes_farther_from_the_anchor_than_allowed(world):
    model, anchor = _enrolled(world)
    for _ in range(4):
        made = _follow(world, model, anchor, [world.features(1, WALK_WINDOWS) for _ in range(3)])
        if made is not None:
            assert distance(made.adapter, anchor.adapter) <= MAX_DISTANCE * (1 + 1e-5)


def test_a_reference_that_forgets_the_enrolment_is_not_taken_and_the_model_keeps_what_it_held(
    world,
):
    model, anchor = _enrolled(world)
    held = model.run("get_adapter")
    opposite = [-40.0 * world.features(0, 20 * WALK_WINDOWS)]
    doubtful = anchor.threshold + 100.0
    made = _follow(world, model, replace(anchor, threshold=doubtful), opposite)
    assert made is None
    for name, values in model.run("get_adapter").items():
        np.testing.assert_array_equal(values, held[name])


def test_the_anchor_vetoes_an_impostor_whom_a_later_reference_lets_in(world):
    model, anchor = _enrolled(world)
    # The worst that can happen: a later reference made of the impostor alone.
    astray = enrol(
        model,
        world.features(1, WALK_WINDOWS),
        world.cohort(),
        threshold=THRESHOLD,
        fill=FILL,
        rng=np.random.default_rng(3),
    )
    options = {"threshold": THRESHOLD, "margin": 0.0, "fill": FILL}
    veto = Anchor(model, anchor.adapter, astray.adapter)
    windows = world.windows(1, 20)
    alone = Verifier(model, GATE, **options)
    assert [alone.add(w, 0.9) for w in windows][-1].decision is Wearer.WEARER
    guarded = Verifier(model, GATE, **options, anchor=veto)
    last = [guarded.add(w, 0.9) for w in windows][-1]
    assert last.decision is Wearer.OTHER
    assert last.anchor_score < THRESHOLD
    # The model holds the later one again, for whatever else asks it.
    np.testing.assert_array_equal(model.run("get_adapter")["head_w"], astray.adapter["head_w"])
