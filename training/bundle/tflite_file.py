"""A network with its exported functions -> one .tflite file of built-in ops."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from typing import Any, Protocol

import tensorflow as tf

from models.lora import AdapterState
from models.signatures import SignatureShapes
from training.bundle.op_gate import check_ops


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
