"""Calls of the library that make no sense: one clear line, before anything is opened or written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import firmware_host as signet
from firmware_host.errors import ConfigError

SIMULATED: Any = "synthetic:?hours=0.01"


@pytest.mark.parametrize(
    ("call", "line"),
    [
        (lambda: signet.open(SIMULATED, rates={"acc": -1}), r"device.rates.acc: .* got -1"),
        (lambda: signet.open(SIMULATED, rates=5), r"rates: expected a mapping .* got 5"),  # type: ignore[arg-type]
        (lambda: signet.open("a.mcap", rates={"acc": 77}), "rates: .* a recording has .* 'a.mcap'"),
        (lambda: signet.open(Path("a.edf"), rates={"acc": 77}), "rates: .* a board, .* 'a.edf'"),
        (
            lambda: signet.open("replay:a.zip", rates={"eda": 2}),
            "rates: .* a board, .* 'replay:a.zip'",
        ),
        (lambda: signet.open(SIMULATED, silence_s=0), "silence_s: .* above 0, got 0"),
        (lambda: signet.open(SIMULATED, max_silence_s=-1), "max_silence_s: .* got -1"),
        (lambda: signet.open(SIMULATED, max_silence_s=True), "max_silence_s: .* got True"),
        (lambda: signet.open(None), "device: .* not empty, got None"),  # type: ignore[arg-type]
        (lambda: signet.open(b""), "device: .* got b''"),  # type: ignore[arg-type]
        (lambda: signet.open(""), "device: .* got ''"),
        (lambda: signet.record(SIMULATED, "a.mcap", seconds=-1), "seconds: .* got -1"),
        (lambda: signet.record(SIMULATED, "a.mcap", seconds="x"), "seconds: .* got 'x'"),  # type: ignore[arg-type]
        (lambda: signet.record(SIMULATED, "a.edf"), r"target: .* ends in \.mcap .* got 'a.edf'"),
        (lambda: signet.convert("", "a.csv"), "source: .* got ''"),
    ],
)
def test_senseless_call_is_refused_in_one_line(
    call: Callable[[], object], line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=line):
        call()
    assert list(tmp_path.iterdir()) == []
