from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from command import Wearer, signet

SHORT = "synthetic:?seed=8&scenario=short"


@pytest.fixture
def wearer(tmp_path: Path) -> Wearer:
    return Wearer(tmp_path)


@pytest.fixture(scope="session")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve simulated minutes as a recording."""
    path = tmp_path_factory.mktemp("recording") / "short.mcap"
    signet("record", "--device", SHORT + "&hours=0.2", "--out", path).check()
    return path
