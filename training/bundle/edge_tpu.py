"""Frozen layers as a full-int8 .tflite file that the Edge TPU's compiler takes, and its rules.

Neither the compiler nor a TPU was at hand: what is checked here is what its documentation asks for.

References
----------
Coral, TensorFlow models on the Edge TPU (coral.ai/docs/edgetpu/models-intro), "Model requirements"
and "Supported operations".
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from firmware_host.errors import ModelError
from firmware_host.inference.int8_layers import compiled_name, floats, quantised
from training.bundle.flatbuffer import builtin_name, constant, schema, unpack
from training.bundle.op_gate import check_ops

FloatArray = NDArray[np.float32]

# Without those that a file of ours would have to meet further conditions for.
SUPPORTED_OPS = frozenset(
    """ADD AVERAGE_POOL_2D CONCATENATION CONV_2D DEPTHWISE_CONV_2D EXPAND_DIMS FULLY_CONNECTED
    L2_NORMALIZATION LOGISTIC MAXIMUM MAX_POOL_2D MEAN MINIMUM MUL PACK PAD PRELU QUANTIZE
    REDUCE_MAX REDUCE_MIN RELU RELU6 RELU_N1_TO_1 RESHAPE RESIZE_BILINEAR RESIZE_NEAREST_NEIGHBOR
    RSQRT SLICE SOFTMAX SPACE_TO_DEPTH SPLIT SQUARED_DIFFERENCE SQUEEZE STRIDED_SLICE SUB SUM TANH
    TRANSPOSE TRANSPOSE_CONV""".split()  # noqa: SIM905  a list would be forty lines
)
_MAX_LARGE_DIMS = 3
COMPILER = "edgetpu_compiler"


class EdgeTpuError(ModelError):
    """A file breaks a rule that the compiler of the Edge TPU documents."""


def int8_files(
    file: str, layers: Callable[[Any], Any], name: str, representative: FloatArray
) -> dict[str, bytes]:
    """The file of `convert_int8` by name, and what the compiler makes of it if it is installed.

    Raises
    ------
    EdgeTpuError
        If the compiler does not take it.
    """
    content = convert_int8(layers, name, representative)
    if shutil.which(COMPILER) is None:
        return {file: content}
    return {file: content, compiled_name(file): _compiled(file, content)}


def convert_int8(layers: Callable[[Any], Any], name: str, representative: FloatArray) -> bytes:
    """File of one function, int8 in and out, from frozen layers.

    Parameters
    ----------
    name
        Of the input.
    representative
        (n, 1, ...) inputs; the ranges of all int8 tensors are taken from them.

    Raises
    ------
    EdgeTpuError, OpGateError
        If the file is nothing for the Edge TPU, or for a supported runtime.
    """
    import tensorflow as tf

    spec = tf.TensorSpec(representative.shape[1:], tf.float32, name=name)
    function = tf.function(layers).get_concrete_function(spec)
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function])
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([row] for row in representative)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    # Otherwise the converter writes FULLY_CONNECTED version 12, which tflite-runtime 2.14 refuses.
    converter._experimental_disable_per_channel_quantization_for_dense_layers = True
    with warnings.catch_warnings():
        # It asks for statistics that its former quantiser used, and takes the ranges it was given.
        warnings.filterwarnings("ignore", "Statistics for quantized inputs")
        content = bytes(converter.convert())
    check_edge_tpu(content)
    check_ops(content)
    return content


def as_layers(content: bytes) -> Callable[[Any], Any]:
    """What a file of `convert_int8` computes, by TensorFlow's own runtime: (N, ...) floats."""
    import tensorflow as tf

    interpreter = tf.lite.Interpreter(model_content=content, num_threads=1)
    interpreter.allocate_tensors()
    (given,), (made,) = interpreter.get_input_details(), interpreter.get_output_details()

    def one(row: FloatArray) -> FloatArray:
        interpreter.set_tensor(given["index"], quantised(row[None], given))
        interpreter.invoke()
        return floats(interpreter.get_tensor(made["index"]), made)

    return lambda x: tf.constant(np.concatenate([one(row) for row in np.asarray(x)]))


def check_edge_tpu(content: bytes) -> None:
    """Refuse what the compiler would leave on the CPU.

    Raises
    ------
    EdgeTpuError
        Naming everything that does not fit.
    """
    model = unpack(content)
    problems = [] if len(model.subgraphs) == 1 else [f"{len(model.subgraphs)} graphs"]
    for graph in model.subgraphs:
        for operator in graph.operators:
            problems += _op_problems(model, graph, operator)
        for tensor in graph.tensors:
            problems += _tensor_problems(model, tensor)
    if problems:
        raise EdgeTpuError(
            f"expected a file that the Edge TPU takes, got {', '.join(dict.fromkeys(problems))}"
        )


def _compiled(file: str, content: bytes) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / file
        path.write_bytes(content)
        command = [COMPILER, "--out_dir", folder, str(path)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        made = path.with_name(compiled_name(file))
        if done.returncode or not made.is_file():
            said = (done.stderr or done.stdout).strip().rpartition("\n")[2]
            raise EdgeTpuError(f"{COMPILER}: expected {made.name}, got {said or 'nothing'}")
        return made.read_bytes()


def _op_problems(model: Any, graph: Any, operator: Any) -> list[str]:
    name = builtin_name(model.operatorCodes[operator.opcodeIndex])
    if name not in SUPPORTED_OPS:
        return [f"op {name}"]
    weights = [graph.tensors[idx] for idx in operator.inputs[1:] if idx >= 0]
    has_weights = name in ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")
    if has_weights and any(constant(model, tensor) is None for tensor in weights):
        return [f"{name} with computed weights"]
    out = graph.tensors[operator.outputs[0]].shape
    if name == "FULLY_CONNECTED" and int(np.prod(out[:-1])) != 1:
        return [f"{name} of {int(np.prod(out[:-1]))} rows"]
    return []


def _tensor_problems(model: Any, tensor: Any) -> list[str]:
    types, is_constant = schema().TensorType, constant(model, tensor) is not None
    names = {v: k.lower() for k, v in vars(types).items() if isinstance(v, int)}
    problems = []
    # Biases and sizes are whole numbers, known beforehand.
    if tensor.type != types.INT8 and not (tensor.type == types.INT32 and is_constant):
        problems.append(f"a {names[tensor.type]} tensor")
    if tensor.shapeSignature is not None and (np.asarray(tensor.shapeSignature) < 0).any():
        problems.append("a size that is not fixed")
    if not is_constant and any(n > 1 for n in tensor.shape[:-_MAX_LARGE_DIMS]):
        problems.append(f"a tensor of shape {[int(n) for n in tensor.shape]}")
    return problems
