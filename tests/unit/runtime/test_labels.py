from __future__ import annotations

from dataclasses import replace

import pytest

from firmware_host.events import Labelled, OnBoard, to_dict
from firmware_host.protocol.messages import Button
from firmware_host.runtime.labels import LabelsOnce, PendingLabels
from firmware_host.stream.buttons import MAX_OPEN_S, ButtonLabels


def _press(buttons: ButtonLabels, value: int, utc: float):
    return buttons.press(value, utc - 1000.0, utc, session=7)


def test_start_and_end_make_one_label() -> None:
    buttons = ButtonLabels()
    assert _press(buttons, Button.STRESS_STARTS, 1000.0) is None
    label = _press(buttons, Button.STRESS_ENDS, 1300.0)
    assert (label.label, label.start_utc, label.end_utc) == ("stress", 1000.0, 1300.0)
    assert label.source == "button"
    assert label.on_board == OnBoard(7, 0.0, 300.0, 1000.0)


@pytest.mark.parametrize(
    ("end_utc", "told_utc"),
    [
        # Set so little that both ends make a stretch of host time, if not one of two minutes.
        (1020.0, 1000.0),
        (4000.0, 1000.0),
        # Back beyond the start; forwards by more than a label may last.
        (900.0, 780.0),
        (1010.0 + MAX_OPEN_S, 890.0 + MAX_OPEN_S),
    ],
)
def test_label_is_as_long_as_the_board_says_whatever_the_hosts_clock_was_set_to(
    end_utc: float, told_utc: float
) -> None:
    buttons = ButtonLabels()
    buttons.press(Button.STRESS_STARTS, 10.0, 1000.0, session=7)
    label = buttons.press(Button.STRESS_ENDS, 130.0, end_utc, session=7)
    assert (label.start_utc, label.end_utc) == (told_utc, end_utc)
    assert label.on_board == OnBoard(7, 10.0, 130.0, 1000.0)
    assert label.on_board.lasts_s == 120.0
    said = to_dict(label)
    assert said["on_board"] == {"session": 7, "start_s": 10.0, "end_s": 130.0, "start_utc": 1000.0}
    assert said.keys() - to_dict(replace(label, on_board=None)).keys() == {"on_board"}


def test_start_of_another_stretch_ends_the_open_one() -> None:
    buttons = ButtonLabels()
    _press(buttons, Button.REST_STARTS, 1000.0)
    label = _press(buttons, Button.STRESS_STARTS, 1200.0)
    assert (label.label, label.end_utc) == ("rest", 1200.0)
    assert _press(buttons, Button.STRESS_ENDS, 1500.0).start_utc == 1200.0


def test_end_of_the_other_kind_changes_nothing() -> None:
    buttons = ButtonLabels()
    _press(buttons, Button.STRESS_STARTS, 1000.0)
    assert _press(buttons, Button.REST_ENDS, 1100.0) is None
    assert _press(buttons, Button.STRESS_ENDS, 1200.0).start_utc == 1000.0


def test_plain_press_marks_a_moment_and_labels_nothing() -> None:
    buttons = ButtonLabels()
    _press(buttons, Button.STRESS_STARTS, 1000.0)
    assert _press(buttons, Button.PRESS, 1050.0) is None
    assert _press(buttons, Button.STRESS_ENDS, 1100.0).start_utc == 1000.0


def test_stretch_left_open_too_long_is_forgotten() -> None:
    buttons = ButtonLabels()
    _press(buttons, Button.STRESS_STARTS, 1000.0)
    assert _press(buttons, Button.STRESS_ENDS, 1001.0 + MAX_OPEN_S) is None


def test_reboot_forgets_the_open_stretch() -> None:
    buttons = ButtonLabels()
    _press(buttons, Button.STRESS_STARTS, 1000.0)
    buttons.forget()
    assert _press(buttons, Button.STRESS_ENDS, 1100.0) is None


@pytest.mark.parametrize("value", [-1, 5, 99])
def test_unknown_button_is_ignored(value: int) -> None:
    assert _press(ButtonLabels(), value, 1000.0) is None


def test_label_of_a_file_is_known_only_once_its_end_has_passed() -> None:
    pending = PendingLabels([(0.0, 60.0, "rest"), (60.0, 200.0, "stress"), (200.0, 900.0, "rest")])
    assert pending.due(50.0, 59.9) == []
    assert [x.label for x in pending.due(60.0, 60.0)] == ["rest"]
    assert [x.label for x in pending.due(300.0, 300.0)] == ["stress"]
    assert [x.end_utc for x in pending.rest(800.0, 800.0)] == [900.0]
    assert pending.rest(800.0, 800.0) == []


def test_of_what_was_never_played_no_label_is_told() -> None:
    pending = PendingLabels([(0.0, 60.0, "rest"), (90.0, 200.0, "stress"), (300.0, 400.0, "rest")])
    assert [x.label for x in pending.rest(100.0, 100.0)] == ["rest", "stress"]
    assert pending.rest(500.0, 500.0) == []


def _pressed(start_s: float, start_utc: float) -> Labelled:
    """A label of a minute."""
    end_s, end_utc = start_s + 60.0, start_utc + 60.0
    on_board = OnBoard(7, start_s, end_s, start_utc)
    return Labelled(end_s, end_utc, "rest", start_utc, end_utc, "button", on_board)


def test_label_of_a_recording_waits_for_its_presses_and_comes_at_the_end_without() -> None:
    pending = PendingLabels([], [(100.0, 160.0, "rest"), (300.0, 360.0, "rest")])
    # The clock is set back later on: this host time is of another moment.
    assert pending.due(900.0, 900.0) == []
    pending.pressed(_pressed(950.0, 100.3))
    (told,) = pending.rest(1000.0, 1000.0)
    assert (told.start_utc, told.on_board) == (300.0, None)


def test_each_label_comes_once() -> None:
    once, pressed = LabelsOnce(), _pressed(10.0, 1000.0)
    in_file = Labelled(70.0, 1060.0, "rest", 1000.4, 1060.4, "file")
    assert list(once.new([pressed, in_file])) == [pressed]
    # The same by the host's clock, which was set back by an hour meanwhile.
    again = _pressed(3610.0, 1000.0)
    assert list(once.new([again, in_file])) == [again]
    # Said on purpose.
    said = Labelled(80.0, 1070.0, "rest", 1000.0, 1060.0, "cli")
    assert list(once.new([said, said])) == [said, said]
