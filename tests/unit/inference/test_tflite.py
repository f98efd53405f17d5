"""The runtime's traps, one test each; what every model must do: tests/contract/test_model.py."""

from __future__ import annotations

import importlib
import subprocess
import sys
import threading
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


def test_memory_is_planned_before_any_function_is_asked_for(
    runtime: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The other way round, tflite-runtime 2.14 runs without its fast kernels.
    module, order = importlib.import_module(RUNTIMES[runtime]), []

    class Interpreter(module.Interpreter):
        def allocate_tensors(self):
            order.append("allocate")
            return super().allocate_tensors()

        def get_signature_runner(self, *name):
            order.append("runner")
            return super().get_signature_runner(*name)

    monkeypatch.setattr(module, "Interpreter", Interpreter)
    TfliteModel(GOLDEN, runtime=runtime)
    assert order[0] == "allocate"
    assert "runner" in order


def test_what_the_runtime_raises_is_one_line_and_the_next_call_works(runtime: str) -> None:
    model, x = TfliteModel(GOLDEN, runtime=runtime), np.zeros((1, 26), np.float32)
    working = model._runners["infer"]

    def fails(**_: np.ndarray) -> None:
        raise RuntimeError("gather index out of bounds\nNode number 7 failed to invoke.")

    model._runners["infer"] = fails
    with pytest.raises(InferenceError, match=rf"infer: {runtime} .* failed: gather") as caught:
        model.run("infer", x=x)
    assert "\n" not in str(caught.value)
    model._runners["infer"] = working
    assert model.run("infer", x=x)["probs"].sum() == pytest.approx(1.0)


def test_what_is_refused_never_reaches_the_runtime(runtime: str) -> None:
    # One call of the wrong shape, and the next correct one crashes tflite-runtime 2.14.
    model, asked = TfliteModel(GOLDEN, runtime=runtime), []
    model._runners["infer"] = lambda **arrays: asked.append(arrays)
    for bad in (np.zeros((2, 26), np.float32), np.zeros((1, 26)), np.full((1, 26), np.nan, "f4")):
        with pytest.raises(InferenceError):
            model.run("infer", x=bad)
    assert asked == []


def test_one_call_at_a_time_reaches_the_runtime(runtime: str) -> None:
    # Two at once corrupt the heap of tflite-runtime 2.14.
    model, x = TfliteModel(GOLDEN, runtime=runtime), np.zeros((1, 26), np.float32)
    inside, most, together = [0], [0], threading.Event()

    def counted(**arrays: np.ndarray) -> dict[str, np.ndarray]:
        inside[0] += 1
        most[0] = max(most[0], inside[0])
        # Long enough for the others to come in, if they could.
        together.wait(0.01)
        inside[0] -= 1
        return dict(arrays)

    model._runners["infer"] = counted
    threads = [threading.Thread(target=lambda: model.run("infer", x=x)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1]


def test_rows_that_lie_apart_in_memory_are_read_right(runtime: str) -> None:
    model = TfliteModel(GOLDEN, runtime=runtime)
    wide = np.random.default_rng(2).normal(size=(1, 52)).astype(np.float32)
    apart, together = wide[:, ::2], np.ascontiguousarray(wide[:, ::2])
    assert not apart.flags.c_contiguous
    received, expected = model.run("infer", x=apart), model.run("infer", x=together)
    assert received["logits"].tobytes() == expected["logits"].tobytes()


def test_values_go_where_their_name_says_though_the_runtime_sorts_the_names(runtime: str) -> None:
    # Many of these have the same shape: taken by position, they would change places unseen.
    model = TfliteModel(GOLDEN, runtime=runtime)
    state = model.run("get_adapter")
    marked = {n: np.full_like(v, i) for i, (n, v) in enumerate(sorted(state.items()))}
    model.run("set_adapter", **dict(reversed(marked.items())))
    for name, value in model.run("get_adapter").items():
        np.testing.assert_array_equal(value, marked[name], err_msg=name)


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
