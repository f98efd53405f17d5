"""Operators of a .tflite file in the order that takes the least working memory.

The converter computes whatever it can as early as it can, and all of it then waits in memory. Any
order that makes a value before it is used, and keeps reads and writes of a variable in turn, gives
the same bits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from training.bundle.arena import activation_bytes
from training.bundle.flatbuffer import builtin_name

# Which of an operator's inputs is made first: those of the converter's order, the other way
# round, the largest, the smallest.
_Preference = Callable[[Any, list[int]], list[int]]


def _largest_first(graph: Any, idxs: list[int]) -> list[int]:
    return sorted(idxs, key=lambda idx: -_n_values(graph, idx))


_PREFERENCES: tuple[_Preference, ...] = (
    lambda _, idxs: idxs,
    lambda _, idxs: idxs[::-1],
    _largest_first,
    lambda graph, idxs: _largest_first(graph, idxs)[::-1],
)


def reorder(model: Any) -> None:
    """Put the operators of every function of a `ModelT` into the best order that is found."""
    for graph in model.subgraphs:
        orders = [graph.operators, *(_lazy(model, graph, p) for p in _PREFERENCES)]
        graph.operators = min(orders, key=lambda order: activation_bytes(model, graph, order))


def _lazy(model: Any, graph: Any, preference: _Preference) -> list[Any]:
    """Every result as late as possible: just before the first operator that needs it."""
    makers = {int(idx): at for at, op in enumerate(graph.operators) for idx in op.outputs}
    before = _turns(model, graph)
    emitted: list[int] = []
    seen: set[int] = set()

    def emit(at: int) -> None:
        if at in seen:
            return
        seen.add(at)
        idxs = [int(idx) for idx in graph.operators[at].inputs if int(idx) in makers]
        for idx in preference(graph, idxs):
            emit(makers[idx])
        for other in before[at]:
            emit(other)
        emitted.append(at)

    for at in _roots(graph):
        emit(at)
    return [graph.operators[at] for at in emitted]


def _turns(model: Any, graph: Any) -> list[list[int]]:
    """For each operator, those that must come first though it does not use their result."""
    names: dict[int, Any] = {}
    touched: dict[Any, list[int]] = {}
    before: list[list[int]] = []
    for at, operator in enumerate(graph.operators):
        kind = builtin_name(model.operatorCodes[operator.opcodeIndex])
        waits = []
        if kind == "VAR_HANDLE":
            names[int(operator.outputs[0])] = operator.builtinOptions.sharedName
            # Variables have no values before the file's own start was run.
            waits = [i for i in range(at) if _is_start(model, graph.operators[i])]
        elif kind in ("READ_VARIABLE", "ASSIGN_VARIABLE"):
            earlier = touched.setdefault(names[int(operator.inputs[0])], [])
            writes = kind == "ASSIGN_VARIABLE"
            waits = [i for i in earlier if writes or _writes(model, graph.operators[i])]
            earlier.append(at)
        before.append(waits)
    return before


def _roots(graph: Any) -> Iterable[int]:
    """What everything else is done for: results of the function, and whatever has none."""
    outputs = {int(idx) for idx in graph.outputs}
    for at, operator in enumerate(graph.operators):
        if not len(operator.outputs) or outputs & {int(idx) for idx in operator.outputs}:
            yield at


def _is_start(model: Any, operator: Any) -> bool:
    return builtin_name(model.operatorCodes[operator.opcodeIndex]) == "CALL_ONCE"


def _writes(model: Any, operator: Any) -> bool:
    return builtin_name(model.operatorCodes[operator.opcodeIndex]) == "ASSIGN_VARIABLE"


def _n_values(graph: Any, idx: int) -> int:
    n = 1
    for size in graph.tensors[idx].shape:
        n *= int(size)
    return n
