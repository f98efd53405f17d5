"""4-bit NormalFloat in plain numpy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models import nf4


def test_levels_are_those_of_the_paper() -> None:
    assert len(nf4.LEVELS) == 16
    assert (np.diff(nf4.LEVELS) > 0).all()
    assert nf4.LEVELS[[0, 7, 15]].tolist() == [-1.0, 0.0, 1.0]
    # Quantiles of a normal distribution: close together in the middle, one more above zero.
    assert np.diff(nf4.LEVELS).argmin() in (6, 7)


@given(st.integers(0, 2**32 - 1), st.sampled_from([64, 128, 60, 3480, 832]))
def test_each_value_goes_to_the_nearest_level_of_its_block(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    values = (rng.normal(size=n) * rng.choice([1e-4, 1.0, 1e4])).astype(np.float32)
    size = nf4.block_size(n)
    assert size is not None
    blocks = values.reshape(-1, size)
    near = np.abs(blocks).max(axis=1)[:, None, None] * nf4.LEVELS
    expected = np.abs(blocks[..., None].astype(np.float64) - near).min(axis=-1)
    moved = np.abs(blocks - nf4.rounded(values).reshape(-1, size))
    np.testing.assert_allclose(moved, expected, atol=1e-6 * np.abs(values).max())


@given(st.integers(0, 2**32 - 1))
def test_rounding_twice_changes_no_bit(seed: int) -> None:
    values = np.random.default_rng(seed).normal(size=(8, 64)).astype(np.float32)
    once = nf4.rounded(values)
    assert nf4.rounded(once).tobytes() == once.tobytes()


def test_zeros_stay_zeros() -> None:
    values = np.zeros(128, np.float32)
    values[64] = 3.0
    np.testing.assert_array_equal(nf4.rounded(values), values)


def test_two_codes_share_a_byte_the_first_in_the_low_half() -> None:
    values = np.tile(nf4.LEVELS, 4)
    packed = nf4.quantise(values)
    assert packed.codes.nbytes == 32
    assert packed.codes[:8].tolist() == [0x10, 0x32, 0x54, 0x76, 0x98, 0xBA, 0xDC, 0xFE]
    np.testing.assert_array_equal(nf4.dequantise(packed), values)


@pytest.mark.parametrize(("n", "size"), [(832, 64), (13920, 60), (13922, None), (33, None)])
def test_block_is_the_largest_that_divides(n: int, size: int | None) -> None:
    assert nf4.block_size(n) == size


def test_weights_that_no_block_divides_are_refused() -> None:
    with pytest.raises(ValueError, match="got 33"):
        nf4.quantise(np.ones(33, np.float32))
