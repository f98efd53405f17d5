"""Weights as int8: rounded before export, stored as bytes, unpacked to float by the runtime.

A row of weights is `k * scale` with k in -127..127. The scale keeps 16 bits of mantissa, so every
product is exact in float32: the file computes bit for bit what the rounded network does, in float,
training included. Dynamic-range quantisation also rounds activations while it runs, and with them
the gradients.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.bundle.flatbuffer import constant, opcode_idx, schema

FloatArray = NDArray[np.float32]

LEVELS = 127
# Below this many values the scales and the extra op take more than int8 saves.
MIN_VALUES = 256
# tflite-runtime 2.14 has it; from version 5 on there may be one scale an index.
_DEQUANTIZE_VERSION = 5


def rounded(weights: FloatArray, axis: int) -> FloatArray:
    """Weights on an int8 grid with one scale for each index along `axis`.

    Each moves by at most half a 127th of the largest of its index; zero stays zero. Doing it twice
    changes nothing.
    """
    levels, scale = _grid(np.asarray(weights, np.float32), axis)
    return np.asarray(levels * scale, np.float32)


def store_as_int8(model: Any) -> None:
    """Store every large constant of a `ModelT` that is on an int8 grid already as int8.

    No result changes by a bit. Both runtimes unpack a constant once, at the first call of a
    signature, and keep it.
    """
    grids = {key: _exact_grid(model, tensor) for key, tensor in _large_constants(model).items()}
    for graph in model.subgraphs:
        unpacking = []
        for idx, tensor in enumerate(list(graph.tensors)):
            grid = grids.get(_key(tensor))
            if grid is not None and idx not in graph.outputs:
                unpacking.append(_unpack(model, graph, idx, grid))
        # After CALL_ONCE, which is first where there are variables to fill.
        n_first = sum(operator.builtinOptionsType == _call_once() for operator in graph.operators)
        graph.operators[n_first:n_first] = unpacking


def _grid(weights: FloatArray, axis: int) -> tuple[FloatArray, FloatArray]:
    """Levels, shaped as the weights, and the scale of each index, shaped to multiply them."""
    others = tuple(i for i in range(weights.ndim) if i != axis % weights.ndim)
    largest = np.abs(weights).max(axis=others, keepdims=True).astype(np.float64) / LEVELS
    mantissa, exponent = np.frexp(largest)
    # Upwards, so that the largest stays within 127 levels.
    scale = np.ldexp(np.ceil(mantissa * 2**16) / 2**16, exponent)
    scale = np.where(largest > 0.0, scale, 1.0).astype(np.float32)
    return np.rint(weights / scale), scale


def _large_constants(model: Any) -> dict[Any, Any]:
    """Key -> a tensor with it, of float constants worth unpacking."""
    is_float = schema().TensorType.FLOAT32
    return {
        _key(tensor): tensor
        for graph in model.subgraphs
        for tensor in graph.tensors
        if tensor.type == is_float and _n_values(model, tensor) >= MIN_VALUES
    }


def _key(tensor: Any) -> tuple[Any, ...]:
    # One buffer of zeros may serve several shapes.
    return (tensor.buffer, tuple(tensor.shape))


def _n_values(model: Any, tensor: Any) -> int:
    data = constant(model, tensor)
    return 0 if data is None else data.nbytes // 4


def _exact_grid(model: Any, tensor: Any) -> tuple[bytes, FloatArray, int] | None:
    """Levels, scales and axis of a constant that a grid gives exactly; fewest scales first."""
    weights = constant(model, tensor).view(np.float32).reshape(tensor.shape)
    for axis in sorted(range(weights.ndim), key=lambda i: weights.shape[i]):
        levels, scale = _grid(weights, axis)
        if np.array_equal(levels.astype(np.float32) * scale, weights):
            return levels.astype(np.int8).tobytes(), scale.reshape(-1), axis
    return None


def _unpack(model: Any, graph: Any, idx: int, grid: tuple[bytes, FloatArray, int]) -> Any:
    """Turn tensor `idx` into what DEQUANTIZE gives from a new int8 constant; the operator."""
    s, tensor = schema(), graph.tensors[idx]
    levels, scale, axis = grid
    # One more buffer for each use: packing stores equal ones once.
    buffer, packed = s.BufferT(), s.TensorT()
    buffer.data = np.frombuffer(levels, np.uint8)
    model.buffers.append(buffer)
    packed.shape, packed.type, packed.hasRank = tensor.shape, s.TensorType.INT8, tensor.hasRank
    packed.buffer = len(model.buffers) - 1
    packed.quantization = s.QuantizationParametersT()
    packed.quantization.scale = scale
    packed.quantization.zeroPoint = np.zeros(len(scale), np.int64)
    packed.quantization.quantizedDimension = axis
    graph.tensors.append(packed)
    tensor.buffer = 0
    operator = s.OperatorT()
    operator.opcodeIndex = opcode_idx(model, "DEQUANTIZE", _DEQUANTIZE_VERSION)
    operator.inputs = np.array([len(graph.tensors) - 1], np.int32)
    operator.outputs = np.array([idx], np.int32)
    operator.builtinOptionsType = s.BuiltinOptions.DequantizeOptions
    operator.builtinOptions = s.DequantizeOptionsT()
    return operator


def _call_once() -> int:
    return int(schema().BuiltinOptions.CallOnceOptions)
