"""A model in two files behind the model seam: frozen int8 layers, and the float rest that learns.

Callers see the functions of the whole model. A function of the second file that takes `x_hidden`
is given what the first makes of `x`, row by row, because the first takes one row at a time.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from firmware_host.inference.base import (
    FloatArray,
    Signature,
    SignatureModel,
    check_inputs,
    find_signature,
    runs_on,
)
from firmware_host.inference.int8_layers import Int8Layers

HIDDEN = "_hidden"
PREPARE = "prepare_"


class SplitModel:
    """The functions of `tail`, with what `layers` compute filled in.

    Where the layers want the input in another form, `tail` has a function `prepare_x` for it.
    """

    def __init__(self, layers: Int8Layers, tail: SignatureModel) -> None:
        self._layers, self._tail = layers, tail
        self._signatures = {
            name: _whole(signature)
            for name, signature in tail.signatures.items()
            if not name.startswith(PREPARE)
        }

    @property
    def signatures(self) -> Mapping[str, Signature]:
        """Every function of the whole model by name."""
        return self._signatures

    @property
    def runs_on(self) -> str:
        """What the float part runs on, and the int8 layers, and why not on something faster."""
        return f"{runs_on(self._tail)}; int8 layers on {self._layers.runs_on}"

    def run(self, signature: str, **arrays: FloatArray) -> dict[str, FloatArray]:
        """Call one signature; gives its outputs by name.

        Raises
        ------
        InferenceError
            As any model; nothing has changed then.
        """
        check_inputs(find_signature(self._signatures, signature), arrays)
        asked = self._tail.signatures[signature].inputs
        hidden = {n: self._hidden(n.removesuffix(HIDDEN), arrays) for n in asked if n not in arrays}
        return self._tail.run(signature, **arrays, **hidden)

    def _hidden(self, name: str, arrays: Mapping[str, FloatArray]) -> FloatArray:
        rows = (row[None] for row in arrays[name])
        return np.concatenate([self._layers.run(self._prepared(name, row)) for row in rows])

    def _prepared(self, name: str, row: FloatArray) -> FloatArray:
        function = f"{PREPARE}{name}"
        if function not in self._tail.signatures:
            return row
        return self._tail.run(function, **{name: row})[name]


def _whole(signature: Signature) -> Signature:
    given = {n: spec for n, spec in signature.inputs.items() if not n.endswith(HIDDEN)}
    return Signature(signature.name, given, signature.outputs)
