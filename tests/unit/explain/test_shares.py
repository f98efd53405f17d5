from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from firmware_host.explain.shares import coalitions, shapley

ANSWERS = arrays(np.float64, (16,), elements=st.floats(-1e3, 1e3))


def test_every_set_of_groups_is_there_once() -> None:
    sets = coalitions(4)
    assert len({tuple(row) for row in sets.tolist()}) == 16
    assert not sets[0].any()
    assert sets[-1].all()


def test_linear_model_gives_each_group_its_own_term() -> None:
    own = np.array([2.0, -1.0, 0.0, 0.5])
    assert shapley(3.0 + coalitions(4) @ own) == pytest.approx(own)


def test_what_two_groups_do_only_together_is_halved() -> None:
    sets = coalitions(3)
    values = 6.0 * (sets[:, 0] & sets[:, 2])
    assert shapley(values) == pytest.approx([3.0, 0.0, 3.0])


@given(ANSWERS)
def test_shares_add_up_to_the_whole_way(values: np.ndarray) -> None:
    assert shapley(values).sum() == pytest.approx(values[-1] - values[0], abs=1e-6)


@given(ANSWERS, ANSWERS)
def test_shares_of_a_sum_are_sums_of_shares(one: np.ndarray, two: np.ndarray) -> None:
    assert shapley(one + two) == pytest.approx(shapley(one) + shapley(two), abs=1e-6)


def test_answers_that_are_no_power_of_two_are_refused() -> None:
    with pytest.raises(ValueError, match="power of two"):
        shapley(np.zeros(6))
