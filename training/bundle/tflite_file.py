"""A network with its exported functions -> one small .tflite file of built-in ops."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from typing import Any, Literal, Protocol

import tensorflow as tf

from models.lora import AdapterState
from models.signatures import SignatureShapes
from training.bundle.artifacts import Backbone
from training.bundle.compact import store_compactly
from training.bundle.flatbuffer import pack, unpack
from training.bundle.nf4 import store_as_nf4
from training.bundle.op_gate import check_ops
from training.bundle.schedule import reorder

# "int8" is what ships: weights that `int8.rounded` put on a grid are stored in a quarter of the
# bytes, and every result stays as it was. "nf4" does the same for matrices that `nf4.rounded` put on
# 4-bit levels, besides. "dynamic-range", the converter's own int8, is there to be compared with: it
# rounds activations too.
Storage = Literal["int8", "nf4", "float32", "dynamic-range"]
STORAGE: dict[Backbone, Storage] = {"int8": "int8", "nf4": "nf4", "float": "float32"}


class Exportable(Protocol):
    """A tf.Module with a method per exported function, and the adapter that they share."""

    adapter: AdapterState

    @property
    def signatures(self) -> Mapping[str, SignatureShapes]:
        """Names and shapes of the exported functions."""
        ...


def convert(network: Exportable, *, storage: Storage = "int8") -> bytes:
    """Bytes of a .tflite file with all signatures of `network`, variables shared between them.

    `get_adapter`, `set_adapter` and `reset` come from the adapter state; every other signature is
    the method of that name.

    Raises
    ------
    OpGateError
        If the file needs an op that a supported runtime lacks.
    """
    functions = {
        name: _concrete(network, name, shapes) for name, shapes in network.signatures.items()
    }
    with tempfile.TemporaryDirectory() as folder:
        tf.saved_model.save(network, folder, signatures=functions)
        model = unpack(bytes(_converter(folder, sorted(functions), storage).convert()))
    if storage == "nf4":
        store_as_nf4(model)
    if storage in ("int8", "nf4"):
        store_compactly(model)
    reorder(model)
    content = pack(model)
    check_ops(content)
    return content


def _converter(folder: str, names: list[str], storage: Storage) -> Any:
    converter = tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=names)
    converter.experimental_enable_resource_variables = True
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    if storage == "dynamic-range":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    # Otherwise the converter writes FULLY_CONNECTED version 12, which tflite-runtime 2.14 refuses.
    converter._experimental_disable_per_channel_quantization_for_dense_layers = True
    return converter


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
