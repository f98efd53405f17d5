"""Enrolment: what is collected, what is said when it does not advance, what is learned."""

from __future__ import annotations

import numpy as np
import pytest

from firmware_host.errors import EnrolmentError
from firmware_host.identity.enrolment import MIN_WINDOWS, N_WINDOWS, Enrolment, enrol
from firmware_host.identity.walking import WalkingGate, fill_missing
from tests.unit.identity.fake_walks import N_FEATURES, World

GATE = WalkingGate(min_walk=0.5, min_periodicity=0.4)
FILL = np.zeros(N_FEATURES, np.float32)


@pytest.fixture
def world(rng) -> World:
    return World(rng)


def _enrol(world: World, features: np.ndarray, model=None, seed: int = 3, cohort=None):
    return enrol(
        model or world.model(),
        features,
        world.cohort() if cohort is None else cohort,
        threshold=1.5,
        fill=FILL,
        rng=np.random.default_rng(seed),
    )


def test_progress_when_walking_ends_after_a_minute(world):
    enrolment = Enrolment(GATE)
    steps = [enrolment.add(window, 0.9) for window in world.windows(0, N_WINDOWS + 5)]
    assert [step.done for step in steps].index(True) == N_WINDOWS - 1
    assert steps[-1].n_windows == N_WINDOWS
    assert steps[-1].share == 1.0
    assert all(step.stuck is None for step in steps)
    assert enrolment.features().shape == (N_WINDOWS, N_FEATURES)


@pytest.mark.parametrize(
    ("change", "walk", "said"),
    [
        ({"missing": 0.3}, 0.9, "link"),
        ({}, 0.1, "walk on level ground"),
        ({"periodicity": 0.2}, 0.9, "steadily"),
        ({"periodicity": float("nan")}, 0.9, "steadily"),
        ({}, float("nan"), "walk on level ground"),
    ],
)
def test_progress_when_windows_are_unusable_says_what_to_change(world, change, walk, said):
    enrolment = Enrolment(GATE)
    windows = world.windows(0, 5)
    for window in windows:
        for name, value in change.items():
            setattr(window, name, value)
    steps = [enrolment.add(window, walk) for window in windows]
    assert steps[0].stuck is None
    assert said in steps[-1].stuck
    assert steps[-1].n_windows == 0
    assert all(window.n_read == 0 for window in windows)
    with pytest.raises(EnrolmentError, match=said) as caught:
        enrolment.features()
    assert (caught.value.n_windows, caught.value.needed) == (0, MIN_WINDOWS)


def test_progress_when_walking_again_is_no_longer_stuck(world):
    enrolment = Enrolment(GATE)
    for window in world.windows(0, 6):
        enrolment.add(window, 0.0)
    assert enrolment.progress().stuck
    assert enrolment.add(world.windows(0, 1)[0], 0.9).stuck is None


def test_enrol_when_done_tells_the_wearer_from_others(world):
    model = world.model()
    enrolled = _enrol(world, world.features(0, N_WINDOWS), model)
    own = model.embed(world.features(0, 40))["score"][:, 0]
    stranger = model.embed(world.features(1, 40))["score"][:, 0]
    known = model.embed(world.features(7, 40))["score"][:, 0]
    assert np.mean(own > 4) > 0.95
    assert np.mean(stranger < 4) > 0.9
    assert np.mean(known < 4) > 0.95
    assert np.linalg.norm(enrolled.template) == pytest.approx(1.0, abs=1e-5)
    assert (enrolled.threshold, enrolled.n_windows) == (1.5, N_WINDOWS)


def test_enrol_when_done_scores_others_as_standard_normal_for_every_wearer(world):
    cohort = np.concatenate([world.cohort() for _ in range(10)])
    for person in (0, 1, 2):
        model = world.model()
        _enrol(world, world.features(person, N_WINDOWS), model, cohort=cohort)
        others = model.embed(world.cohort())["score"]
        assert others.mean() == pytest.approx(0.0, abs=0.25)
        assert others.std() == pytest.approx(1.0, abs=0.25)


def test_enrol_when_repeated_gives_the_same_bytes_whatever_came_before(world):
    features, cohort, model = world.features(0, N_WINDOWS), world.cohort(), world.model()
    first = _enrol(world, features, model, cohort=cohort)
    _enrol(world, world.features(2, N_WINDOWS), model, cohort=cohort)
    again = _enrol(world, features, model, cohort=cohort)
    assert first.template.tobytes() == again.template.tobytes()
    for name, value in first.adapter.items():
        assert value.tobytes() == again.adapter[name].tobytes(), name


def test_enrol_when_rows_are_fewer_than_needed_refuses(world):
    with pytest.raises(EnrolmentError, match=f"10 of {MIN_WINDOWS}"):
        _enrol(world, world.features(0, 10))


def test_enrol_when_there_is_no_gyroscope_does_not_learn_its_absence(world):
    features = world.features(0, N_WINDOWS)
    features[:, 12:] = np.nan
    model = world.model()
    enrolled = _enrol(world, features, model)
    head = enrolled.adapter["head_w"][0]
    # Whitening mixes a little of every feature into each; what is absent must weigh next to nothing.
    assert np.abs(head[12:]).max() < 0.1 * np.abs(head[:12]).max()
    others = world.features(7, 40)
    others[:, 12:] = np.nan
    assert np.mean(model.embed(fill_missing(others, FILL))["score"] < 4) > 0.9


def test_enrol_when_training_diverges_leaves_the_generic_model(world):
    class Diverging:
        def __init__(self) -> None:
            self.calls: list[str] = []

        def run(self, signature: str, **_: np.ndarray) -> dict[str, np.ndarray]:
            self.calls.append(signature)
            return {"loss": np.array([np.nan], np.float32)}

    model = Diverging()
    with pytest.raises(EnrolmentError, match="diverged"):
        _enrol(world, world.features(0, N_WINDOWS), model)
    assert model.calls == ["reset", "train", "reset"]
