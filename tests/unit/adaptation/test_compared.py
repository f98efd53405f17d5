from __future__ import annotations

import numpy as np
import pytest

from firmware_host.adaptation.compared import MAX_ROWS, divide
from firmware_host.adaptation.episodes import Episode, Label
from firmware_host.adaptation.evidence import Comparisons
from firmware_host.adaptation.preferences import Comparison

WINDOW_S = 60.0
HOUR_S = 3600.0


def _read(start_utc: float, end_utc: float) -> np.ndarray:
    """Windows every ten seconds, that show their own end in their only input."""
    ends = np.arange(np.ceil(start_utc / 10) * 10, end_utc + 1e-6, 10.0)
    return ends[:, None].astype(np.float32)


def _nothing(_start: float, _end: float) -> np.ndarray:
    return np.zeros((0, 1), np.float32)


def _said(n: int) -> list[Comparison]:
    """One comparison every two hours, between moments an hour apart."""
    return [Comparison(2 * HOUR_S * i + HOUR_S, 2 * HOUR_S * i) for i in range(1, n + 1)]


def _divide(said: list[Comparison], turns: tuple[tuple[Episode, ...], ...] = ((),)) -> Comparisons:
    found = divide(said, _read, window_s=WINDOW_S, turns=turns)
    assert found is not None
    return found


def _episode(start_utc: float) -> Episode:
    ends = np.arange(start_utc + 60, start_utc + 300, 10.0)
    return Episode(Label.STRESS, start_utc, start_utc + 300, np.arange(len(ends)), ends)


def test_later_half_is_held_back_and_all_is_everything() -> None:
    found = _divide(_said(8))
    first_held_back = found.held_back.less.min()
    assert found.turns[0].more.max() < first_held_back
    assert len(found.turns[0].weight) == len(found.held_back.weight) == 4 * MAX_ROWS
    assert len(found.everything.weight) == 8 * MAX_ROWS
    assert found.everything.weight.sum() == pytest.approx(8)


def test_windows_contain_their_moment() -> None:
    said = _said(8)
    found = _divide(said)
    for i, one in enumerate(said):
        rows = slice(MAX_ROWS * i, MAX_ROWS * (i + 1))
        for ends, utc in (
            (found.everything.more, one.more_utc),
            (found.everything.less, one.less_utc),
        ):
            assert (ends[rows, 0] - WINDOW_S <= utc).all()
            assert (ends[rows, 0] >= utc).all()


def test_moment_spoken_of_twice_is_not_held_back() -> None:
    said = _said(8)
    # The sixth speaks of a moment of the first again.
    said[5] = Comparison(said[0].more_utc + 30, said[5].less_utc)
    assert len(_divide(said).held_back.weight) == 3 * MAX_ROWS


def test_turn_learns_nothing_of_what_it_holds_back() -> None:
    said = _said(8)
    held_back = (_episode(said[1].more_utc - 100),)
    found = _divide(said, (held_back, ()))
    assert [len(turn.weight) for turn in found.turns] == [3 * MAX_ROWS, 4 * MAX_ROWS]


@pytest.mark.parametrize("n", [0, 1, 5])
def test_too_few_comparisons_are_none(n: int) -> None:
    assert divide(_said(n), _read, window_s=WINDOW_S, turns=((),)) is None


def test_comparisons_without_windows_do_not_count() -> None:
    assert divide(_said(20), _nothing, window_s=WINDOW_S, turns=((),)) is None


def test_too_little_left_to_hold_back_is_none() -> None:
    said = _said(6)
    said[4] = Comparison(said[0].more_utc, said[4].less_utc)
    assert divide(said, _read, window_s=WINDOW_S, turns=((),)) is None
