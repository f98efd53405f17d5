"""The measurements run on a host without the data sets, and every row says a number or why not."""

from __future__ import annotations

import json
import math
import subprocess
import sys

import numpy as np
import pytest
from command import ENV, REPO

from bench.features import _signals, extract, scipy_filters


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    command = [sys.executable, "-m", "bench", "--quick", "--json"]
    command += ["--data", str(tmp_path_factory.mktemp("data"))]
    done = subprocess.run(command, cwd=REPO, env=ENV, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["rows"]


def test_every_row_has_a_finite_number_or_says_why_not(rows):
    for row in rows:
        if row["value"] is None:
            assert row["note"], row
        else:
            assert math.isfinite(row["value"]), row
            assert row["value"] > 0, row
        if row["ratio"] is not None:
            assert math.isfinite(row["ratio"]), row
            assert row["peer"], row


def test_each_comparison_is_there(rows):
    text = "\n".join(row["what"] for row in rows)
    for part in (
        "total",
        "streaming",
        "learning",
        "gait embed",
        "synthetic",
        "features",
        "clock",
        "--help",
    ):
        assert part in text


def test_only_real_recordings_are_missing_without_data(rows):
    missing = [row["what"] for row in rows if row["value"] is None and "scipy" not in row["what"]]
    assert missing == ["replay one hour: Empatica E4"]


def test_peers_do_the_same_work():
    pytest.importorskip("scipy")
    signals = _signals(3)
    with scipy_filters():
        theirs = extract(signals)
    assert len(theirs) == 13
    np.testing.assert_allclose(extract(signals), theirs, rtol=1e-4, atol=1e-4)
