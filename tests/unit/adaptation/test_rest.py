"""Rest of many days: which one a window is seen from, the line they share, and going back."""

from __future__ import annotations

import numpy as np
import pytest

from firmware_host.adaptation import ledger
from firmware_host.adaptation.rest import revert_rest
from firmware_host.adaptation.samples import (
    inputs_by_day,
    load_baseline,
    load_rests,
    model_inputs,
    put_baseline,
    rest_in_force,
    table_of,
)
from firmware_host.errors import AdaptationError
from firmware_host.runtime.baseline import Source
from firmware_host.runtime.memory import Memory, put_guided_baseline
from firmware_host.signals.normalise import Baseline
from firmware_host.signals.stress import CHANNELS, StressWindow
from firmware_host.vault.records import Vault

from .conftest import N_FEATURES

DAY_S = 86_400.0
T0 = 1e9


def _baseline(value: float) -> Baseline:
    return Baseline(np.full(N_FEATURES, value), np.ones(N_FEATURES), 20)


def _window(t_s: float) -> StressWindow:
    features = np.full(N_FEATURES, 5.0, np.float32)
    return StressWindow(t_s, features, dict.fromkeys(CHANNELS, 1.0), 0.0, True, 0.0)


def _three_days(vault: Vault) -> Memory:
    memory = Memory(vault, keep_days=30)
    memory.take_baseline(_baseline(1.0), Source.QUIET, T0 + 600)
    memory.take_baseline(_baseline(2.0), Source.QUIET, T0 + DAY_S + 600)
    memory.take_baseline(_baseline(3.0), Source.QUIET, T0 + 2 * DAY_S + 600)
    return memory


def test_each_window_is_seen_from_the_rest_of_its_own_day(vault: Vault) -> None:
    _three_days(vault)
    spread = np.ones(N_FEATURES)
    # The first minutes of a day already belong to it, and the evening still does.
    ends = [T0 + 120, T0 + 0.6 * DAY_S, T0 + DAY_S + 120, T0 + 2.4 * DAY_S, T0 - 50.0]
    table = table_of([(t, _window(t)) for t in ends])
    x = inputs_by_day(table, load_rests(vault), spread)
    of = {value: model_inputs(table, _baseline(value), spread)[0] for value in (1.0, 2.0, 3.0)}
    # The table is in order of time: the one before everything comes first.
    for row, value in zip(x, (1.0, 1.0, 1.0, 2.0, 3.0), strict=True):
        np.testing.assert_array_equal(row, of[value])


def test_rest_of_another_day_goes_on_with_the_line_until_one_is_enrolled(
    vault: Vault,
) -> None:
    memory = _three_days(vault)
    first = load_rests(vault)[0]
    assert load_baseline(vault)[0] == first.id
    memory.take_baseline(_baseline(4.0), Source.GUIDED, T0 + 2 * DAY_S + 3600)
    rest = rest_in_force(vault)
    assert rest.line_id == first.id
    # Guided rest counts for the whole morning that it was taken in.
    assert rest.since_utc == T0 + 2 * DAY_S
    assert [e.facts["source"] for e in ledger.entries(vault)] == ["quiet"] * 3 + ["guided"]
    assert ledger.is_unbroken(vault)
    put_guided_baseline(vault, _baseline(5.0), utc=T0 + 2 * DAY_S + 7200)
    enrolled = rest_in_force(vault)
    assert enrolled.line_id == enrolled.id


def test_going_back_puts_the_rest_before_in_force_and_says_so(vault: Vault) -> None:
    _three_days(vault)
    assert revert_rest(vault, now_utc=T0 + 3 * DAY_S).baseline.center[0] == 2.0
    assert load_baseline(vault)[1].center[0] == 2.0
    # Windows of the day it was taken back from are seen from it too.
    table = table_of([(T0 + 2.5 * DAY_S, _window(1.0))])
    spread = np.ones(N_FEATURES)
    expected = model_inputs(table, _baseline(2.0), spread)
    np.testing.assert_array_equal(inputs_by_day(table, load_rests(vault), spread), expected)
    assert ledger.latest(vault, what="revert_baseline") is not None
    revert_rest(vault, now_utc=T0 + 3 * DAY_S + 60)
    assert load_baseline(vault)[1].center[0] == 3.0


def test_there_is_nothing_before_the_first_rest(vault: Vault) -> None:
    with pytest.raises(AdaptationError, match="found none"):
        revert_rest(vault, now_utc=T0)
    put_baseline(vault, _baseline(1.0), now_utc=T0)
    with pytest.raises(AdaptationError, match="found none"):
        revert_rest(vault, now_utc=T0)
