"""One stream a vault; everything else goes on beside it."""

from __future__ import annotations

import os
from pathlib import Path

from command import Wearer, one_line

from firmware_host.vault.lock import streaming
from firmware_host.vault.records import Vault


def test_second_stream_is_one_line_and_the_rest_goes_on(wearer: Wearer, tmp_path: Path) -> None:
    Vault.create(wearer.state, tmp_path / "key").close()
    device = ("--device", "synthetic:?scenario=short&hours=0.02")
    with streaming(wearer.state):
        for verb in (("run",), ("enrol", "baseline")):
            done = wearer.signet(*verb, *device)
            assert done.code == 7
            line = one_line(done)
            assert f"expected the vault free, got: in use by process {os.getpid()}" in line
        wearer.signet("label", "rest", "--last", "5m").check()
        wearer.signet("learn").check()
        wearer.signet("status").check()
        wearer.signet("report", "--out", tmp_path / "page.html").check()
    wearer.signet("run", *device, "--no-learn").check()
