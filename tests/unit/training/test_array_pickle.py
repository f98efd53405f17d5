"""Pickles of numpy arrays from strangers: nothing runs, no memory is read or taken that is not theirs."""

from __future__ import annotations

import contextlib
import io
import pickle
import tracemalloc

import numpy as np
import pytest

from firmware_host.errors import RecordingError
from training.datasets.array_pickle import load_arrays


class _Addresses:
    """What would make numpy take eight bytes for the address of an object."""

    def __reduce__(self):
        return np.ndarray, ((1,), "O", b"A" * 8)


@pytest.mark.parametrize(
    ("made", "says"),
    [
        (_Addresses(), "calls numpy.ndarray"),
        (np.array([None, 1]), "arrays of object"),
        (np.zeros(1, [("a", "f8")]), r"arrays of \|V8"),
    ],
)
def test_pickle_of_anything_but_numbers_is_refused(made, says):
    with pytest.raises(RecordingError, match=says):
        load_arrays(io.BytesIO(pickle.dumps(made)), "S2.pkl")


@pytest.mark.parametrize(
    "opcodes",
    [
        # Ten bytes that ask for room for four thousand million objects, and for sixteen exabytes of text.
        b"\x80\x02}r\xf0\xff\xff\xff.",
        b"\x80\x04\x8e" + b"\xff" * 7 + b"\x7f.",
        b"\x80\x05\x96" + b"\xff" * 7 + b"\x7f.",
    ],
)
def test_pickle_gets_no_more_memory_than_it_has_bytes(opcodes):
    tracemalloc.start()
    with contextlib.suppress(RecordingError):
        load_arrays(io.BytesIO(opcodes), "S2.pkl")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 10_000_000


def test_pickle_changes_none_of_our_functions():
    # The state of a function: its default arguments.
    state = pickle.dumps((None, {"__defaults__": ("utf8",)}), protocol=2)[2:-1]
    with pytest.raises(RecordingError, match="no array"):
        load_arrays(io.BytesIO(b"\x80\x02c_codecs\nencode\n" + state + b"b."), "S2.pkl")


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize(
    "values",
    [
        np.asfortranarray(np.arange(6, dtype=np.int16).reshape(2, 3)),
        np.array([1.5, np.nan], ">f8"),
        np.array(["ab", "c"]),
        np.ones((2, 2), bool),
    ],
)
def test_arrays_come_back_as_numpy_itself_loads_them(values, protocol):
    packed = pickle.dumps({"a": values, "one": values.ravel()[0]}, protocol=protocol)
    ours, theirs = load_arrays(io.BytesIO(packed), "S2.pkl"), pickle.loads(packed)
    np.testing.assert_array_equal(ours["a"], theirs["a"])
    assert ours["a"].dtype == theirs["a"].dtype
    np.testing.assert_equal(ours["one"], theirs["one"])
