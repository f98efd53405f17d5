"""A .tflite file behind the model seam; the only file that imports a TFLite runtime."""

from __future__ import annotations

import importlib
import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from firmware_host.errors import BundleError, InferenceError
from firmware_host.inference.base import (
    FloatArray,
    Signature,
    check_inputs,
    find_signature,
    signature_of,
)

# Distribution -> module. In the order tried: tflite-runtime takes a fraction of the space and
# memory, and has no wheel after CPython 3.11.
RUNTIMES = {
    "tflite-runtime": "tflite_runtime.interpreter",
    "ai-edge-litert": "ai_edge_litert.interpreter",
}


class TfliteModel:
    """All signatures of one .tflite file, on the CPU, one thread.

    The adapter lives inside the model: it is shared by the signatures, kept between calls and
    gone with the object.

    Parameters
    ----------
    path
        The file; it stays mapped while the model lives.
    runtime
        "auto" takes the first installed of `RUNTIMES`, otherwise one of its names.

    Raises
    ------
    BundleError
        If the file is missing or the runtime cannot load it.
    InferenceError
        If no runtime is installed.
    """

    def __init__(self, path: str | Path, *, runtime: str = "auto") -> None:
        self._runtime, module = import_runtime(runtime)
        self._path = Path(path)
        # Calls from two threads corrupt the heap of tflite-runtime 2.14.
        self._lock = threading.Lock()
        with told_of(self._path, self._runtime):
            self._interpreter = open_interpreter(module, self._path)
            self._runners, self._signatures = _read_signatures(self._interpreter)

    @property
    def signatures(self) -> Mapping[str, Signature]:
        """Every exported function by name."""
        return self._signatures

    @property
    def runtime(self) -> str:
        """Name and version of the runtime in use; numbers are byte-equal only within one."""
        return self._runtime

    @property
    def runs_on(self) -> str:
        """The runtime, and whether its fast kernels are on."""
        return f"{self._runtime}, {'fast' if self.accelerated else 'plain'} kernels"

    @property
    def accelerated(self) -> bool:
        """Whether the runtime's fast CPU kernels took over part of the graph."""
        return any(op["op_name"] == "DELEGATE" for op in self._interpreter._get_ops_details())

    def run(self, signature: str, **arrays: FloatArray) -> dict[str, FloatArray]:
        """Call one signature; gives its outputs by name, each a copy."""
        check_inputs(find_signature(self._signatures, signature), arrays)
        with self._lock:
            try:
                outputs = self._runners[signature](**arrays)
            except (ValueError, RuntimeError) as err:
                raise InferenceError(
                    f"{self._path.name} {signature}: {self._runtime} failed: {first_line(err)}"
                ) from err
            # One runtime's runners hand out copies, another release's may not: the next call
            # must never change what a caller already holds.
            return {name: np.array(value, np.float32) for name, value in outputs.items()}


def installed_runtimes() -> list[str]:
    """Names of the runtimes that import here, in the order "auto" tries them."""
    return [name for name in RUNTIMES if _try_import(name) is not None]


def open_interpreter(module: Any, path: Path, delegates: Sequence[Any] = ()) -> Any:
    """An interpreter whose tensors have their memory, without a word on standard error.

    Raises
    ------
    BundleError
        If the file is missing.
    ValueError, RuntimeError
        Whatever the runtime has against it.
    """
    if not path.is_file():
        raise BundleError(path, "a .tflite file", "no such file")
    with _quiet():
        more = {"experimental_delegates": list(delegates)} if delegates else {}
        interpreter = module.Interpreter(model_path=str(path), num_threads=1, **more)
        # tflite-runtime turns its fast kernels on here, if no runner exists yet.
        interpreter.allocate_tensors()
    return interpreter


@contextmanager
def told_of(path: Path, runtime: str) -> Iterator[None]:
    """Turn what a runtime has against a file into one line."""
    try:
        yield
    except (ValueError, RuntimeError) as err:
        received = f"{runtime} says: {first_line(err)}"
        raise BundleError(path, "a .tflite file that this host can load", received) from err


def import_runtime(wanted: str) -> tuple[str, Any]:
    """Name with version, and interpreter module, of a runtime; "auto" takes the first installed.

    Raises
    ------
    InferenceError
        If there is none, or no such one.
    """
    if wanted != "auto" and wanted not in RUNTIMES:
        known = ", ".join(["auto", *RUNTIMES])
        raise InferenceError(f"runtime {wanted!r} is not known; expected one of: {known}")
    names = list(RUNTIMES) if wanted == "auto" else [wanted]
    for name in names:
        module = _try_import(name)
        if module is not None:
            return f"{name} {_version(name)}", module
    raise InferenceError(
        f"no TFLite runtime ({' or '.join(names)}) is usable here; "
        "install with: pip install 'tflite-runtime==2.14.0' 'numpy<2' (Python 3.11) "
        "or: pip install ai-edge-litert (newer Python)"
    )


def _version(name: str) -> str:
    package = importlib.import_module(RUNTIMES[name].partition(".")[0])
    version: str | None = getattr(package, "__version__", None)
    if version is not None:
        return version
    # Only if need be: it brings the e-mail parser along, 2 MB of memory.
    from importlib import metadata

    return metadata.version(name)


def _try_import(name: str) -> Any | None:
    # tflite-runtime 2.14 was built against NumPy 1: with NumPy 2 it imports and then dies.
    if name == "tflite-runtime" and not np.__version__.startswith("1."):
        return None
    try:
        return importlib.import_module(RUNTIMES[name])
    except ImportError:
        return None


@contextmanager
def _quiet() -> Iterator[None]:
    # The runtimes greet on file descriptor 2 whenever a model loads, past every logger; what
    # goes wrong comes as an exception.
    try:
        kept = os.dup(2)
    except OSError:
        yield
        return
    try:
        with open(os.devnull, "wb") as nothing:  # noqa: PTH123  a descriptor is all we need
            os.dup2(nothing.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def _read_signatures(interpreter: Any) -> tuple[dict[str, Any], dict[str, Signature]]:
    runners, signatures = {}, {}
    for name in interpreter.get_signature_list():
        runner = interpreter.get_signature_runner(name)
        runners[name] = runner
        # By name: the runtime lists them in alphabetical order, not in that of the declaration.
        signatures[name] = signature_of(
            name, _shapes(runner.get_input_details()), _shapes(runner.get_output_details())
        )
    return runners, signatures


def _shapes(details: Mapping[str, Mapping[str, Any]]) -> dict[str, tuple[int, ...]]:
    return {name: tuple(int(n) for n in detail["shape"]) for name, detail in details.items()}


def first_line(err: Exception) -> str:
    """What an exception says, in one line."""
    return str(err).strip().split("\n", 1)[0]
