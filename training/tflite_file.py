"""A network with its exported functions -> one .tflite file of built-in ops, and the gate on it."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from typing import Any, Protocol

import tensorflow as tf

from firmware_host.errors import ModelError
from models.lora import AdapterState
from models.signatures import SignatureShapes

# The newest version of each op that tflite-runtime 2.14 both loads and computes correctly;
# a file that needs more is refused there, or worse, loads and gives wrong numbers.
OP_VERSION_CEILING = {
    "FULLY_CONNECTED": 9,
    "CONV_2D": 5,
    "DEPTHWISE_CONV_2D": 3,
    "BATCH_MATMUL": 2,
    "DEQUANTIZE": 3,
    "ADD": 2,
    "MUL": 2,
    "MEAN": 2,
    "CONCATENATION": 2,
}


class OpGateError(ModelError):
    """An exported file holds an op that a supported runtime lacks."""


class Exportable(Protocol):
    """A tf.Module with a method per exported function, and the adapter that they share."""

    adapter: AdapterState

    @property
    def signatures(self) -> Mapping[str, SignatureShapes]:
        """Names and shapes of the exported functions."""
        ...


def convert(network: Exportable) -> bytes:
    """Bytes of a .tflite file with all signatures of `network`, variables shared between them.

    `get_adapter`, `set_adapter` and `reset` come from the adapter state; every other signature is
    the method of that name.
    """
    functions = {
        name: _concrete(network, name, shapes) for name, shapes in network.signatures.items()
    }
    with tempfile.TemporaryDirectory() as folder:
        tf.saved_model.save(network, folder, signatures=functions)
        converter = tf.lite.TFLiteConverter.from_saved_model(
            folder, signature_keys=sorted(functions)
        )
        converter.experimental_enable_resource_variables = True
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
        content = bytes(converter.convert())
    check_ops(content)
    return content


def _concrete(network: Exportable, name: str, shapes: SignatureShapes) -> Any:
    specs = {n: tf.TensorSpec(s, tf.float32, name=n) for n, s in shapes.inputs.items()}
    call = {
        "get_adapter": network.adapter.read,
        "set_adapter": lambda **arrays: _done(network.adapter.write(arrays)),
        "reset": lambda: _done(network.adapter.reset()),
    }.get(name) or getattr(network, name)
    return tf.function(call).get_concrete_function(**specs)


def _done(_: None) -> dict[str, tf.Tensor]:
    # A signature without outputs cannot be run through a signature runner.
    return {"ok": tf.ones([1])}


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


def check_ops(content: bytes) -> None:
    """Refuse custom and Flex ops, and op versions that tflite-runtime 2.14 does not have.

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
    if bad:
        raise OpGateError(
            f"expected built-in ops that tflite-runtime 2.14 has, received {', '.join(bad)}"
        )
