"""Fixtures for every test: seeded chance, a clock that only moves when told, real recordings if there are any."""

from __future__ import annotations

import logging
import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

REPO = Path(__file__).resolve().parent.parent


# tflite-runtime has no wheel after CPython 3.11. There it must be tested, elsewhere it cannot be.
_HAS_OLD_RUNTIME = sys.version_info < (3, 12)


_HAS_MICROPYTHON = bool(shutil.which("node")) and (REPO / "sim/micropython/node_modules").is_dir()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    needs = pytest.mark.skip(reason="needs Node.js and the npm package: tools/install-tools.sh")
    for item in items:
        if not _HAS_MICROPYTHON and item.get_closest_marker("needs_node"):
            item.add_marker(needs)
    if _HAS_OLD_RUNTIME:
        return
    skip = pytest.mark.skip(reason="tflite-runtime has no wheel for this Python")
    for item in items:
        params = getattr(getattr(item, "callspec", None), "params", {})
        if any(isinstance(v, str) and v == "tflite-runtime" for v in params.values()):
            item.add_marker(skip)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(20260105)


@dataclass
class FakeClock:
    """Seconds that pass only when a test says so."""

    now_s: float = 1_767_600_000.0

    def __call__(self) -> float:
        return self.now_s

    def advance(self, seconds: float) -> None:
        self.now_s += seconds


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture(scope="session")
def data_dir() -> Path:
    folder = Path(os.environ.get("SIGNET_DATA") or REPO.parent / "shared" / "data")
    if not (folder / "stress-predict").is_dir():
        pytest.skip(f"no real recordings: set SIGNET_DATA ({folder} is not there)")
    return folder.resolve()


@pytest.fixture(scope="session")
def repo() -> Path:
    return REPO


class _StrictFormat(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        record.getMessage()  # raises on a bad format string, which logging itself would swallow


@pytest.fixture(autouse=True)
def _log_messages_format() -> Iterator[None]:
    handler = _StrictFormat()
    root = logging.getLogger()
    root.addHandler(handler)
    yield
    root.removeHandler(handler)
