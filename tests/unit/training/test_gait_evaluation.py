"""Walkers who are easy to tell apart: figures, keys, the page; and what one person alone gives."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from dataclasses import replace

import numpy as np
import pytest

from firmware_host.signals.gait_features import N_FEATURES
from training.evaluation.output import plain
from training.gait.assess import assess
from training.gait.figures import LENGTHS, NO_WALK, NOBODY_ELSE, TOO_LITTLE, Limits, Shipped, rates
from training.gait.identity import Scores, fit_identity
from training.gait.numpy_model import NumpyGaitModel
from training.gait.people import Person
from training.gait.report import gait_page
from training.gait.verification_metrics import eer
from training.gait.windows import Stream, Walks

TOP_KEYS = {
    *(f"{kind}_{length}" for kind in ("eer", "rank1", "frr", "far") for length in LENGTHS),
    "gate_macro_f1", "gate_recall", "cadence_mae_spm", "participants", "coverage", "gallery_size",
    "scored_people", "n_people", "intervals_95", "reasons", "not_enrolled", "enrolled_60s",
    "all_windows", "threshold", "margin",
}  # fmt: skip
LIMITS = Limits(min_walk=0.5, min_periodicity=0.3, threshold=0.0, margin=0.1)
HEAD = {"dataset": "made-up", "protocol": "shipped", "protocol_means": "everybody is enrolled"}


def make_walker(rng, name, *, n=80):
    """A person whose features differ from others', in two trials."""
    features = rng.normal(size=N_FEATURES) + rng.normal(scale=0.6, size=(n, N_FEATURES))
    # The first channel tells the fake gate below what to answer.
    inv = np.full((n, 100, 6), 0.9, np.float32)
    walks = Walks(
        f"made-up/{name}", features.astype(np.float32), np.full(n, 0.8, np.float32), inv,
        np.repeat(["wlk_7", "wlk_8"], n // 2), np.tile(2.5 * np.arange(n // 2), 2).astype(np.float32),
    )  # fmt: skip
    stream = Stream(f"made-up/{name}", "wlk_7", 1, np.full((2000, 6), 0.9, np.float32))
    return Person(f"made-up/{name}", [stream], walks, f"{name}" * 8)


def infer(windows):
    """Walking as likely as the first value of a window says."""
    p = np.zeros((len(windows), 5), np.float32)
    p[:, 1] = windows[:, 0, 0]
    p[:, 4] = 1.0 - p[:, 1]
    return p


@pytest.fixture(scope="module")
def people():
    rng = np.random.default_rng(8)
    return [make_walker(rng, str(i)) for i in range(5)]


@pytest.fixture(scope="module")
def shipped():
    rng = np.random.default_rng(9)
    background = [make_walker(rng, f"b{i}").walks for i in range(8)]
    arrays = fit_identity(background, seed=1)
    cohort = np.concatenate([walks.features[::10] for walks in background])
    return Shipped(NumpyGaitModel(arrays), cohort, arrays["center"], LIMITS)


def _assessed(people, shipped, seen=None):
    return assess(people, seen or [False] * len(people), shipped, infer, seed=0).headed(HEAD)


def _page(made):
    page = gait_page(plain(made.result), made.scores)
    root = ET.fromstring(page.removeprefix("<!DOCTYPE html>\n"))
    for picture in (one for one in root.iter("svg") if one.get("role") == "img"):
        assert picture.find("title").text
        assert picture.find("desc").text
    assert "<script" not in page
    return "".join(root.itertext())


def test_every_promised_key_is_there_when_people_are_told_apart(people, shipped):
    made = _assessed(people, shipped)
    result = plain(made.result)
    assert set(result) >= TOP_KEYS
    assert result["gallery_size"] == 5
    assert result["rank1_5s"] > 0.9
    assert result["eer_30s"] <= result["eer_5s"] < 0.1
    assert result["coverage"] == 1.0
    assert result["gate_recall"] == {"walk": 1.0}
    low, high = result["intervals_95"]["eer_5s"]
    assert low <= result["eer_5s"] <= high
    assert [one["id"] for one in result["participants"]] == [f"made-up/{i}" for i in range(5)]
    json.dumps(result, allow_nan=False)
    words = _page(made)
    assert "DET curves" in words
    assert "among 5 people" in words
    for name in ("Rejected, 5 s", "Rejected, 30 s", "others accepted", "are what a wearer gets"):
        assert name in words
    heads = ("Equal error 30 s", "Rejected 30 s", "Accepted 30 s")
    assert all(head in words for head in heads)


def test_rates_are_null_with_a_reason_when_there_is_one_person(people, shipped):
    made = _assessed(people[:1], shipped)
    result = plain(made.result)
    assert result["eer_5s"] is result["rank1_5s"] is result["far_5s"] is None
    assert result["frr_5s"] is not None
    assert result["reasons"]["eer_5s"] == NOBODY_ELSE
    assert result["intervals_95"]["eer_5s"] is None
    words = _page(made)
    assert NOBODY_ELSE in words
    assert "Nobody could be enrolled" not in words
    assert "not measurable" not in words


def test_person_is_named_when_there_is_too_little_to_enrol_on(people, shipped):
    shuffling = replace(people[0].walks, periodicity=np.zeros(80, np.float32))
    made = _assessed([replace(people[0], walks=shuffling), *people[1:]], shipped)
    result = plain(made.result)
    assert result["not_enrolled"] == [{"id": "made-up/0", "reason": TOO_LITTLE}]
    assert result["gallery_size"] == 4
    assert result["participants"][0]["coverage"] == 0.0
    assert result["participants"][0]["eer_5s"] is None
    assert TOO_LITTLE in _page(made)


def test_person_is_named_when_nobody_recorded_a_walk(people, shipped):
    made = _assessed([replace(people[0], walks=None), *people[1:]], shipped)
    assert made.result["not_enrolled"] == [{"id": "made-up/0", "reason": NO_WALK}]
    assert f"0 is not enrolled: {NO_WALK}" in _page(made)


def test_page_says_that_no_figure_is_a_wearers_when_all_were_in_the_training(people, shipped):
    words = _page(_assessed(people, shipped, [True] * 5))
    assert "no figure is what a wearer gets" in words
    assert "far too many walks are rejected" in words
    assert "are what a wearer gets" not in words
    assert "loso" in words


def test_windows_that_the_gate_does_not_take_for_walking_are_left_out(people, shipped):
    inv = people[0].walks.inv.copy()
    inv[::2] = 0.1
    sitting = replace(people[0], walks=replace(people[0].walks, inv=inv))
    result = _assessed([sitting, *people[1:]], shipped).result
    assert result["participants"][0]["coverage"] == 0.5


def test_people_of_the_training_are_tested_apart_when_others_are_there(people, shipped):
    result = plain(_assessed(people, shipped, [True, True, False, False, False]).result)
    assert result["scored_people"] == "unseen"
    assert (result["gallery_size"], result["n_seen_in_training"]) == (3, 2)
    assert result["people_in_training"]["gallery_size"] == 2
    seen = {one["id"] for one in result["participants"] if one["seen_in_training"]}
    assert seen == {"made-up/0", "made-up/1"}


def test_page_says_why_when_nobody_walks(people, shipped):
    still = [replace(person, walks=None) for person in people[:2]]
    made = _assessed(still, shipped)
    assert made.result["eer_5s"] is None
    assert "Nobody could be enrolled" in _page(made)


def test_rates_are_hand_counted_when_small():
    genuine, impostor = np.array([1.0, 2.0, -1.0, 3.0]), np.array([-2.0, 0.5, -3.0, -4.0])
    pair = {"a": (genuine, impostor), "b": (genuine, impostor)}
    score = Scores(genuine, impostor, 0.75, pair)
    figures = rates({"5s": score}, LIMITS)
    assert (figures["frr_5s"], figures["far_5s"], figures["rank1_5s"]) == (0.25, 0.25, 0.75)
    assert figures["eer_5s"] == eer(genuine, impostor)
    assert figures["eer_10s"] is None
