from __future__ import annotations

import math

import pytest

from firmware_host.inference.contract import TimeControl
from firmware_host.runtime.later import later_part

CONTROL = TimeControl((0.0, 1e6), (0.5, 0.5))
LEARNED = {"kind": "stream", "what": "learned", "utc": 1000.0, "t_s": 1000.0}


def _row(utc: float, generic: float, personal: float, state: str = "rest") -> dict:
    return {
        "kind": "stress", "utc": utc, "t_s": utc, "p_generic": generic, "p_personal": personal,
        "state": state,
    }  # fmt: skip


def _events(since: float = 1100.0) -> list[dict]:
    rest = [_row(since + 60 + 10 * i, 0.7, 0.2) for i in range(10)]
    stress = [_row(since + 460 + 10 * i, 0.7, 0.9, "stress") for i in range(10)]
    return [*rest, *stress]


TRUTH = [(1100.0, 1400.0, "rest"), (1500.0, 1800.0, "stress")]


def test_only_what_came_after_learning_is_scored() -> None:
    before = [_row(500.0 + 10 * i, 0.1, 0.1) for i in range(20)]
    truth = [(0.0, 900.0, "stress"), *TRUTH]
    later = later_part([*before, LEARNED, *_events()], truth, CONTROL, window_s=60.0, threshold=0.5)
    assert later.n_windows == 20
    assert later.generic.balanced_accuracy == pytest.approx(0.5)
    assert later.personal.balanced_accuracy == pytest.approx(1.0)
    assert later.personal.auc == pytest.approx(1.0)


def test_windows_across_an_edge_do_not_count() -> None:
    events = [LEARNED, _row(1130.0, 0.1, 0.1), *_events()]
    assert later_part(events, TRUTH, CONTROL, window_s=60.0, threshold=0.5).n_windows == 20


def test_without_learning_there_is_no_later_part() -> None:
    assert later_part(_events(), TRUTH, CONTROL, window_s=60.0, threshold=0.5) is None


def test_one_class_only_gives_no_figure_instead_of_a_made_up_one() -> None:
    later = later_part([LEARNED, *_events()], TRUTH[:1], CONTROL, window_s=60.0, threshold=0.5)
    assert math.isnan(later.generic.balanced_accuracy)


def test_moving_windows_are_left_out_and_abstentions_lower_coverage() -> None:
    events = [
        LEARNED,
        *_events(),
        _row(1390.0, 0.9, 0.9, "moving"),
        _row(1395.0, 0.5, 0.5, "unsure"),
    ]
    later = later_part(events, TRUTH, CONTROL, window_s=60.0, threshold=0.5)
    assert later.n_windows == 21
    assert later.coverage == pytest.approx(20 / 21)


def test_a_recording_played_again_after_learning_does_not_count() -> None:
    first = _events()
    again = [{**row, "adapter": 1} for row in first]
    assert (
        later_part([*first, LEARNED, *again], TRUTH, CONTROL, window_s=60.0, threshold=0.5) is None
    )


def test_a_job_between_two_runs_counts_from_the_next_window_on() -> None:
    before = [_row(500.0 + 10 * i, 0.1, 0.1) for i in range(20)]
    after = [{**row, "adapter": 1} for row in _events()]
    truth = [(0.0, 900.0, "stress"), *TRUTH]
    later = later_part([*before, *after], truth, CONTROL, window_s=60.0, threshold=0.5)
    assert later.n_windows == 20
    assert later.since_utc == after[0]["utc"]
