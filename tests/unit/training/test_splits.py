"""Nothing leaks: no shared person, no overlapping seconds, no recording under two names."""

from __future__ import annotations

import pytest

from training.splits import LeakError, WindowKey, check_apart, check_no_overlap, leave_one_out


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
