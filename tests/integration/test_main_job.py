"""The main job on a real person: stream, watch, learn from labels, keep or not, still there afterwards."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from command import ENV, REPO, Wearer

pytestmark = pytest.mark.needs_data


@pytest.fixture(scope="module")
def person(data_dir: Path) -> tuple[Path, Path]:
    study = data_dir / "stress-predict"
    return sorted((study / "e4").glob("*.zip"))[1], study / "labels.csv.gz"


def test_real_recording_is_watched_learned_from_and_reported(
    wearer: Wearer, person: tuple[Path, Path], tmp_path: Path
) -> None:
    recording, labels = person
    url = f"replay:{recording}"
    done = wearer.signet("run", "--device", url, "--labels", labels, "--json").check()
    summary = done.events[-1]
    assert summary["bad_frames"] == 0
    assert summary["seen_in_training"] is True
    assert summary["sockets_opened"] == 0
    assert len(summary["learned"]) >= 1
    assert all(job["text"] for job in summary["learned"])
    states = {e["state"] for e in done.events if e["kind"] == "stress"}
    assert {"rest", "learning_baseline"} <= states
    page = tmp_path / "report.html"
    told = wearer.signet("report", "--out", page, "--json").check().json
    assert told["later"]["n_windows"] > 20
    assert page.read_text().startswith("<!DOCTYPE html>")
    after = wearer.signet("status", "--json").check().json
    kept = [job for job in summary["learned"] if job["kept"]]
    assert after["adapter"] == len(kept)
    assert after["baseline"] == "guided"


def test_recording_through_a_board_gives_the_features_of_the_file(
    wearer: Wearer, person: tuple[Path, Path]
) -> None:
    """The simulated board wears the recording; the host sees the windows it sees in the file itself."""
    recording, _ = person
    url = f"synthetic:?recording={recording}&hours=0.25"
    worn = wearer.signet("run", "--device", url, "--no-learn", "--json").check()
    from command import signet

    filed = signet("replay", recording, "--json").check()

    def states(events: list[dict]) -> dict[float, str]:
        return {e["t_s"]: e["state"] for e in events if e["kind"] == "stress" and e["t_s"] <= 850}

    assert len(states(worn.events)) > 70
    assert states(worn.events) == states(filed.events)


def test_library_prints_nothing_of_the_body_at_debug_level(
    wearer: Wearer, person: tuple[Path, Path]
) -> None:
    recording, _ = person
    done = wearer.signet("run", "--device", f"replay:{recording}", "--log", "debug", "--json")
    assert done.check().err.count("\n") < 50
    assert "hr_" not in done.err


def test_terminal_shows_progress_and_a_pipe_does_not(recording: Path) -> None:
    master, slave = pty.openpty()
    shown = bytearray()

    def read() -> None:
        try:
            while part := os.read(master, 4096):
                shown.extend(part)
        except OSError:
            return

    reader = threading.Thread(target=read)
    reader.start()
    subprocess.run(
        [sys.executable, "-m", "firmware_host", "replay", str(recording)],
        cwd=REPO,
        env=ENV,
        stdout=subprocess.DEVNULL,
        stderr=slave,
        check=True,
    )
    os.close(slave)
    reader.join(timeout=10)
    os.close(master)
    assert b"streamed" in shown
    assert b"\r" in shown
