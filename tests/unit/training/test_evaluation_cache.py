"""The cache of computed windows: a damaged file is made anew, a bad place is one line."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from firmware_host.errors import StorageError
from training.cli import main
from training.datasets import stress_windows
from training.datasets.stress_windows import load_windows


class Source:
    """A made-up recording that counts how often it is read."""

    def __init__(self):
        self.n_opened = 0

    def fingerprint(self):
        return "f" * 64

    def open(self):
        self.n_opened += 1
        return SimpleNamespace(start_utc=0.0, content_sha256=lambda: "c" * 64)


@pytest.fixture
def session(monkeypatch):
    n = 50
    arrays = {
        "t_end_s": 60.0 + 10.0 * np.arange(n), "features": np.zeros((n, 26), np.float32),
        "quality": np.ones((n, 4)), "motion": np.zeros(n), "worn": np.ones(n, bool),
        "missing": np.zeros(n),
    }  # fmt: skip
    monkeypatch.setattr(stress_windows, "extract", lambda *_, **__: dict(arrays))
    return SimpleNamespace(person="made-up/1", source=Source(), stages=())


@pytest.mark.parametrize("kept", [0, 60, -20], ids=["empty", "cut early", "cut late"])
def test_damaged_file_is_replaced_when_it_cannot_be_read(tmp_path, session, kept):
    load_windows([session], cache_dir=tmp_path)
    (stored,) = tmp_path.iterdir()
    whole = stored.read_bytes()
    stored.write_bytes(whole[:kept])
    (again,) = load_windows([session], cache_dir=tmp_path)
    assert session.source.n_opened == 2
    assert len(again.t_end_s) == 50
    load_windows([session], cache_dir=tmp_path)
    assert session.source.n_opened == 2
    assert [path.name for path in tmp_path.iterdir()] == [stored.name]


def test_file_with_flipped_bits_is_replaced(tmp_path, session):
    load_windows([session], cache_dir=tmp_path)
    (stored,) = tmp_path.iterdir()
    content = bytearray(stored.read_bytes())
    content[len(content) // 2] ^= 0xFF
    stored.write_bytes(content)
    load_windows([session], cache_dir=tmp_path)
    assert session.source.n_opened == 2


def test_storage_error_is_raised_when_the_cache_cannot_be_made(session):
    with pytest.raises(StorageError, match="expected a folder for computed windows, got /dev/full"):
        load_windows([session], cache_dir=Path("/dev/full"))
    assert session.source.n_opened == 0


@pytest.mark.parametrize("place", ["/dev/full", "/proc/no-such/cache"])
@pytest.mark.parametrize("verb", ["evaluate", "loso"])
def test_command_ends_with_one_line_when_the_cache_cannot_be_made(capsys, tmp_path, verb, place):
    words = ["--task", "stress", "--dataset", "stress-predict", "--data", str(tmp_path)]
    assert main([verb, *words, "--cache", place]) == 8
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: expected a folder for computed windows")
    assert len(err.splitlines()) == 1
