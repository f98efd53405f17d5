"""`make bench-stream` runs to its end on small amounts, and what it compares is the same work."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from command import ENV, REPO

from bench.stream import decoding, line
from bench.stream.by_hand import decoder, uncobs
from bench.stream.ours import assemble, decode
from bench.stream.whole_path import slope_mb_per_h
from bench.stream.wire import wire
from bench.stream.workload import n_lost


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    path = tmp_path_factory.mktemp("bench") / "result.json"
    command = [sys.executable, "-m", "bench.stream", "--quick", "--json", str(path)]
    done = subprocess.run(command, cwd=REPO, env=ENV, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(path.read_text()), done.stdout


def test_every_part_has_its_figures(result):
    found, text = result
    names = [row["who"] for row in found["decoders"]]
    assert names[0] == decoding.OURS
    assert names[-1] == "COBS + zlib + struct by hand"
    assert all(row["frames_per_s"] > 0 for row in found["decoders"])
    assert "pymavlink, recv_msg, bytes" in found["absent"]
    assert found["path"]["day"]["n_missing"] == 0
    assert found["path"]["hours"][0]["n_events"] > 0
    assert "whole host path" in text
    assert "Not here: pymavlink" in text


def test_fast_line_loses_nothing_beside_a_learning_job(result):
    fast = result[0]["line"]
    assert fast["sent_bytes"] > 400_000
    assert fast["learner_jobs"] > 0
    assert line.is_lossless(fast)


def test_any_counter_that_is_off_is_a_loss(result):
    fast = result[0]["line"]
    for change in (
        {"dropped_by_board": 1},
        {"missing_samples": 1},
        {"bad_frames": 1},
        {"came_bytes": fast["came_bytes"] - 1},
        {"came_samples": fast["came_samples"] - 1},
        {"unequal_channels": ["acc"]},
    ):
        assert not line.is_lossless(fast | change)


def test_all_decoders_find_the_same_blocks_and_losses():
    n = 3_000
    assert n_lost(n) == 3
    expected = (n - 3, 3)
    assert decode(wire(n)) == assemble(wire(n)) == decoder(uncobs)(wire(n)) == expected


def test_growth_is_told_in_mb_an_hour():
    memory = [(hour * 3600.0, 70.0 + 0.5 * max(hour, 2)) for hour in range(9)]
    assert slope_mb_per_h(memory) == pytest.approx(0.5)
    assert slope_mb_per_h(memory[:3]) is None
