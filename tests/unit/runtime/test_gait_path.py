"""Cadence in the events of a walk: given when walking and running, silent on stairs and in gaps."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping

import numpy as np
import pytest

from firmware_host.events import Activity, ActivityScored, to_json
from firmware_host.inference.base import Signature
from firmware_host.inference.contract import ChannelNeed, GaitContract
from firmware_host.protocol.messages import Channel
from firmware_host.runtime.gait_path import GaitPath
from firmware_host.stream.samples import Samples
from tests.unit.signals.gait_streams import walk

RATE_HZ = 50.0
LABELS = tuple(activity.value for activity in Activity)
NEEDS = (
    ChannelNeed("acc", "m/s2", 19.0, 111.0, 3, False),
    ChannelNeed("gyro", "rad/s", 19.0, 111.0, 3, True),
)
CHANNELS = tuple(
    Channel(i, need.name, need.unit, RATE_HZ, 1.0, 0.0, "i2", 3) for i, need in enumerate(NEEDS)
)
CONTRACT = GaitContract(
    name="gait", file="gait.tflite", channels=NEEDS, features=(), labels=LABELS,
    window_s=5.0, hop_s=2.5, smoothing_s=0.0, thresholds={}, signatures={},
    placements=("wrist",), cohort="cohort.npz",
)  # fmt: skip


class Saying:
    """A gait model that says what it is told to, window by window, then the last for ever."""

    signatures: Mapping[str, Signature] = {}

    def __init__(self, *said: str) -> None:
        self._said = list(said)

    def run(self, signature: str, **_: np.ndarray) -> dict[str, np.ndarray]:
        assert signature == "infer"
        label = self._said.pop(0) if len(self._said) > 1 else self._said[0]
        probs = np.full((1, len(LABELS)), 0.0025, np.float32)
        probs[0, LABELS.index(label)] = 0.99
        return {"activity_probs": probs}


def _live(
    motion: tuple[np.ndarray, np.ndarray], model: Saying, cut: Callable[[], int]
) -> list[ActivityScored]:
    path = GaitPath(CONTRACT, CHANNELS, model=model, walking=None, watched=lambda *_: None)
    events, start, n = [], 0, len(motion[0])
    while start < n:
        stop = min(n, start + cut())
        for channel, values in zip(CHANNELS, motion, strict=True):
            samples = Samples(channel, start / RATE_HZ, values[start:stop], 0)
            events += path.take(samples, lambda t_s: 1e9 + t_s)
        start = stop
    return events


@pytest.fixture
def motion(rng) -> tuple[np.ndarray, np.ndarray]:
    return walk(rng, sample_rate_hz=RATE_HZ, duration_s=40.0, cadence_spm=117.0)


def test_walking_windows_carry_the_cadence(motion):
    events = _live(motion, Saying("walk"), lambda: 50)
    assert len(events) == 15
    assert [e.cadence_spm for e in events] == pytest.approx([117.0] * 15, abs=1.0)


@pytest.mark.parametrize("activity", ["stairs", "still", "other"])
def test_what_is_not_walking_or_running_carries_none(motion, activity):
    assert {e.cadence_spm for e in _live(motion, Saying(activity), lambda: 50)} == {None}


def test_cadence_when_a_walk_was_interrupted_starts_afresh(motion):
    said = ["walk"] * 5 + ["other"] * 6
    interrupted = _live(motion, Saying(*said, "walk"), lambda: 50)
    known = [e.cadence_spm for e in interrupted if e.cadence_spm is not None]
    assert 5 <= len(known) < len(interrupted)
    assert known == pytest.approx([117.0] * len(known), abs=1.0)


def test_events_when_the_stream_is_cut_anywhere_are_the_same_bytes(motion, rng):
    whole = [to_json(e) for e in _live(motion, Saying("walk"), lambda: 50)]
    for _ in range(3):
        cut = _live(motion, Saying("walk"), lambda: int(rng.integers(1, 90)))
        assert [to_json(e) for e in cut] == whole


def test_a_walk_leaves_no_line_in_the_log(motion, caplog):
    with caplog.at_level(logging.DEBUG):
        assert _live(motion, Saying("walk"), lambda: 50)
    assert caplog.text == ""
