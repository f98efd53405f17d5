"""frame.py on the official MicroPython build gives the golden bytes."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[2]
RUNNER = REPO / "sim" / "micropython"
FRAME = REPO / "firmware_host" / "protocol" / "frame.py"
GOLDEN = REPO / "tests" / "golden" / "frames.json"

pytestmark = pytest.mark.needs_node


@pytest.fixture
def run_on_micropython(tmp_path: Path):
    def run(code: str, *files: Path) -> str:
        script = tmp_path / "script.py"
        script.write_text(code)
        out = subprocess.run(
            ["node", RUNNER / "run.mjs", script, *files],
            capture_output=True,
            text=True,
            check=False,
        )
        assert out.returncode == 0, out.stderr
        return out.stdout

    return run


def test_interpreter_is_micropython(run_on_micropython) -> None:
    assert run_on_micropython("import sys; print(sys.implementation.name)").strip() == "micropython"


def test_golden_frames_both_ways(run_on_micropython) -> None:
    code = """
import json, frame
from binascii import hexlify, unhexlify
n = 0
for case in json.load(open("/frames.json")):
    fields, payload, code = case[:6], unhexlify(case[6]), case[7]
    assert hexlify(frame.encode(*fields, payload)).decode() == code, case
    decoder = frame.FrameDecoder()
    raw = unhexlify(code)
    got = decoder.feed(raw[:7]) + decoder.feed(raw[7:])
    assert got == [tuple(fields) + (payload,)], got
    n += 1
print(n)
"""
    assert run_on_micropython(code, FRAME, GOLDEN).strip() == "40"


def test_corrupt_bytes_are_counted(run_on_micropython) -> None:
    code = """
import frame
good = frame.encode(2, 1, 7, 0, 5, 0, b"abc")
bad = bytearray(good); bad[-3] ^= 0x80
decoder = frame.FrameDecoder()
print(len(decoder.feed(bytes(bad) + good)), decoder.bad_frames, decoder.skipped_bytes == len(good) - 1)
"""
    assert run_on_micropython(code, FRAME).strip() == "1 1 True"
