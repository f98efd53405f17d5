"""A model that knows several places on the body, fixed to the one where it is worn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from firmware_host.errors import ContractError
from firmware_host.inference.base import FloatArray, Signature, SignatureModel, runs_on

PLACEMENT_INPUT = "placement"


class PlacedModel:
    """Answers the input `placement` of every signature that has one; callers need not know.

    Parameters
    ----------
    placements
        In the order of the one-hot input.

    Raises
    ------
    ContractError
        If the model was not made for that place.
    """

    def __init__(self, model: SignatureModel, placements: Sequence[str], placement: str) -> None:
        check_placement(placements, placement)
        self._model = model
        self._chosen = np.array([[name == placement for name in placements]], np.float32)
        self._signatures = {name: _without(s) for name, s in model.signatures.items()}
        self._placed = {n for n, s in model.signatures.items() if PLACEMENT_INPUT in s.inputs}

    @property
    def signatures(self) -> Mapping[str, Signature]:
        """Every function by name, without the input that is answered here."""
        return self._signatures

    @property
    def runs_on(self) -> str:
        """What computes the model."""
        return runs_on(self._model)

    def run(self, signature: str, **arrays: FloatArray) -> dict[str, FloatArray]:
        """Call one signature; gives its outputs by name.

        Raises
        ------
        InferenceError
            As the model itself.
        """
        if signature in self._placed:
            arrays = {**arrays, PLACEMENT_INPUT: self._chosen}
        return self._model.run(signature, **arrays)


def check_placement(placements: Sequence[str], placement: str) -> None:
    """Refuse a place on the body that a model was not made for.

    Raises
    ------
    ContractError
        One line that lists those it knows.
    """
    if placement not in placements:
        known = " or ".join(placements)
        raise ContractError(f"placement: expected {known} for this bundle, got {placement!r}")


def _without(signature: Signature) -> Signature:
    inputs = {n: spec for n, spec in signature.inputs.items() if n != PLACEMENT_INPUT}
    return Signature(signature.name, inputs, signature.outputs)
