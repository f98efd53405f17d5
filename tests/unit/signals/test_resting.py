"""Rest found without a label."""

from __future__ import annotations

import numpy as np

from firmware_host.signals.resting import quiet_windows

ENDS = 60.0 + 10.0 * np.arange(90)
GOOD = np.full(90, 0.9)


def test_low_heart_rate_is_rest_however_still_the_work(rng):
    heart_rate = np.where(np.arange(90) < 20, 90.0, 65.0) + rng.uniform(size=90)
    motion = np.where(np.arange(90) < 20, 0.01, 0.1)
    chosen = quiet_windows(ENDS, GOOD, heart_rate, motion)
    assert chosen.min() >= 20
    assert ENDS[chosen].max() <= 600.0
    assert (np.diff(chosen) > 0).all()


def test_stillness_decides_when_hardly_a_pulse_was_read(rng):
    bad = np.full(90, 0.2)
    bad[:5] = 0.9
    motion = np.where(np.arange(90) % 3, 0.01, 0.5)
    assert (quiet_windows(ENDS, bad, rng.uniform(60, 90, 90), motion) % 3 > 0).all()


def test_six_windows_are_taken_when_there_are_few():
    few = slice(0, 7)
    chosen = quiet_windows(ENDS[few], GOOD[few], np.arange(7.0), np.zeros(7))
    assert chosen.tolist() == [0, 1, 2, 3, 4, 5]
