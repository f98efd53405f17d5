"""What the values refuse."""

from __future__ import annotations

import math

import pytest

from firmware_host.report import Confusion, ProbabilityTrack, ReportData, Signal


@pytest.mark.parametrize(
    ("start_utc", "end_utc"),
    [(10.0, 5.0), (-1.0, 5.0), (math.nan, 5.0), (0.0, math.inf), (0.0, 1e15)],
)
def test_time_range_outside_the_calendar_is_refused(start_utc: float, end_utc: float) -> None:
    with pytest.raises(ValueError, match="start_utc <= end_utc"):
        ReportData("t", "w", "s", start_utc, end_utc)


@pytest.mark.parametrize("offset_s", [90_000.0, math.nan])
def test_offset_of_more_than_a_day_is_refused(offset_s: float) -> None:
    with pytest.raises(ValueError, match="tz_offset_s"):
        ReportData("t", "w", "s", 0.0, 1.0, tz_offset_s=offset_s)


def test_reason_for_an_unknown_section_is_refused() -> None:
    with pytest.raises(ValueError, match="gate"):
        ReportData("t", "w", "s", 0.0, 1.0, empty_reasons={"gate": "x"})


def test_columns_of_different_length_are_refused() -> None:
    with pytest.raises(ValueError, match="one length"):
        Signal("x", "", [1.0, 2.0], [1.0])
    with pytest.raises(ValueError, match="one length"):
        ProbabilityTrack([1.0], [0.5], [0.5, 0.6])


def test_confusion_must_be_square_over_its_names() -> None:
    with pytest.raises(ValueError, match="shape"):
        Confusion(["a", "b"], [[1, 2, 3], [4, 5, 6]])
