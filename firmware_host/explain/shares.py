"""Shares of a model's answer by group of inputs: exact Shapley values over a few groups."""

from __future__ import annotations

from math import factorial

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]


def coalitions(n_groups: int) -> BoolArray:
    """(2^n, n) every set of groups, as masks: row i holds group g where bit g of i is set."""
    rows = np.arange(2**n_groups)[:, None]
    present: BoolArray = (rows >> np.arange(n_groups)[None, :]) & 1 == 1
    return present


def shapley(values: FloatArray) -> FloatArray:
    """Fair shares of the difference between all groups and none.

    Parameters
    ----------
    values
        (2^n, ...) the model's answer for every set of groups, in the order of `coalitions`.

    Returns
    -------
    (n, ...) shares that add up to ``values[-1] - values[0]``. A linear model's share of a group is
    what that group adds by itself; a group that never changes the answer has 0; groups that do the
    same have the same.

    References
    ----------
    Shapley 1953, A value for n-person games; Lundberg and Lee 2017, A unified approach to
    interpreting model predictions, equation 8 (absent inputs stand at a reference, here the
    wearer's rest).
    """
    n_sets = len(values)
    n = n_sets.bit_length() - 1
    if n_sets != 2**n:
        raise ValueError(f"expected a power of two answers, got {n_sets}")
    shares = np.zeros((n, *values.shape[1:]))
    for group in range(n):
        bit = 1 << group
        for without in (i for i in range(n_sets) if not i & bit):
            size = without.bit_count()
            weight = factorial(size) * factorial(n - size - 1) / factorial(n)
            shares[group] += weight * (values[without | bit] - values[without])
    return shares
