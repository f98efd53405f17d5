"""Nothing leaks: no shared person, no overlapping seconds, no recording under two names."""

from __future__ import annotations

import pytest

from training.splits import (
    LeakError,
    WindowKey,
    check_apart,
    check_earlier,
    check_no_overlap,
    leave_groups_out,
    leave_one_out,
)


def key(person="A/1", content="aaa", start_s=0.0):
    return WindowKey(person, content, start_s, start_s + 60.0)


def test_each_person_is_left_out_once_when_split():
    splits = list(leave_one_out(["a", "b", "c"]))
    assert splits == [(["b", "c"], "a"), (["a", "c"], "b"), (["a", "b"], "c")]


def test_split_is_refused_when_a_person_is_listed_twice_or_alone():
    with pytest.raises(LeakError, match="b twice"):
        list(leave_one_out(["a", "b", "b"]))
    with pytest.raises(LeakError, match="at least two"):
        list(leave_one_out(["a"]))


def test_split_is_refused_when_a_person_is_on_both_sides():
    with pytest.raises(LeakError, match="A/1"):
        check_apart([key("A/1"), key("A/2", "bbb")], [key("A/1", "ccc", 999.0)])


def test_split_is_refused_when_one_recording_has_two_names():
    with pytest.raises(LeakError, match="both sides"):
        check_apart([key("A/1")], [key("B/7", "aaa", 30.0)])


@pytest.mark.parametrize(("start_s", "leaks"), [(0, True), (59.9, True), (60.0, False)])
def test_overlap_is_refused_when_windows_share_seconds(start_s, leaks):
    if leaks:
        with pytest.raises(LeakError, match="shared seconds"):
            check_no_overlap([key()], [key(start_s=start_s)])
    else:
        check_no_overlap([key()], [key(start_s=start_s)])


def test_split_passes_when_people_and_recordings_differ():
    check_apart([key("A/1"), key("A/2", "bbb")], [key("A/3", "ccc"), key("A/3", "ccc", 10.0)])


def test_calibration_is_refused_when_a_window_of_it_comes_after_a_test_window():
    test = [key(start_s=600.0), key(start_s=900.0)]
    check_earlier([key(start_s=0.0), key(start_s=540.0)], test)
    with pytest.raises(LeakError, match=r"before the test starts at 600 s, got a window up to 610"):
        check_earlier([key(start_s=550.0)], test)
    with pytest.raises(LeakError, match="up to 1060 s"):
        check_earlier([key(start_s=1000.0)], test)


def test_calibration_is_refused_when_it_is_of_somebody_or_of_a_recording_not_in_order():
    with pytest.raises(LeakError, match="one person, got A/1, A/2"):
        check_earlier([key("A/1")], [key("A/2", start_s=600.0)])
    with pytest.raises(LeakError, match="bbb in calibration only"):
        check_earlier([key(content="bbb")], [key(start_s=600.0)])


def test_groups_stay_whole_and_each_tests_once_when_left_out():
    groups = {f"p{i}": f"home{i // 2}" for i in range(10)}
    folds = list(leave_groups_out(groups, n_folds=3, seed=1))
    assert sorted(name for _, test in folds for name in test) == sorted(groups)
    for train, test in folds:
        assert not {groups[n] for n in train} & {groups[n] for n in test}
        assert sorted(train + test) == sorted(groups)
    assert folds == list(leave_groups_out(groups, n_folds=3, seed=1))


@pytest.mark.parametrize("n_folds", [1, 6])
def test_groups_are_refused_when_there_are_fewer_than_folds(n_folds):
    groups = {f"p{i}": f"home{i // 2}" for i in range(10)}
    with pytest.raises(LeakError, match=f"2 to 5 folds, got {n_folds}"):
        list(leave_groups_out(groups, n_folds=n_folds, seed=1))
