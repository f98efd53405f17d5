"""Adding constants, tensors and operators to the graphs of an unpacked .tflite file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.bundle.flatbuffer import opcode_idx, schema


def add_constant(model: Any, graph: Any, values: NDArray[Any]) -> int:
    """Index of a new constant; packing the file stores equal ones once."""
    buffer = schema().BufferT()
    buffer.data = np.frombuffer(values.tobytes(), np.uint8)
    model.buffers.append(buffer)
    idx = add_tensor(graph, values.shape, values.dtype)
    graph.tensors[idx].buffer = len(model.buffers) - 1
    return idx


def add_tensor(graph: Any, shape: Sequence[int], dtype: Any = np.float32) -> int:
    """Index of a new tensor that some operator computes."""
    tensor = schema().TensorT()
    tensor.shape, tensor.hasRank = np.array(shape, np.int32), True
    tensor.type = getattr(schema().TensorType, np.dtype(dtype).name.upper())
    graph.tensors.append(tensor)
    return len(graph.tensors) - 1


def new_operator(
    model: Any, name: str, inputs: Sequence[int], output: int, *, version: int = 1, **options: Any
) -> Any:
    """Operator of a built-in op; `options` are the fields of its options table."""
    operator = schema().OperatorT()
    operator.opcodeIndex = opcode_idx(model, name, version)
    operator.inputs = np.array(inputs, np.int32)
    operator.outputs = np.array([output], np.int32)
    kind = f"{name.title().replace('_', '')}Options"
    operator.builtinOptionsType = getattr(schema().BuiltinOptions, kind)
    operator.builtinOptions = getattr(schema(), f"{kind}T")()
    for key, value in options.items():
        setattr(operator.builtinOptions, key, value)
    return operator


def drop_unused(model: Any) -> None:
    """Remove tensors that no operator and no signature names: their constants would be stored."""
    for graph_idx, graph in enumerate(model.subgraphs):
        signatures = [s for s in model.signatureDefs or [] if s.subgraphIndex == graph_idx]
        lists = [(graph, "inputs"), (graph, "outputs")]
        lists += [(op, side) for op in graph.operators for side in ("inputs", "outputs")]
        used = sorted({int(i) for of, side in lists for i in getattr(of, side) if i >= 0})
        place = {-1: -1, **{old: new for new, old in enumerate(used)}}
        for of, side in lists:
            setattr(of, side, np.array([place[int(i)] for i in getattr(of, side)], np.int32))
        for one in signatures:
            for entry in [*(one.inputs or []), *(one.outputs or [])]:
                entry.tensorIndex = place[entry.tensorIndex]
        graph.tensors = [graph.tensors[idx] for idx in used]
