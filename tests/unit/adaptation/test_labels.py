"""Labels survive the vault, can be taken back, and nonsense is refused in one line."""

from __future__ import annotations

import math

import pytest

from firmware_host.adaptation.episodes import Label, LabelSpan
from firmware_host.adaptation.labels import (
    LABEL_KIND,
    check_agrees,
    check_times,
    load_labels,
    put_label,
    remove_label,
    stored_labels,
)
from firmware_host.errors import LabelError
from firmware_host.events import OnBoard
from firmware_host.vault.pack import pack
from firmware_host.vault.records import Vault

NOW = 1.7e9
HOUR = 3600.0


def test_labels_come_back(vault: Vault) -> None:
    pressed = OnBoard(65_535, 0.125, 3600.000001, NOW + 0.1)
    spans = [
        LabelSpan(Label.STRESS, 5.0, 9.0),
        LabelSpan(Label.REST, 1.0, 2.0),
        LabelSpan(Label.REST, NOW, NOW + HOUR, pressed),
    ]
    for span in spans:
        put_label(vault, span, source="button", now_utc=10.0)
    assert load_labels(vault) == spans


def test_label_of_an_earlier_release_comes_back(vault: Vault) -> None:
    meta = {"label": "rest", "start_utc": 1.0, "end_utc": 2.0, "source": "button"}
    vault.put(LABEL_KIND, pack({}, meta), 3.0)
    assert load_labels(vault) == [LabelSpan(Label.REST, 1.0, 2.0)]


def test_label_taken_back_no_longer_holds(vault: Vault) -> None:
    spans = [LabelSpan(Label.REST, float(t), t + 5.0) for t in (10, 20, 30)]
    for span in spans:
        put_label(vault, span, source="cli", now_utc=40.0)
    remove_label(vault, stored_labels(vault)[1].id, now_utc=41.0)
    assert load_labels(vault) == [spans[0], spans[2]]
    assert vault.count("label") == 3


@pytest.mark.parametrize(
    ("start_utc", "end_utc", "says"),
    [
        (math.nan, NOW, "a time"),
        (NOW - 60, math.inf, "a time"),
        (-math.inf, NOW, "a time"),
        (5.0, NOW, r"2000-01-01, got 19(70-01-01|69-12-31)T"),
        (NOW - 60, NOW + 60, "future"),
        (1e300, NOW, "future"),
        (NOW, NOW - 60, "start before its end"),
        (NOW - 13 * HOUR, NOW, "at most 12 h"),
    ],
)
def test_impossible_time_is_refused(start_utc: float, end_utc: float, says: str) -> None:
    with pytest.raises(LabelError, match=says):
        check_times(start_utc, end_utc, now_utc=NOW)


def test_half_a_day_until_now_is_welcome() -> None:
    check_times(NOW - 12 * HOUR, NOW, now_utc=NOW)


def test_contradiction_is_refused_with_what_to_do() -> None:
    known = [LabelSpan(Label.REST, NOW, NOW + 60)]
    with pytest.raises(LabelError, match="--remove"):
        check_agrees(LabelSpan(Label.STRESS, NOW + 58, NOW + 120), known)


def test_neighbours_may_share_a_second_and_equal_labels_may_overlap() -> None:
    known = [LabelSpan(Label.REST, NOW, NOW + 60)]
    check_agrees(LabelSpan(Label.STRESS, NOW + 59, NOW + 120), known)
    check_agrees(LabelSpan(Label.REST, NOW + 30, NOW + 120), known)
