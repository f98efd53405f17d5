"""Which ops a .tflite file holds, and whether every supported runtime has them."""

from __future__ import annotations

from firmware_host.errors import ModelError

# The newest version of each op that tflite-runtime 2.14 both loads and computes correctly;
# a file that needs more is refused there, or worse, loads and gives wrong numbers.
OP_VERSION_CEILING = {
    "FULLY_CONNECTED": 9,
    "CONV_2D": 5,
    "DEPTHWISE_CONV_2D": 3,
    "BATCH_MATMUL": 2,
    "DEQUANTIZE": 5,
    "ADD": 2,
    "MUL": 2,
    "MEAN": 2,
    "CONCATENATION": 2,
}


class OpGateError(ModelError):
    """An exported file holds an op that a supported runtime lacks."""


def op_versions(content: bytes) -> dict[str, int]:
    """Highest version of every op in a .tflite file, by name; custom ops as `CUSTOM:name`."""
    # Generated reader: needs no TensorFlow, and sees the versions that the converter hides.
    from ai_edge_litert import schema_py_generated as schema

    names = {v: k for k, v in vars(schema.BuiltinOperator).items() if isinstance(v, int)}
    model = schema.Model.GetRootAs(content, 0)
    versions: dict[str, int] = {}
    for idx in range(model.OperatorCodesLength()):
        code = model.OperatorCodes(idx)
        name = names[max(code.BuiltinCode(), code.DeprecatedBuiltinCode())]
        if code.CustomCode() is not None:
            name = f"CUSTOM:{code.CustomCode().decode()}"
        versions[name] = max(versions.get(name, 0), code.Version())
    return versions


def has_float16(content: bytes) -> bool:
    """Whether a .tflite file holds a float16 tensor."""
    from ai_edge_litert import schema_py_generated as schema

    model = schema.Model.GetRootAs(content, 0)
    graphs = [model.Subgraphs(idx) for idx in range(model.SubgraphsLength())]
    return any(
        graph.Tensors(idx).Type() == schema.TensorType.FLOAT16
        for graph in graphs
        for idx in range(graph.TensorsLength())
    )


def transposes_bytes(content: bytes) -> bool:
    """Whether a .tflite file turns an array of bytes around.

    tflite-runtime 2.14 then silently goes without its fast kernels, in every function of the file.
    """
    from ai_edge_litert import schema_py_generated as schema

    model = schema.Model.GetRootAs(content, 0)
    graphs = [model.Subgraphs(idx) for idx in range(model.SubgraphsLength())]
    return any(
        model.OperatorCodes(operator.OpcodeIndex()).BuiltinCode()
        == schema.BuiltinOperator.TRANSPOSE
        and graph.Tensors(operator.Inputs(0)).Type() == schema.TensorType.UINT8
        for graph in graphs
        for operator in map(graph.Operators, range(graph.OperatorsLength()))
    )


def check_ops(content: bytes) -> None:
    """Refuse what tflite-runtime 2.14 lacks or gets wrong: custom ops, new versions, float16.

    Raises
    ------
    OpGateError
        Naming every offending op.
    """
    bad = [
        f"{name} v{version}"
        for name, version in sorted(op_versions(content).items())
        if name.startswith("CUSTOM") or version > OP_VERSION_CEILING.get(name, 1)
    ]
    bad += ["TRANSPOSE of bytes"] * transposes_bytes(content)
    # It loads them and gives logits that are off by more than one.
    bad += ["float16 constants"] * has_float16(content)
    if bad:
        raise OpGateError(
            f"expected built-in ops that tflite-runtime 2.14 has, received {', '.join(bad)}"
        )
