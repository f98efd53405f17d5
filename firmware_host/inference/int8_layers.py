"""Frozen layers in full int8, on an accelerator or the CPU: floats in, floats out."""

from __future__ import annotations

import logging
import threading
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from firmware_host.errors import InferenceError
from firmware_host.inference.base import FloatArray
from firmware_host.inference.delegates import Accelerator, find_accelerator, on_cpu
from firmware_host.inference.tflite import first_line, import_runtime, open_interpreter, told_of

_LOGGER = logging.getLogger(__name__)


def compiled_name(file: str) -> str:
    """What the Edge TPU's compiler calls its output."""
    return f"{file.removesuffix('.tflite')}_edgetpu.tflite"


def accelerator_here(runtime: str, delegate: str) -> Accelerator:
    """What int8 layers would run on with these settings, whatever the bundle.

    Raises
    ------
    InferenceError
        If no runtime is installed.
    """
    _, module = import_runtime(runtime)
    return find_accelerator(delegate, module)


class Int8Layers:
    """One input, one output, a row at a time.

    Parameters
    ----------
    path
        The file as the CPU runs it.
    compiled
        The same as the Edge TPU's compiler wrote it, None if there is none: without it, there is
        nothing that a TPU could run.
    delegate
        One of `delegates.DELEGATES`.

    Raises
    ------
    BundleError, InferenceError
        As for `TfliteModel`.
    """

    def __init__(
        self,
        path: Path,
        *,
        compiled: Path | None = None,
        runtime: str = "auto",
        delegate: str = "auto",
    ) -> None:
        name, module = import_runtime(runtime)
        self._name = path.name
        self._lock = threading.Lock()
        self._accelerator = _accelerator(delegate, module, compiled)
        interpreter = self._accelerated(module, compiled)
        if interpreter is None:
            with told_of(path, name):
                interpreter = open_interpreter(module, path)
        self._interpreter = interpreter
        (self._input,) = interpreter.get_input_details()
        (self._output,) = interpreter.get_output_details()

    @property
    def runs_on(self) -> str:
        """What the layers run on, and why not on something faster."""
        return self._accelerator.text

    def run(self, x: FloatArray) -> FloatArray:
        """(1, ...) of one row; what is beyond the range of int8 counts as its end.

        Raises
        ------
        InferenceError
            If the row has another shape, or the runtime fails.
        """
        expected = tuple(int(n) for n in self._input["shape"])
        if x.shape != expected:
            raise InferenceError(f"{self._name}: expected shape {expected}, received {x.shape}")
        with self._lock:
            try:
                self._interpreter.set_tensor(self._input["index"], quantised(x, self._input))
                self._interpreter.invoke()
                # A copy: the next call must not change what the caller holds.
                out = np.array(self._interpreter.get_tensor(self._output["index"]))
            except (ValueError, RuntimeError) as err:
                raise InferenceError(f"{self._name}: {first_line(err)}") from err
        return floats(out, self._output)

    def _accelerated(self, module: Any, compiled: Path | None) -> Any | None:
        """An interpreter on the accelerator; None, and the reason kept, if that does not work."""
        if compiled is None or self._accelerator.delegate is None:
            return None
        try:
            return open_interpreter(module, compiled, [self._accelerator.delegate])
        except (ValueError, RuntimeError) as err:
            self._accelerator = on_cpu(f"{compiled.name}: {first_line(err)}")
            _LOGGER.warning("%s", self._accelerator.text)
            return None


def _accelerator(wanted: str, module: Any, compiled: Path | None) -> Accelerator:
    # Settings that are wrong are told in any case.
    if compiled is not None or wanted == "none":
        return find_accelerator(wanted, module)
    return on_cpu("the bundle has no file that was compiled for the Edge TPU")


def quantised(x: FloatArray, detail: dict[str, Any]) -> NDArray[np.int8]:
    """Nearest int8 levels of a tensor's values; what is beyond the range goes to its end."""
    scale, zero = detail["quantization"]
    levels: NDArray[np.int8] = np.clip(np.rint(x / scale) + zero, -128, 127).astype(np.int8)
    return levels


def floats(values: NDArray[np.int8], detail: dict[str, Any]) -> FloatArray:
    """What int8 levels of a tensor stand for."""
    scale, zero = detail["quantization"]
    return ((values.astype(np.float32) - np.float32(zero)) * np.float32(scale)).astype(np.float32)
