"""Packed arrays: same values, same bytes; hostile bytes are refused."""

from __future__ import annotations

import json
import pickle
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_host.errors import VaultError
from firmware_host.vault.pack import is_packed, pack, unpack


def test_round_trip_keeps_values_types_and_shapes(rng: np.random.Generator) -> None:
    arrays = {
        "z": rng.normal(size=(3, 26)).astype(np.float32),
        "t": np.float64(12.5),
        "worn": np.array([True, False]),
        "none": np.zeros((0, 4), dtype=np.int16),
    }
    meta = {"group": "bias", "µ": [1, 2.5, None, {"a": True}]}
    back, facts = unpack(pack(arrays, meta))
    assert facts == meta
    assert set(back) == set(arrays)
    for name, values in arrays.items():
        assert back[name].dtype == np.asarray(values).dtype
        assert back[name].shape == np.shape(values)
        np.testing.assert_array_equal(back[name], values)
        assert back[name].flags.writeable


def test_order_and_memory_layout_do_not_change_the_bytes(rng: np.random.Generator) -> None:
    values = rng.normal(size=(4, 5))
    straight = pack({"a": values, "b": np.arange(3)}, {"x": 1, "y": 2})
    turned = {"b": np.arange(3).astype(">i8"), "a": np.asfortranarray(values)}
    assert pack(turned, {"y": 2, "x": 1}) == straight


@pytest.mark.parametrize("values", [np.array(["a"]), np.array([object()]), np.array([1j])])
def test_other_types_are_refused_when_packing(values: np.ndarray) -> None:
    with pytest.raises(ValueError, match="expected float"):
        pack({"x": values})


def test_nan_in_the_facts_is_refused() -> None:
    with pytest.raises(ValueError, match="JSON"):
        pack({}, {"score": float("nan")})


def _forged(header: object, body: bytes = b"") -> bytes:
    text = json.dumps(header).encode()
    return b"SGP1" + struct.pack("<I", len(text)) + text + body


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"SGP1",
        pickle.dumps({"x": 1}),
        _forged({"arrays": []}),
        _forged({"arrays": [["x", "|O", [1]]], "meta": {}}, bytes(8)),
        _forged({"arrays": [["x", "<f8", [2]]], "meta": {}}, bytes(8)),
        _forged({"arrays": [["x", "<f8", [-1]]], "meta": {}}, bytes(8)),
        _forged({"arrays": [["x", "<f8", [1 << 62, 1 << 62]]], "meta": {}}, bytes(8)),
        _forged({"arrays": [["x", "<f8", [1]]], "meta": {}}, bytes(9)),
        _forged({"arrays": [["x", "<f8", "1"]], "meta": {}}, bytes(8)),
        _forged([1, 2]),
    ],
)
def test_forged_bytes_are_refused(payload: bytes) -> None:
    with pytest.raises(VaultError):
        unpack(payload)


@settings(max_examples=200, deadline=None)
@given(cut=st.integers(0, 200), flip=st.integers(0, 200), bit=st.integers(0, 7))
def test_damaged_bytes_never_give_anything_but_arrays_or_our_error(
    cut: int, flip: int, bit: int
) -> None:
    payload = bytearray(pack({"x": np.arange(6, dtype=np.float32)}, {"n": 1}))
    payload[flip % len(payload)] ^= 1 << bit
    try:
        arrays, _ = unpack(bytes(payload[: max(1, len(payload) - cut)]))
    except VaultError:
        return
    assert all(isinstance(values, np.ndarray) for values in arrays.values())


def test_packed_bytes_are_told_from_others() -> None:
    assert is_packed(pack({}))
    assert not is_packed(b"{}")
