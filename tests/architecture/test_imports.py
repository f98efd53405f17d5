"""The house's import directions, read from the source and checked in a fresh process."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[2]
HOST = REPO / "firmware_host"

# Lower to upper. Rooms on one level are siblings and do not import each other.
LEVELS: list[set[str]] = [
    {"units", "errors", "events", "reconnect", "scoring", "files", "words"},
    {"protocol"},
    {"transport", "recording", "stream"},
    {"signals"},
    {"vault", "host", "report"},
    {"inference", "identity", "publish"},
    {"adaptation"},
    {"config", "devices", "runtime", "flash"},
    {"explain"},
    {"cli"},
    {"__main__"},
]
LEVEL = {room: i for i, rooms in enumerate(LEVELS) for room in rooms}
# Joined on purpose: `runtime` is the one place where layers meet, and it meets these two of its own level;
# what was flashed is asked what it is.
MAY_MEET = {
    ("runtime", "devices"),
    ("flash", "devices"),
    ("runtime", "config"),
    ("identity", "inference"),
}
# One third-party library, one file.
ONLY_IN = {
    "serial": {"transport/serial_port.py", "host/ports.py"},
    "tflite_runtime": {"inference/tflite.py"},
    "ai_edge_litert": {"inference/tflite.py"},
    "mcap": {
        "recording/mcap_chunks.py",
        "recording/mcap_index.py",
        "recording/mcap_topics.py",
        "recording/mcap_part.py",
        "recording/mcap_reader.py",
        "recording/mcap_records.py",
    },
    "edfio": {"recording/edf_reader.py"},
    "pyxdf": {"recording/xdf_reader.py"},
    "paho": {"publish/mqtt.py"},
    "cryptography": {"vault/keys.py"},
}
NEVER_ON_HOST = {
    "tensorflow", "keras", "pandas", "sklearn", "scipy", "matplotlib", "torch",
    "training", "models", "sim", "tests",
}  # fmt: skip
PURE = {"protocol": {"numpy", "socket", "serial", "asyncio"}}
SIM_MAY = {"protocol", "recording", "units", "errors"}
TRAINING_NEVER = {"transport", "publish", "runtime", "cli", "devices"}


def _imports(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import; say the full name"
            base = node.module or ""
            names |= {f"{base}.{alias.name}" for alias in node.names} | {base}
    return names


def _room(path: Path) -> str:
    first = path.relative_to(HOST).parts[0]
    return first.removesuffix(".py")


def _files(folder: Path) -> list[Path]:
    skip = {"node_modules", "board", "microbit", "__pycache__"}
    return [p for p in sorted(folder.rglob("*.py")) if not skip & set(p.parts)]


def _own_rooms(names: set[str]) -> set[str]:
    parts = [name.split(".") for name in names]
    return {p[1] for p in parts if p[0] == "firmware_host" and len(p) > 1} - {"__version__"}


HOST_FILES = [p for p in _files(HOST) if p.name != "__init__.py" or p.parent != HOST]


@pytest.mark.parametrize("path", HOST_FILES, ids=lambda p: str(p.relative_to(REPO)))
def test_host_file_imports_only_lower_rooms(path: Path) -> None:
    room = _room(path)
    for other in _own_rooms(_imports(path)) - {room}:
        assert other in LEVEL, f"room {other} has no place in LEVELS"
        allowed = LEVEL[other] < LEVEL[room] or (room, other) in MAY_MEET
        assert allowed, f"{path.relative_to(REPO)} ({room}) may not import {other}"


@pytest.mark.parametrize("path", HOST_FILES, ids=lambda p: str(p.relative_to(REPO)))
def test_host_file_imports_no_foreign_library(path: Path) -> None:
    tops = {name.split(".")[0] for name in _imports(path)}
    assert not tops & NEVER_ON_HOST
    assert not tops & PURE.get(_room(path), set())
    where = str(path.relative_to(HOST))
    for library, homes in ONLY_IN.items():
        assert library not in tops or where in homes, f"{library} belongs in {homes}"


@pytest.mark.parametrize("path", _files(REPO / "sim"), ids=lambda p: str(p.relative_to(REPO)))
def test_simulator_imports_only_the_wire(path: Path) -> None:
    names = _imports(path)
    assert _own_rooms(names) <= SIM_MAY
    assert not {name.split(".")[0] for name in names} & {"training", "models", "tensorflow"}


@pytest.mark.parametrize("path", _files(REPO / "training"), ids=lambda p: str(p.relative_to(REPO)))
def test_training_imports_no_streaming(path: Path) -> None:
    assert not _own_rooms(_imports(path)) & TRAINING_NEVER


@pytest.mark.parametrize("path", _files(REPO / "models"), ids=lambda p: str(p.relative_to(REPO)))
def test_models_import_nothing_of_the_host(path: Path) -> None:
    assert not _own_rooms(_imports(path))


HEAVY = ["numpy", "scipy", "tflite_runtime", "ai_edge_litert", "tensorflow", "serial", "mcap"]
HEAVY += ["cryptography", "sqlite3", "socket"]


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys, contextlib, io\n"
        "from firmware_host.__main__ import main\n"
        "with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()):\n"
        "    main(['--help'])\n"
        f"print([m for m in {HEAVY!r} if m in sys.modules])"
    )
    out = subprocess.run(
        [sys.executable, "-c", code], cwd=REPO, capture_output=True, text=True, check=True
    )
    assert out.stdout.strip() == "[]"


def test_host_modules_import_without_training_libraries() -> None:
    """Every host module imports in a process where TensorFlow and its kin do not exist."""
    modules = [
        ".".join(p.relative_to(REPO).with_suffix("").parts).removesuffix(".__init__")
        for p in _files(HOST)
    ]
    code = (
        "import importlib, sys\n"
        "class Block:\n"
        "    def find_spec(self, name, *_):\n"
        f"        if name.split('.')[0] in {sorted(NEVER_ON_HOST - {'tests'})!r}:\n"
        "            raise ImportError('blocked: ' + name)\n"
        "sys.meta_path.insert(0, Block())\n"
        f"for name in {modules!r}: importlib.import_module(name)\n"
        "print('ok')"
    )
    out = subprocess.run(
        [sys.executable, "-c", code], cwd=REPO, capture_output=True, text=True, check=False
    )
    assert out.stdout.strip() == "ok", out.stderr
