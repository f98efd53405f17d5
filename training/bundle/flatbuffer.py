"""A .tflite file as a tree of plain objects, and that tree written back in as few bytes as it takes.

The converter gives every tensor a name, a buffer and quantisation parameters of its own, most of
them empty: in a small network that is four fifths of the file. Nothing that a runtime reads is
left out here, so results stay the same bit for bit.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

# Kernels load constants with vector instructions; the schema asks for this alignment.
_ALIGNMENT = 16
_IDENTIFIER = b"TFL3"


def schema() -> Any:
    """Generated reader and writer of the file format; needs no TensorFlow."""
    from ai_edge_litert import schema_py_generated

    return schema_py_generated


def unpack(content: bytes) -> Any:
    """`ModelT` of a .tflite file."""
    return schema().ModelT.InitFromObj(schema().Model.GetRootAs(content, 0))


def constant(model: Any, tensor: Any) -> NDArray[np.uint8] | None:
    """Bytes of a tensor that is a constant, None for one that is computed."""
    data = model.buffers[tensor.buffer].data
    return None if data is None or not len(data) else np.asarray(data, np.uint8)


def builtin_name(code: Any) -> str:
    """Name of the built-in op of an operator code."""
    names = {v: k for k, v in vars(schema().BuiltinOperator).items() if isinstance(v, int)}
    return names[max(code.builtinCode, code.deprecatedBuiltinCode)]


def opcode_idx(model: Any, name: str, version: int) -> int:
    """Index of an operator code, added if the file does not have it yet."""
    for idx, code in enumerate(model.operatorCodes):
        if builtin_name(code) == name and code.version == version:
            return idx
    code = schema().OperatorCodeT()
    code.builtinCode = getattr(schema().BuiltinOperator, name)
    # Readers from before there were more than 127 ops look here.
    code.deprecatedBuiltinCode = min(code.builtinCode, 127)
    code.version = version
    model.operatorCodes.append(code)
    return len(model.operatorCodes) - 1


def pack(model: Any) -> bytes:
    """Smallest file with the same graph: equal parts are stored once, unused ones not at all."""
    return _Packer(model).packed()


class _Packer:
    """Writes children before parents, as the format wants; equal children get one place."""

    def __init__(self, model: Any) -> None:
        import flatbuffers

        self._model = model
        # Large enough that growing, which copies, is rare.
        self._builder = flatbuffers.Builder(1 << 20)
        self._placed: dict[Any, int] = {}
        self._buffer_idx: dict[bytes, int] = {b"": 0}
        self._constants: list[bytes] = [b""]

    def packed(self) -> bytes:
        s, builder, model = schema(), self._builder, self._model
        subgraphs = self._offsets([self._subgraph(graph) for graph in model.subgraphs])
        codes = self._offsets([code.Pack(builder) for code in model.operatorCodes])
        signatures = self._offsets([one.Pack(builder) for one in model.signatureDefs or []])
        # Buffers last: they were collected while the tensors were written.
        buffers = self._offsets([self._buffer(data) for data in self._constants])
        s.ModelStart(builder)
        s.ModelAddVersion(builder, model.version)
        s.ModelAddOperatorCodes(builder, codes)
        s.ModelAddSubgraphs(builder, subgraphs)
        s.ModelAddBuffers(builder, buffers)
        s.ModelAddSignatureDefs(builder, signatures)
        builder.Finish(s.ModelEnd(builder), file_identifier=_IDENTIFIER)
        return bytes(builder.Output())

    def _subgraph(self, graph: Any) -> int:
        s, builder = schema(), self._builder
        name = builder.CreateString(graph.name)
        tensors = self._offsets([self._tensor(tensor) for tensor in graph.tensors])
        operators = self._offsets([self._operator(operator) for operator in graph.operators])
        inputs, outputs = self._integers(graph.inputs), self._integers(graph.outputs)
        s.SubGraphStart(builder)
        s.SubGraphAddTensors(builder, tensors)
        s.SubGraphAddInputs(builder, inputs)
        s.SubGraphAddOutputs(builder, outputs)
        s.SubGraphAddOperators(builder, operators)
        s.SubGraphAddName(builder, name)
        return int(s.SubGraphEnd(builder))

    def _tensor(self, tensor: Any) -> int:
        s, builder = schema(), self._builder
        data = constant(self._model, tensor)
        buffer_idx = self._index_of(b"" if data is None else data.tobytes())
        key = ("tensor", tuple(tensor.shape), tensor.type, buffer_idx, _scales(tensor))
        if key in self._placed:
            return self._placed[key]
        shape, quantisation = self._integers(tensor.shape), self._quantisation(tensor)
        s.TensorStart(builder)
        s.TensorAddShape(builder, shape)
        s.TensorAddType(builder, tensor.type)
        s.TensorAddBuffer(builder, buffer_idx)
        s.TensorAddHasRank(builder, tensor.hasRank)
        if quantisation:
            s.TensorAddQuantization(builder, quantisation)
        self._placed[key] = int(s.TensorEnd(builder))
        return self._placed[key]

    def _quantisation(self, tensor: Any) -> int:
        key = ("quantisation", *_scales(tensor))
        if len(key) == 1:
            return 0
        if key not in self._placed:
            self._placed[key] = self._new_quantisation(tensor.quantization)
        return self._placed[key]

    def _new_quantisation(self, q: Any) -> int:
        s, builder = schema(), self._builder
        scale, zero_point = self._vector(q.scale, "<f4"), self._vector(q.zeroPoint, "<i8")
        s.QuantizationParametersStart(builder)
        s.QuantizationParametersAddScale(builder, scale)
        s.QuantizationParametersAddZeroPoint(builder, zero_point)
        s.QuantizationParametersAddQuantizedDimension(builder, q.quantizedDimension)
        return int(s.QuantizationParametersEnd(builder))

    def _operator(self, operator: Any) -> int:
        s, builder = schema(), self._builder
        inputs, outputs = self._integers(operator.inputs), self._integers(operator.outputs)
        options = self._options(operator)
        s.OperatorStart(builder)
        s.OperatorAddOpcodeIndex(builder, operator.opcodeIndex)
        s.OperatorAddInputs(builder, inputs)
        s.OperatorAddOutputs(builder, outputs)
        if options:
            s.OperatorAddBuiltinOptionsType(builder, operator.builtinOptionsType)
            s.OperatorAddBuiltinOptions(builder, options)
        return int(s.OperatorEnd(builder))

    def _options(self, operator: Any) -> int:
        options = operator.builtinOptions
        if options is None:
            return 0
        key = (operator.builtinOptionsType, _content(options))
        if key not in self._placed:
            self._placed[key] = int(options.Pack(self._builder))
        return self._placed[key]

    def _index_of(self, data: bytes) -> int:
        if data not in self._buffer_idx:
            self._buffer_idx[data] = len(self._constants)
            self._constants.append(data)
        return self._buffer_idx[data]

    def _buffer(self, data: bytes) -> int:
        s, builder = schema(), self._builder
        place = 0
        if data:
            builder.StartVector(1, len(data), _ALIGNMENT)
            builder.head -= len(data)
            builder.Bytes[builder.head : builder.head + len(data)] = data
            place = builder.EndVector()
        s.BufferStart(builder)
        if data:
            s.BufferAddData(builder, place)
        return int(s.BufferEnd(builder))

    def _integers(self, values: Any) -> int:
        return self._vector(values, "<i4")

    def _vector(self, values: Any, dtype: str) -> int:
        array = np.asarray(values, dtype)
        key = (dtype, array.tobytes())
        if key not in self._placed:
            self._placed[key] = int(self._builder.CreateNumpyVector(array))
        return self._placed[key]

    def _offsets(self, places: list[int]) -> int:
        builder = self._builder
        builder.StartVector(4, len(places), 4)
        for place in reversed(places):
            builder.PrependUOffsetTRelative(place)
        return int(builder.EndVector())


def _scales(tensor: Any) -> tuple[Any, ...]:
    """What makes a tensor's quantisation its own; () for a float tensor."""
    q = tensor.quantization
    if q is None or q.scale is None or not len(q.scale):
        return ()
    zero_point = np.asarray(q.zeroPoint, np.int64).tobytes()
    return (np.asarray(q.scale, np.float32).tobytes(), zero_point, int(q.quantizedDimension))


def _content(options: Any) -> tuple[Any, ...]:
    """Fields of an options table as a key."""
    fields = sorted(vars(options).items())
    return tuple((n, v.tobytes() if isinstance(v, np.ndarray) else v) for n, v in fields)
