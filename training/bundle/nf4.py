"""Matrices of a .tflite file in 4 bits, unpacked in the graph by ops that every runtime has.

QLoRA: what is frozen is stored in 4-bit NormalFloat, what is learned stays float. It is written
into the finished file, because the converter would compute the floats and store them again. CAST,
GATHER, RESHAPE, MUL and RESHAPE stand right before the op that multiplies by the matrix, so that
one matrix at a time takes memory.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models import nf4
from models.int8 import MIN_VALUES
from training.bundle.flatbuffer import builtin_name, constant, schema
from training.bundle.graph_edit import add_constant, add_tensor, drop_unused, new_operator

FloatArray = NDArray[np.float32]
# Shape and bytes of a matrix -> the matrix that lies on 4-bit levels, and whether transposed.
Known = dict[tuple[tuple[int, ...], bytes], tuple[FloatArray, bool]]


def store_as_nf4(model: Any) -> None:
    """Store matrices of a `ModelT` that lie on 4-bit levels as codes and scales.

    A matrix is a float constant that a fully connected layer multiplies by. The backward may hold
    the transpose of one. Nothing is rounded here.
    """
    known = _known(model)
    for graph in model.subgraphs:
        unpacking = _Unpacking(model, graph)
        for operator in graph.operators:
            values = _matrix(model, graph, operator)
            found = None if values is None else known.get(_key(values))
            if found is not None:
                operator.inputs = np.array(operator.inputs, np.int32)
                operator.inputs[1] = unpacking.place(*found)
            unpacking.operators.append(operator)
        graph.operators = unpacking.operators
    drop_unused(model)


def _known(model: Any) -> Known:
    known: Known = {}
    for values in _matrices(model):
        if _key(values) not in known and np.array_equal(nf4.rounded(values), values):
            known[_key(values)] = (values, False)
            known.setdefault(_key(values.T), (values, True))
    return known


def _key(values: FloatArray) -> tuple[tuple[int, ...], bytes]:
    return values.shape, values.tobytes()


def _matrices(model: Any) -> Iterator[FloatArray]:
    for graph in model.subgraphs:
        for operator in graph.operators:
            values = _matrix(model, graph, operator)
            if values is not None:
                yield values


def _matrix(model: Any, graph: Any, operator: Any) -> FloatArray | None:
    """What an operator multiplies by; None if that is no matrix, small, or no block divides it."""
    if builtin_name(model.operatorCodes[operator.opcodeIndex]) != "FULLY_CONNECTED":
        return None
    tensor = graph.tensors[operator.inputs[1]]
    data = constant(model, tensor)
    if data is None or tensor.type != schema().TensorType.FLOAT32:
        return None
    values: FloatArray = data.view(np.float32).reshape(tensor.shape)
    is_large = values.size >= MIN_VALUES and nf4.block_size(values.size) is not None
    return values if is_large else None


class _Unpacking:
    """A subgraph's operators written anew, with those that unpack matrices in between."""

    def __init__(self, model: Any, graph: Any) -> None:
        self._model, self._graph = model, graph
        self._places: dict[tuple[bytes, bool], int] = {}
        self.operators: list[Any] = []

    def place(self, matrix: FloatArray, turned: bool) -> int:
        """Tensor of a matrix or of its transpose, unpacked once for all who use it."""
        key = (matrix.tobytes(), turned)
        if key not in self._places:
            self._places[key] = self._turn(matrix) if turned else self._unpack(matrix)
        return self._places[key]

    def _turn(self, matrix: FloatArray) -> int:
        order = self._constant(np.array([1, 0], np.int32))
        return self._add("TRANSPOSE", [self.place(matrix, turned=False), order], matrix.T.shape)

    def _unpack(self, matrix: FloatArray) -> int:
        packed = nf4.quantise(matrix)
        blocks = (len(packed.scale), matrix.size // len(packed.scale))
        table = self._constant(nf4.byte_levels())
        pairs = self._add("GATHER", [table, self._whole(packed.codes)], (len(packed.codes), 2))
        scale = self._constant(packed.scale)
        scaled = self._add("MUL", [self._reshaped(pairs, blocks), scale], blocks)
        return self._reshaped(scaled, matrix.shape)

    def _whole(self, codes: NDArray[np.uint8]) -> int:
        """The codes as whole numbers that GATHER takes."""
        kinds = schema().TensorType
        kind = {"inDataType": kinds.UINT8, "outDataType": kinds.INT32}
        return self._add("CAST", [self._constant(codes)], codes.shape, np.int32, **kind)

    def _reshaped(self, idx: int, shape: Sequence[int]) -> int:
        wanted = np.array(shape, np.int32)
        return self._add("RESHAPE", [idx, self._constant(wanted)], shape, newShape=wanted)

    def _constant(self, values: NDArray[Any]) -> int:
        return add_constant(self._model, self._graph, values)

    def _add(
        self, name: str, inputs: Sequence[int], shape: Sequence[int], dtype: Any = np.float32,
        **options: Any,
    ) -> int:  # fmt: skip
        out = add_tensor(self._graph, shape, dtype)
        self.operators.append(new_operator(self._model, name, inputs, out, **options))
        return out
