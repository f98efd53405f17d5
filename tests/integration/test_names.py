"""Names of files that no locale foresees are printed so that they can be read."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from command import ENV, command

C_LOCALE = {"LC_ALL": "C", "PYTHONUTF8": "0"}


def _said(*arguments: bytes, cwd: Path, env: dict[str, str]) -> tuple[int, str]:
    done = subprocess.run(
        [*map(os.fsencode, command()), *arguments],
        cwd=cwd,
        env={**ENV, **env},
        capture_output=True,
        timeout=60,
        check=False,
    )
    return done.returncode, (done.stdout + done.stderr).decode("utf-8")


@pytest.mark.parametrize(
    ("name", "env", "shown"),
    [
        ("walké.mcap".encode(), {}, "walké.mcap"),
        ("walké.mcap".encode(), C_LOCALE, "walk\\xe9.mcap"),
        (b"walk\xff.mcap", {}, "walk\\xff.mcap"),
        (b"walk\xff.mcap", C_LOCALE, "walk\\xff.mcap"),
    ],
)
def test_name_of_a_recording_is_readable(
    tmp_path: Path, name: bytes, env: dict[str, str], shown: str
) -> None:
    device = b"synthetic:?seed=8&scenario=short&hours=0.01"
    for expected, words in ((0, " 1 label: "), (4, "already there")):
        code, said = _said(b"record", b"--device", device, b"--out", name, cwd=tmp_path, env=env)
        assert code == expected, said
        assert words in said
        assert shown in said
        assert "udc" not in said
        assert "Traceback" not in said
    # Quoted in a refusal.
    bad = name.removesuffix(b".mcap") + b".edf"
    code, said = _said(b"record", b"--device", device, b"--out", bad, cwd=tmp_path, env=env)
    assert code == 2
    assert "udc" not in said
