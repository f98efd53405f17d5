"""An accelerator that is there, is not, is broken or crashes: a clear line, and the CPU."""

from __future__ import annotations

import importlib
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from firmware_host.errors import InferenceError
from firmware_host.inference import int8_layers
from firmware_host.inference.delegates import LIBRARY, Accelerator, find_accelerator, on_cpu
from firmware_host.inference.int8_layers import Int8Layers, compiled_name
from firmware_host.inference.tflite import RUNTIMES, installed_runtimes

GOLDEN = Path(__file__).resolve().parents[2] / "golden"
FILE = GOLDEN / "stress_random_int8.tflite"
ROW = np.linspace(-2.0, 2.0, 26, dtype=np.float32)[None]

# What TFLite asks of a delegate's library; this one takes nothing away from the CPU.
WORKS = """
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
typedef struct Delegate {
  void* data; int (*prepare)(void*, struct Delegate*); void* from; void* to; void* release;
  int64_t flags; void* builder;
} Delegate;
static int prepare(void* context, Delegate* delegate) { return 0; }
Delegate* tflite_plugin_create_delegate(char** k, char** v, size_t n, void (*e)(const char*)) {
  Delegate* made = calloc(1, 2 * sizeof(Delegate));
  made->prepare = prepare;
  return made;
}
void tflite_plugin_destroy_delegate(Delegate* delegate) { free(delegate); }
"""
NO_DEVICE = """
#include <stddef.h>
void* tflite_plugin_create_delegate(char** k, char** v, size_t n, void (*e)(const char*)) {
  e("no device"); return NULL;
}
void tflite_plugin_destroy_delegate(void* delegate) {}
"""
CRASHES = NO_DEVICE.replace('e("no device"); return NULL;', "__builtin_trap();")
REFUSES = WORKS.replace("{ return 0; }", "{ return 1; }")


@pytest.fixture(params=list(RUNTIMES))
def runtime(request: pytest.FixtureRequest) -> str:
    if request.param not in installed_runtimes():
        pytest.skip(f"{request.param} is not installed here")
    return str(request.param)


@pytest.fixture
def module(runtime: str):
    return importlib.import_module(RUNTIMES[runtime])


def library(folder: Path, source: str) -> str:
    if shutil.which("gcc") is None:
        pytest.skip("needs gcc")
    (folder / "delegate.c").write_text(source)
    made = folder / "libfake.so"
    command = ["gcc", "-shared", "-fPIC", "-w", "-o", str(made), str(folder / "delegate.c")]
    subprocess.run(command, check=True)
    return str(made)


def test_none_is_asked_for_and_nothing_is_looked_for(module) -> None:
    found = find_accelerator("none", module, library="/nonexistent")
    assert found == on_cpu("the settings ask for no delegate")


def test_missing_library_is_one_line(module) -> None:
    found = find_accelerator("auto", module, library="libno-such-tpu.so.1")
    assert found.delegate is None
    assert found.text == "CPU: libno-such-tpu.so.1 is not installed"


def test_file_that_is_no_library_is_one_line(module, tmp_path: Path) -> None:
    path = tmp_path / "libedgetpu.so.1"
    path.write_bytes(b"no library")
    found = find_accelerator("edgetpu", module, library=str(path))
    assert found.text.startswith(f"CPU: {path} does not load: ")
    assert "\n" not in found.text


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("int nothing;", "does not load"),
        (NO_DEVICE, "does not load"),
        (CRASHES, r"crashes when it is loaded \(signal \d+\)"),
    ],
)
def test_broken_library_leaves_this_process_alive(
    module, tmp_path: Path, source: str, says: str
) -> None:
    found = find_accelerator("auto", module, library=library(tmp_path, source))
    assert found.delegate is None
    assert "\n" not in found.text
    assert re.search(says, found.text)


def test_unknown_name_is_refused(module) -> None:
    with pytest.raises(InferenceError, match=r"expected one of auto, none, edgetpu, got 'gpu'"):
        find_accelerator("gpu", module)


def test_layers_run_on_a_delegate_that_works(
    runtime: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = library(tmp_path, WORKS)
    use(monkeypatch, path)
    layers = Int8Layers(FILE, compiled=FILE, runtime=runtime)
    assert layers.runs_on == f"Edge TPU: {path}"
    assert layers.run(ROW).tobytes() == Int8Layers(FILE, runtime=runtime).run(ROW).tobytes()


def test_layers_run_on_the_cpu_when_the_delegate_refuses_the_file(
    runtime: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, library(tmp_path, REFUSES))
    layers = Int8Layers(FILE, compiled=FILE, runtime=runtime)
    assert layers.runs_on.startswith(f"CPU: {FILE.name}: ")
    assert layers.run(ROW).shape == (1, 16)


def test_layers_run_on_the_cpu_when_nothing_was_compiled(runtime: str) -> None:
    layers = Int8Layers(FILE, runtime=runtime, delegate="edgetpu")
    assert layers.runs_on == "CPU: the bundle has no file that was compiled for the Edge TPU"


def test_layers_run_on_the_cpu_when_the_library_is_not_there(
    runtime: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, "libno-such-tpu.so.1")
    layers = Int8Layers(FILE, compiled=FILE, runtime=runtime)
    assert layers.runs_on == "CPU: libno-such-tpu.so.1 is not installed"
    assert np.isfinite(layers.run(ROW)).all()


def use(monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    """Look for another library than libedgetpu."""

    def find(wanted: str, module) -> Accelerator:
        return find_accelerator(wanted, module, library=path)

    monkeypatch.setattr(int8_layers, "find_accelerator", find)


def test_names_are_those_of_the_vendor() -> None:
    assert LIBRARY == "libedgetpu.so.1"
    assert compiled_name("a_int8.tflite") == "a_int8_edgetpu.tflite"
