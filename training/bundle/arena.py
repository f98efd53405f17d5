"""How much working memory each function of a .tflite file takes, from the file alone.

A runtime plans one block of memory for a function before it runs: every computed tensor has a
place for as long as it is needed. This is that plan, without a runtime and without a delegate.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from training.bundle.flatbuffer import builtin_name, constant, schema, unpack
from training.bundle.op_gate import OpGateError

# The promise: learning fits beside whatever else a small host does.
MAX_ARENA_BYTES = 256 * 1024
# kDefaultTensorAlignment of TensorFlow Lite.
_ALIGNMENT = 64
_N_BYTES = {"FLOAT32": 4, "INT32": 4, "INT8": 1, "UINT8": 1, "BOOL": 1, "INT64": 8}
# Op -> how many of its inputs may give their place to the result.
_IN_PLACE = {"RESHAPE": 1, "ADD": 2, "SUB": 2, "MUL": 2, "DIV": 2, "SOFTMAX": 1}
# Ops that unpack a constant once and keep the result.
_UNPACKING = ("DEQUANTIZE", "FILL")


@dataclass(frozen=True)
class Arena:
    """Bytes of one function: what is computed at each call, and constants unpacked for good."""

    activations: int
    unpacked: int

    @property
    def total(self) -> int:
        """What the function takes while the model is loaded."""
        return self.activations + self.unpacked


def planned(content: bytes) -> dict[str, Arena]:
    """Working memory by function, from the content of a .tflite file.

    Counted are inputs, outputs and everything in between, among it the copies that BATCH_MATMUL
    and CONV_2D turn around for themselves. Weights stay in the file and trainables in variables;
    neither is in the plan.
    """
    model = unpack(content)
    graphs = {
        definition.signatureKey.decode(): model.subgraphs[definition.subgraphIndex]
        for definition in model.signatureDefs or []
    }
    return {name: _arena(model, graph) for name, graph in sorted(graphs.items())}


def check_arenas(content: bytes) -> None:
    """Refuse a file with a function that needs more than `MAX_ARENA_BYTES`.

    Raises
    ------
    OpGateError
        Naming every function that does.
    """
    found = {name: arena.total for name, arena in planned(content).items()}
    large = [f"{name} {n / 1024:.0f}" for name, n in found.items() if n > MAX_ARENA_BYTES]
    if large:
        raise OpGateError(
            f"expected functions of at most {MAX_ARENA_BYTES // 1024} KiB of working memory, "
            f"received {', '.join(large)}"
        )


@dataclass(frozen=True)
class _Need:
    """Bytes of one tensor, and the first and last operator during which it has a place."""

    n_bytes: int
    first: int
    last: int
    is_input: bool = False


def activation_bytes(model: Any, graph: Any, operators: Sequence[Any]) -> int:
    """Bytes of what a function computes at each call when its operators run in this order."""
    return _packed(_needs(model, graph, operators, _unpacked(model, graph)))


def _arena(model: Any, graph: Any) -> Arena:
    unpacked = _unpacked(model, graph)
    activations = activation_bytes(model, graph, graph.operators)
    return Arena(activations, sum(map(_aligned, unpacked.values())))


def _unpacked(model: Any, graph: Any) -> dict[int, int]:
    """Constants that are unpacked at the first call and kept: tensor -> bytes."""
    return {
        int(operator.outputs[0]): _tensor_bytes(graph.tensors[operator.outputs[0]])
        for operator in graph.operators
        if _unpacks(model, graph, operator)
    }


def _unpacks(model: Any, graph: Any, operator: Any) -> bool:
    if _name(model, operator) not in _UNPACKING:
        return False
    return all(_is_constant(model, graph, idx) for idx in operator.inputs)


def _is_constant(model: Any, graph: Any, idx: int) -> bool:
    return constant(model, graph.tensors[idx]) is not None


def _needs(
    model: Any, graph: Any, operators: Sequence[Any], unpacked: Container[int]
) -> list[_Need]:
    inputs, outputs = ({int(idx) for idx in some} for some in (graph.inputs, graph.outputs))
    end = len(operators)
    reads = Counter(int(idx) for operator in operators for idx in operator.inputs)
    shares = _shared(model, graph, operators, unpacked)
    sizes = {idx: _tensor_bytes(graph.tensors[idx]) for idx in inputs}
    first, last = dict.fromkeys(inputs, 0), dict.fromkeys(inputs, end)
    scratch = []
    for at, operator in enumerate(operators):
        for idx in _computed(graph, operator.outputs):
            place = shares.get(idx, idx)
            sizes[place] = max(sizes.get(place, 0), _tensor_bytes(graph.tensors[idx]))
            first.setdefault(place, at)
            # A result that nothing reads is kept, too.
            last[place] = at if reads[idx] and idx not in outputs else end
        for idx in operator.inputs:
            place = shares.get(int(idx), int(idx))
            if place in last:
                last[place] = max(last[place], at)
        scratch += [_Need(n, at, at) for n in _scratch(model, graph, operator)]
    kept = [idx for idx in sizes if idx not in unpacked]
    return [_Need(sizes[idx], first[idx], last[idx], idx in inputs) for idx in kept] + scratch


def _shared(
    model: Any, graph: Any, operators: Sequence[Any], unpacked: Container[int]
) -> dict[int, int]:
    """Result -> the input whose place it takes, for ops that compute in place."""
    reads = Counter(int(idx) for operator in operators for idx in operator.inputs)
    ends = {int(idx) for idx in [*graph.inputs, *graph.outputs]}
    found: dict[int, int] = {}
    for operator in operators:
        name = _name(model, operator)
        for idx in _computed(graph, operator.inputs[: _IN_PLACE.get(name, 0)]):
            out = int(operator.outputs[0])
            if {idx, out} & ends or idx in unpacked or _is_constant(model, graph, idx):
                continue
            equal = _tensor_bytes(graph.tensors[idx]) == _tensor_bytes(graph.tensors[out])
            # Turning a shape changes nothing that another reader could miss.
            if name == "RESHAPE" or (equal and reads[idx] == 1):
                found[out] = found.get(idx, idx)
                break
    return found


def _computed(graph: Any, idxs: Iterable[int]) -> list[int]:
    """Those that hold numbers, and not the name of a variable; -1 stands for none."""
    resource = schema().TensorType.RESOURCE
    return [int(idx) for idx in idxs if idx >= 0 and graph.tensors[idx].type != resource]


def _scratch(model: Any, graph: Any, operator: Any) -> list[int]:
    """Bytes that the kernels ask for besides inputs and outputs."""
    name = _name(model, operator)
    if name == "BATCH_MATMUL":
        # Both sides once more, turned to the layout of the fast product.
        return [_tensor_bytes(graph.tensors[idx]) for idx in operator.inputs]
    if name in ("SUM", "MEAN"):
        return [_tensor_bytes(graph.tensors[operator.outputs[0]])]
    if name == "CONV_2D":
        _, height, width, _ = graph.tensors[operator.inputs[1]].shape
        options = operator.builtinOptions
        if height * width > 1 or options.strideW > 1 or options.strideH > 1:
            depth = height * width * graph.tensors[operator.inputs[0]].shape[3]
            n_places = np.prod(graph.tensors[operator.outputs[0]].shape[:3])
            return [4 * int(n_places * depth)]
    return []


def _packed(needs: Iterable[_Need]) -> int:
    """Size of the block when the runtimes' own rule fills it."""
    placed: list[tuple[int, _Need]] = []
    for need in sorted(needs, key=_order):
        others = [
            (at, at + other.n_bytes)
            for at, other in placed
            if other.first <= need.last and need.first <= other.last
        ]
        placed.append((_place(sorted(others), need.n_bytes), need))
    return max((at + need.n_bytes for at, need in placed), default=0)


def _order(need: _Need) -> tuple[bool, int, int]:
    """Inputs first, then the largest, of equal ones the earliest."""
    if need.is_input:
        return (False, 0, 0)
    return (True, -need.n_bytes, need.first)


def _place(taken: Iterable[tuple[int, int]], n_bytes: int) -> int:
    """Start of the smallest gap that fits; behind everything if none does."""
    best, best_room, at = None, float("inf"), 0
    for start, stop in taken:
        room = start - at
        if n_bytes <= start - _aligned(at) and room < best_room:
            best, best_room = _aligned(at), room
        at = max(at, stop)
    return _aligned(at) if best is None else best


def _aligned(n_bytes: int) -> int:
    return -(-n_bytes // _ALIGNMENT) * _ALIGNMENT


def _tensor_bytes(tensor: Any) -> int:
    return int(np.prod(tensor.shape)) * _N_BYTES[_type_names()[tensor.type]]


def _type_names() -> Mapping[int, str]:
    return {v: k for k, v in vars(schema().TensorType).items() if isinstance(v, int)}


def _name(model: Any, operator: Any) -> str:
    return builtin_name(model.operatorCodes[operator.opcodeIndex])
