from __future__ import annotations

import pytest

from firmware_host.adaptation.preferences import (
    Comparison,
    CueAnswer,
    comparisons,
    given,
    put_comparison,
    put_cue_answer,
    remove_given,
)
from firmware_host.adaptation.samples import WINDOW_KIND
from firmware_host.errors import LabelError
from firmware_host.vault.records import Vault

T0_UTC = 1_767_600_000.0
NOW_UTC = T0_UTC + 86_400.0


def _cue(vault: Vault, answer: CueAnswer, after_s: float) -> int:
    return put_cue_answer(vault, answer, cue_utc=T0_UTC + after_s, now_utc=T0_UTC + after_s + 6)


@pytest.fixture
def vault(vault: Vault) -> Vault:
    """A vault with windows of an hour, one a minute."""
    vault.put_many(WINDOW_KIND, [(b"", T0_UTC + 60.0 * minute) for minute in range(61)])
    return vault


def test_comparison_is_kept_and_taken_back(vault: Vault) -> None:
    said = Comparison(T0_UTC + 600, T0_UTC)
    put_comparison(vault, said, now_utc=NOW_UTC)
    assert list(comparisons(given(vault))) == [said]
    remove_given(vault, given(vault)[0].id, now_utc=NOW_UTC)
    assert given(vault) == []
    put_comparison(vault, Comparison(T0_UTC, T0_UTC + 600), now_utc=NOW_UTC)


@pytest.mark.parametrize(
    ("more_utc", "less_utc", "says"),
    [
        (T0_UTC, T0_UTC + 59, "60 s apart"),
        (5.0, T0_UTC, r"--more, got 19(70-01-01|69-12-31)T"),
        (T0_UTC, NOW_UTC + 60, "--less"),
        (float("nan"), T0_UTC, "--more"),
        (T0_UTC, T0_UTC + 7200, "--less"),
        (T0_UTC - 61, T0_UTC + 600, "--more"),
    ],
)
def test_impossible_comparison_is_refused(
    vault: Vault, more_utc: float, less_utc: float, says: str
) -> None:
    with pytest.raises(LabelError, match=says):
        put_comparison(vault, Comparison(more_utc, less_utc), now_utc=NOW_UTC)
    assert given(vault) == []


def test_opposite_of_what_was_said_is_refused(vault: Vault) -> None:
    put_comparison(vault, Comparison(T0_UTC + 600, T0_UTC), now_utc=NOW_UTC)
    with pytest.raises(LabelError, match=r"of comparison 1: .*--remove"):
        put_comparison(vault, Comparison(T0_UTC + 20, T0_UTC + 630), now_utc=NOW_UTC)


def test_opposite_by_way_of_other_moments_names_them(vault: Vault) -> None:
    _cue(vault, CueAnswer.ACCEPTED, 0)
    for more_s, less_s in ((0, 600), (600, 1200), (1800, 1210), (1230, 2400)):
        put_comparison(vault, Comparison(T0_UTC + more_s, T0_UTC + less_s), now_utc=NOW_UTC)
    with pytest.raises(LabelError, match="of comparisons 2 and 3 and 5: take one of them back"):
        put_comparison(vault, Comparison(T0_UTC + 2430, T0_UTC + 20), now_utc=NOW_UTC)
    # Nothing leads from the third to the first, nor the other way.
    assert put_comparison(vault, Comparison(T0_UTC + 1800, T0_UTC), now_utc=NOW_UTC)


def test_comparison_said_twice_is_stored_once(vault: Vault) -> None:
    assert put_comparison(vault, Comparison(T0_UTC + 600, T0_UTC), now_utc=NOW_UTC)
    assert not put_comparison(vault, Comparison(T0_UTC + 600.4, T0_UTC), now_utc=NOW_UTC)
    assert len(given(vault)) == 1


def test_dismissed_cue_had_less_stress_than_an_accepted_one(vault: Vault) -> None:
    _cue(vault, CueAnswer.DISMISSED, 0)
    assert list(comparisons(given(vault))) == []
    _cue(vault, CueAnswer.ACCEPTED, 3600)
    _cue(vault, CueAnswer.DISMISSED, 7200)
    assert list(comparisons(given(vault))) == [
        Comparison(T0_UTC + 3600, T0_UTC),
        Comparison(T0_UTC + 3600, T0_UTC + 7200),
    ]


def test_only_the_nearest_accepted_cues_are_compared_with(vault: Vault) -> None:
    for hour in range(10):
        _cue(vault, CueAnswer.ACCEPTED, 3600.0 * hour)
    _cue(vault, CueAnswer.DISMISSED, 3600.0 * 9.5)
    found = [c.more_utc - T0_UTC for c in comparisons(given(vault))]
    assert found == [3600.0 * hour for hour in (6, 7, 8, 9)]


def test_second_answer_replaces_the_first_and_a_repeat_adds_nothing(vault: Vault) -> None:
    first = _cue(vault, CueAnswer.ACCEPTED, 0)
    assert _cue(vault, CueAnswer.ACCEPTED, 0.2) == first
    _cue(vault, CueAnswer.DISMISSED, 0)
    assert [one.answer for one in given(vault)] == [CueAnswer.DISMISSED]
