"""A model fixed to one placement: callers see no such input, the model is told each time."""

from __future__ import annotations

import numpy as np
import pytest

from firmware_host.errors import ContractError
from firmware_host.inference.base import signature_of
from firmware_host.inference.placed import PlacedModel


class _Recorder:
    """Takes every call and gives back what it was given."""

    def __init__(self) -> None:
        self.signatures = {
            "embed": signature_of("embed", {"features": (1, 3), "placement": (1, 2)}, {}),
            "infer": signature_of("infer", {"imu": (1, 3)}, {}),
            "reset": signature_of("reset", {}, {}),
        }

    def run(self, signature, **arrays):
        assert set(arrays) == set(self.signatures[signature].inputs)
        return arrays


@pytest.mark.parametrize(("placement", "expected"), [("wrist", [1, 0]), ("pocket", [0, 1])])
def test_model_is_told_the_placement_where_it_asks(placement, expected):
    model = PlacedModel(_Recorder(), ("wrist", "pocket"), placement)
    features = np.ones((1, 3), np.float32)
    received = model.run("embed", features=features)
    assert received["placement"].dtype == np.float32
    np.testing.assert_array_equal(received["placement"], [expected])
    assert set(model.run("infer", imu=features)) == {"imu"}
    assert model.run("reset") == {}


def test_signatures_do_not_show_the_placement():
    model = PlacedModel(_Recorder(), ("wrist", "pocket"), "wrist")
    assert set(model.signatures["embed"].inputs) == {"features"}
    assert set(model.signatures) == {"embed", "infer", "reset"}


def test_unknown_placement_is_refused_in_one_line():
    with pytest.raises(ContractError, match=r"expected wrist or pocket .* got 'hat'"):
        PlacedModel(_Recorder(), ("wrist", "pocket"), "hat")
