"""Constants of a .tflite file in fewer bytes, unpacked by the runtime to the very same floats.

Zeros are filled in and what lies on an int8 grid is stored as int8. Anything else stays float32:
nothing is rounded here. Both runtimes unpack an int8 constant once, at the first call of a
signature, and keep it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from models.int8 import MIN_VALUES, exact_grid
from training.bundle.flatbuffer import builtin_name, constant, schema
from training.bundle.graph_edit import add_constant, new_operator

# A version that tflite-runtime 2.14 has too; from 5 on there may be one scale an index.
_DEQUANTIZE = 5
# What takes a copy of its second input when it is prepared or run.
_COPIES = ("FULLY_CONNECTED", "CONV_2D", "DEPTHWISE_CONV_2D", "ASSIGN_VARIABLE")


def store_compactly(model: Any) -> None:
    """Replace every large float constant of a `ModelT` by the smallest form that is exact."""
    known: dict[Any, _Form | None] = {}
    computed_with = _computed_with(model)
    for graph in model.subgraphs:
        unpacking = []
        for idx in range(len(graph.tensors)):
            tensor = graph.tensors[idx]
            if idx in graph.outputs or _n_values(model, tensor) < MIN_VALUES:
                continue
            # One buffer of zeros may serve several shapes.
            key = (tensor.buffer, tuple(tensor.shape))
            if key not in known:
                known[key] = _smallest(_values(model, tensor), is_weight=key not in computed_with)
            form = known[key]
            if form is not None:
                unpacking.append(form.unpack(model, graph, idx))
        # After CALL_ONCE, which comes first where there are variables to fill.
        once = schema().BuiltinOptions.CallOnceOptions
        n_first = sum(operator.builtinOptionsType == once for operator in graph.operators)
        graph.operators[n_first:n_first] = unpacking


def _computed_with(model: Any) -> set[Any]:
    """Constants, as buffer and shape, that something else than a layer or a variable reads.

    tflite-runtime 2.14 frees what it unpacked for one function when it prepares the next. A layer
    has copied its weights by then; a sum would read whatever came to lie there.
    """
    found = set()
    for graph in model.subgraphs:
        for operator in graph.operators:
            name = builtin_name(model.operatorCodes[operator.opcodeIndex])
            for position, idx in enumerate(operator.inputs):
                if idx >= 0 and not (name in _COPIES and position == 1):
                    tensor = graph.tensors[idx]
                    found.add((tensor.buffer, tuple(tensor.shape)))
    return found


def _smallest(values: NDArray[np.float32], *, is_weight: bool) -> _Form | None:
    if not values.any():
        return _Zeros(values.shape)
    found = exact_grid(values) if is_weight else None
    return None if found is None else _Int8(*found)


def _n_values(model: Any, tensor: Any) -> int:
    data = constant(model, tensor)
    is_float = tensor.type == schema().TensorType.FLOAT32
    return data.nbytes // 4 if is_float and data is not None else 0


def _values(model: Any, tensor: Any) -> NDArray[np.float32]:
    values: NDArray[np.float32] = constant(model, tensor).view(np.float32)
    return values.reshape(tensor.shape)


class _Form(Protocol):
    """How a constant is stored."""

    def unpack(self, model: Any, graph: Any, idx: int) -> Any:
        """Operator that makes floats of it in place of constant `idx`."""
        ...


class _Zeros:
    def __init__(self, shape: Sequence[int]) -> None:
        self._shape = np.array(shape, np.int32)

    def unpack(self, model: Any, graph: Any, idx: int) -> Any:
        shape = add_constant(model, graph, self._shape)
        zero = add_constant(model, graph, np.zeros((), np.float32))
        graph.tensors[idx].buffer = 0
        return new_operator(model, "FILL", [shape, zero], idx)


class _Int8:
    def __init__(self, levels: NDArray[np.float32], scale: NDArray[np.float32], axis: int) -> None:
        self._levels, self._axis = levels.astype(np.int8), axis
        self._scale = scale.reshape(-1)

    def unpack(self, model: Any, graph: Any, idx: int) -> Any:
        packed = add_constant(model, graph, self._levels)
        quantisation = schema().QuantizationParametersT()
        quantisation.scale = self._scale
        quantisation.zeroPoint = np.zeros(len(self._scale), np.int64)
        quantisation.quantizedDimension = self._axis
        graph.tensors[packed].quantization = quantisation
        graph.tensors[idx].buffer = 0
        return new_operator(model, "DEQUANTIZE", [packed], idx, version=_DEQUANTIZE)
