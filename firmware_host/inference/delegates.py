"""An accelerator if there is one, the CPU otherwise; which of the two, and why, is always told.

Only frozen int8 layers run on one. The library is tried in a process of its own first: one that
was built for another runtime crashes whoever loads it.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any

from firmware_host.errors import InferenceError

# libedgetpu's soname: Coral, "Run inference on the Edge TPU with Python".
LIBRARY = "libedgetpu.so.1"
DELEGATES = ("auto", "none", "edgetpu")
# A TPU on USB is given new firmware when it is first opened.
_PATIENCE_S = 20.0
# Its own way out: the runtimes' clean-up of a delegate that never was complains once more.
_TRY = """
import importlib, os, sys
try:
    importlib.import_module(sys.argv[1]).load_delegate(sys.argv[2])
except Exception as err:
    print(err, flush=True)
    os._exit(1)
os._exit(0)
"""


@dataclass(frozen=True, slots=True)
class Accelerator:
    """What frozen int8 layers run on: the loaded delegate, None for the CPU, and a line for people."""

    delegate: Any | None
    text: str


def on_cpu(reason: str) -> Accelerator:
    """No accelerator, for a reason."""
    return Accelerator(None, f"CPU: {reason}")


def find_accelerator(wanted: str, module: Any, *, library: str = LIBRARY) -> Accelerator:
    """Load the accelerator that is wanted, if it is there and works.

    Parameters
    ----------
    wanted
        One of `DELEGATES`.
    module
        The runtime's interpreter module.

    Raises
    ------
    InferenceError
        If `wanted` is none of them.
    """
    if wanted not in DELEGATES:
        raise InferenceError(f"delegate: expected one of {', '.join(DELEGATES)}, got {wanted!r}")
    if wanted == "none":
        return on_cpu("the settings ask for no delegate")
    problem = _problem(module.__name__, library)
    if problem:
        return on_cpu(f"{library} {problem}")
    return Accelerator(module.load_delegate(library), f"Edge TPU: {library}")


def _problem(module: str, library: str) -> str:
    """Why the library cannot be used, empty if it can."""
    # Here: most runs never ask.
    import subprocess

    command = [sys.executable, "-c", _TRY, module, library]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=_PATIENCE_S
        )
    except subprocess.TimeoutExpired:
        return f"did not answer within {_PATIENCE_S:g} s"
    except OSError as err:
        return f"could not be tried: {err.strerror}"
    if done.returncode == 0:
        return ""
    if done.returncode < 0:
        return f"crashes when it is loaded (signal {-done.returncode})"
    said = done.stdout.strip().partition("\n")[0]
    if "No such file" in said:
        return "is not installed"
    return f"does not load: {said or 'no reason given'}"
