"""Where a runtime really puts what it computes, without a delegate.

Run: python -m tests.training.real_arena FILE RUNTIME; prints bytes by function.
"""

from __future__ import annotations

import json
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from firmware_host.inference.tflite import RUNTIMES
from training.bundle.flatbuffer import builtin_name, constant, unpack

REPO = Path(__file__).resolve().parents[2]
# Bytes between two neighbours that are still of one block.
_GAP = 4096
# Lists of axes and the like, which the kernels keep elsewhere.
_SMALL = 64
_NUMBERS = (np.float32, np.int32, np.int8, np.uint8, np.bool_)


def measured_apart(path: Path, runtime: str) -> dict[str, int]:
    """The same from a process of its own, without TensorFlow."""
    command = [sys.executable, "-m", "tests.training.real_arena", str(path), runtime]
    done = subprocess.run(command, cwd=REPO, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def measured(path: Path, runtime: str) -> dict[str, int]:
    """From the first to the last byte of what each function computes."""
    module = import_module(RUNTIMES[runtime])
    plain = module.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    interpreter = module.Interpreter(str(path), experimental_op_resolver_type=plain, num_threads=1)
    interpreter.allocate_tensors()
    model, found = unpack(path.read_bytes()), {}
    for definition in model.signatureDefs:
        name = definition.signatureKey.decode()
        runner = interpreter.get_signature_runner(name)
        shapes = {n: d["shape"] for n, d in runner.get_input_details().items()}
        runner(**{n: np.zeros(shape, np.float32) for n, shape in shapes.items()})
        found[name] = _largest_block(_places(interpreter, model, definition.subgraphIndex))
    return found


def _largest_block(places: list[tuple[int, int]]) -> int:
    """Some results are small and kept elsewhere: the plan's block is the one in one piece."""
    blocks = [[0, 0]]
    for start, stop in sorted(places):
        if start - blocks[-1][1] > _GAP:
            blocks.append([start, stop])
        blocks[-1][1] = max(blocks[-1][1], stop)
    return max(stop - start for start, stop in blocks)


def _places(interpreter: Any, model: Any, graph_idx: int) -> list[tuple[int, int]]:
    graph = model.subgraphs[graph_idx]
    unpacked = {
        int(operator.outputs[0])
        for operator in graph.operators
        if builtin_name(model.operatorCodes[operator.opcodeIndex]) in ("DEQUANTIZE", "FILL")
    }
    wrapper, found = interpreter._interpreter, []
    for idx in range(wrapper.NumTensors(graph_idx)):
        # Behind the file's own are what the kernels ask for themselves.
        is_ours = idx < len(graph.tensors)
        if idx in unpacked or (is_ours and constant(model, graph.tensors[idx]) is not None):
            continue
        try:
            kind = wrapper.TensorType(idx, graph_idx)
        except ValueError:  # The name of a variable.
            continue
        array = wrapper.tensor(interpreter, idx, graph_idx) if kind in _NUMBERS else None
        if array is not None and (is_ours or array.nbytes > _SMALL):
            start = array.__array_interface__["data"][0]
            found.append((start, start + array.nbytes))
    return found


if __name__ == "__main__":
    print(json.dumps(measured(Path(sys.argv[1]), sys.argv[2])))
