"""Multiply-accumulates of each function of a .tflite file, from its products and convolutions."""

from __future__ import annotations

from typing import Any

import numpy as np

from training.bundle.flatbuffer import builtin_name, unpack


def macs(content: bytes) -> dict[str, int]:
    """By function; everything else a network does is an addition or a lookup a value."""
    model = unpack(content)
    return {
        definition.signatureKey.decode(): _sum(model, definition.subgraphIndex)
        for definition in model.signatureDefs
    }


def graph_macs(content: bytes) -> int:
    """Of a file with one function and no name for it."""
    return _sum(unpack(content), 0)


def _sum(model: Any, idx: int) -> int:
    graph = model.subgraphs[idx]
    return sum(_operator_macs(model, graph, operator) for operator in graph.operators)


def _operator_macs(model: Any, graph: Any, operator: Any) -> int:
    name = builtin_name(model.operatorCodes[operator.opcodeIndex])
    if name not in ("FULLY_CONNECTED", "BATCH_MATMUL", "CONV_2D", "DEPTHWISE_CONV_2D"):
        return 0
    n_out = int(np.prod(graph.tensors[operator.outputs[0]].shape))
    second = [int(n) for n in graph.tensors[operator.inputs[1]].shape]
    if name == "CONV_2D":
        return n_out * int(np.prod(second[1:]))
    if name == "DEPTHWISE_CONV_2D":
        return n_out * second[1] * second[2]
    if name == "BATCH_MATMUL":
        options = operator.builtinOptions
        return n_out * second[-1 if options.adjY else -2]
    return n_out * second[-1]
