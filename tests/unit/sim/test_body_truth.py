"""The file of what really happened in a body, and that what its sensors show agrees with it."""

from __future__ import annotations

import csv
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from firmware_host.errors import StorageError
from sim.body import SyntheticBody
from sim.body_truth import BodyTruth
from sim.person import Wearer
from sim.schedule import build_schedule
from sim.traits import draw_traits
from sim.truth import BodyClock

START_UTC = datetime(2026, 5, 4, 8, tzinfo=UTC).timestamp()
ROWS = (("rest", 4), ("walk", 2), ("off", 1), ("run", 2))


def _lived(path: Path, *, seed: int, speed: float = 1.0) -> dict[str, list[tuple[float, str]]]:
    """Rows of the file by kind, after everything was read from the body."""
    bouts = [{"label": label, "minutes": minutes} for label, minutes in ROWS]
    schedule = build_schedule({"start_utc": datetime.fromtimestamp(START_UTC, UTC), "bout": bouts},
                              name="test")  # fmt: skip
    body = SyntheticBody(Wearer(schedule, seed=seed))
    body.watch(BodyTruth(path, BodyClock(START_UTC, speed=speed)).take)
    body.read("bvp", 64 * schedule.duration_s)
    by_kind = defaultdict(list)
    with path.open(encoding="ascii") as file:
        header, *rows = csv.reader(file)
    assert header == ["utc", "kind", "value"]
    for utc, kind, value in rows:
        by_kind[kind].append((float(utc), value))
    return by_kind


def test_truth_has_every_kind_where_it_belongs(tmp_path: Path) -> None:
    rows = _lived(tmp_path / "t.body.csv", seed=7)
    after_s = {kind: np.array([utc - START_UTC for utc, _ in of]) for kind, of in rows.items()}
    beats = after_s["beat"]
    assert np.all(np.diff(beats) > 0)
    assert not np.any((beats > 360) & (beats <= 420))
    for foot in ("left", "right"):
        walking = (after_s[foot] > 240) & (after_s[foot] <= 360)
        assert np.all(walking | (after_s[foot] > 420))
        assert 80 < walking.sum() < 160
    assert len(rows["breaths_per_min"]) == 8
    (asymmetry,) = {float(value) for _, value in rows["step_asymmetry"]}
    assert asymmetry == pytest.approx(draw_traits(7).step_asymmetry, rel=1e-4)
    assert after_s["tired"].min() >= 420
    assert all(float(value) > 0 for _, value in rows["scr"])


def test_intervals_in_the_truth_are_those_between_its_beats(tmp_path: Path) -> None:
    rows = _lived(tmp_path / "t.body.csv", seed=3)
    both = sorted(rows["beat"] + rows["early_beat"])
    utc = np.array([row[0] for row in both])
    told = np.array([float(value or "nan") for _, value in both])
    known = np.isfinite(told)
    # One beat has none before it, one follows the time without the band.
    assert (~known).sum() == 2
    np.testing.assert_allclose(np.diff(utc)[known[1:]], told[1:][known[1:]], atol=2e-4)


def test_truth_follows_the_line_that_hurries(tmp_path: Path) -> None:
    plain, hurried = (_lived(tmp_path / f"{s}.csv", seed=3, speed=s)["beat"] for s in (1.0, 60.0))
    after_s = [np.array([utc - START_UTC for utc, _ in rows]) for rows in (plain, hurried)]
    np.testing.assert_allclose(after_s[1], after_s[0] / 60.0, atol=2e-4)


def test_watching_changes_nothing(tmp_path: Path) -> None:
    schedule = build_schedule(
        {"start_utc": datetime.fromtimestamp(START_UTC, UTC),
         "bout": [{"label": "walk", "minutes": 1}]}, name="test",
    )  # fmt: skip
    plain, watched = (SyntheticBody(Wearer(schedule, seed=2)) for _ in range(2))
    watched.watch(BodyTruth(tmp_path / "t.csv", BodyClock(0.0)).take)
    np.testing.assert_array_equal(plain.read("acc", 3000), watched.read("acc", 3000))


def test_a_place_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="cannot write the body's truth"):
        BodyTruth(tmp_path / "none" / "t.csv", BodyClock(0.0))
