from __future__ import annotations

import pytest

from firmware_host.protocol.messages import Button
from firmware_host.runtime.labels import PendingLabels
from firmware_host.stream.buttons import MAX_OPEN_S, ButtonLabels


def _press(buttons: ButtonLabels, value: int, utc: float):
    return buttons.press(value, utc - 1000.0, utc)


def test_start_and_end_make_one_label() -> None:
    buttons = ButtonLabels()
    assert _press(buttons, Button.STRESS_STARTS, 1000.0) is None
    label = _press(buttons, Button.STRESS_ENDS, 1300.0)
    assert (label.label, label.start_utc, label.end_utc) == ("stress", 1000.0, 1300.0)
    assert label.source == "button"


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
