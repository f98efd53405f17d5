"""The runtime's traps, one test each; what every model must do: tests/contract/test_model.py."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from firmware_host.errors import BundleError, InferenceError
from firmware_host.inference.tflite import RUNTIMES, TfliteModel, installed_runtimes

GOLDEN = Path(__file__).resolve().parents[2] / "golden" / "stress_random.tflite"


@pytest.fixture(params=list(RUNTIMES))
def runtime(request: pytest.FixtureRequest) -> str:
    if request.param not in installed_runtimes():
        pytest.skip(f"{request.param} is not installed here")
    return str(request.param)


def test_fast_kernels_are_on_when_loaded(runtime: str) -> None:
    assert TfliteModel(GOLDEN, runtime=runtime).accelerated


def test_runtime_says_its_name_and_version_when_asked(runtime: str) -> None:
    name, version = TfliteModel(GOLDEN, runtime=runtime).runtime.split(" ")
    assert name == runtime
    assert version[0].isdigit()


def test_auto_takes_the_first_installed_when_both_are() -> None:
    assert TfliteModel(GOLDEN).runtime.startswith(installed_runtimes()[0])


def test_missing_file_is_one_clear_line_when_loaded(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="no such file") as caught:
        TfliteModel(tmp_path / "stress.tflite")
    assert "\n" not in str(caught.value)


def test_garbage_is_one_clear_line_when_loaded(tmp_path: Path, runtime: str) -> None:
    path = tmp_path / "stress.tflite"
    path.write_bytes(b"not a flatbuffer" * 100)
    with pytest.raises(BundleError, match=rf"expected a .tflite file.*{runtime}") as caught:
        TfliteModel(path, runtime=runtime)
    assert "\n" not in str(caught.value)


def test_unknown_runtime_is_refused_when_named() -> None:
    with pytest.raises(InferenceError, match=r"'onnx'.*auto, tflite-runtime, ai-edge-litert"):
        TfliteModel(GOLDEN, runtime="onnx")


def test_error_says_what_to_install_when_no_runtime_is_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # None in sys.modules is how Python itself says "not importable".
    for module in RUNTIMES.values():
        monkeypatch.setitem(sys.modules, module.split(".")[0], None)
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(InferenceError, match="pip install ai-edge-litert") as caught:
        TfliteModel(GOLDEN)
    assert "\n" not in str(caught.value)
    assert installed_runtimes() == []


def test_old_runtime_is_left_out_when_numpy_is_too_new(monkeypatch: pytest.MonkeyPatch) -> None:
    # It imports with NumPy 2 and then dies, so the version decides.
    monkeypatch.setattr(np, "__version__", "2.1.0")
    assert "tflite-runtime" not in installed_runtimes()


def test_no_runtime_loads_when_the_module_is_imported() -> None:
    code = (
        "import sys, firmware_host.inference.tflite\n"
        "print([m for m in ('tflite_runtime', 'ai_edge_litert') if m in sys.modules])"
    )
    out = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=GOLDEN.parents[2],
    )
    assert out.stdout.strip() == "[]"


def test_nothing_is_printed_when_a_model_loads(
    runtime: str, capfd: pytest.CaptureFixture[str]
) -> None:
    TfliteModel(GOLDEN, runtime=runtime).run("infer", x=np.zeros((1, 26), np.float32))
    assert capfd.readouterr() == ("", "")


def test_bytes_are_equal_when_a_fresh_process_goes_on(tmp_path: Path, runtime: str) -> None:
    """20 steps in one piece and 10 + 10 over a restart give the same adapter, bit for bit."""
    script = tmp_path / "steps.py"
    script.write_text(
        "import sys, numpy as np\n"
        "from firmware_host.inference.tflite import TfliteModel\n"
        f"model = TfliteModel({str(GOLDEN)!r}, runtime={runtime!r})\n"
        "first, last, load, save = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4]\n"
        "if load != '-': model.run('set_adapter', **dict(np.load(load)))\n"
        "for step in range(first, last):\n"
        "    rng = np.random.default_rng(step)\n"
        "    x = rng.normal(size=(16, 26)).astype(np.float32)\n"
        "    y = np.eye(2, dtype=np.float32)[(x[:, 0] > 0).astype(int)]\n"
        "    model.run('train', x=x, y=y, weight=np.ones(16, np.float32),\n"
        "              lr=np.full(3, 0.02, np.float32), anchor=np.full(1, 0.1, np.float32))\n"
        "np.savez(save, **model.run('get_adapter'))\n"
    )

    def run(first: int, last: int, load: str, save: str) -> dict[str, bytes]:
        arguments = [str(first), str(last), load, str(tmp_path / save)]
        subprocess.run(
            [sys.executable, str(script), *arguments],
            cwd=GOLDEN.parents[2],
            check=True,
            capture_output=True,
            env={"PYTHONPATH": str(GOLDEN.parents[2]), "OMP_NUM_THREADS": "1"},
        )
        with np.load(tmp_path / save) as arrays:
            return {name: arrays[name].tobytes() for name in arrays.files}

    whole = run(0, 20, "-", "whole.npz")
    half = run(0, 10, "-", "half.npz")
    resumed = run(10, 20, str(tmp_path / "half.npz"), "resumed.npz")
    assert resumed == whole
    assert half != whole
