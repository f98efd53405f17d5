"""Lost blocks are asked for and fill their gaps; sample rates are set: through the command, as a user does."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from command import ENV, REPO, Wearer, command, one_line, signet

from firmware_host.recording.registry import open_recording

DEVICE = "synthetic:?seed=8&scenario=short&hours=0.04"
OUTAGE = f"{DEVICE}&fault=unplug=60:20"
PATIENCE_S = 40.0


def _run(wearer: Wearer, device: str, *options: str | Path) -> tuple[list[str], dict[str, Any]]:
    """Event lines and the summary."""
    done = wearer.signet("run", "--device", device, "--no-learn", "--json", *options).check()
    *events, last = done.out.splitlines()
    return events, json.loads(last)


def _scored(events: list[str]) -> list[str]:
    return [line for line in events if '"kind":"stream"' not in line]


def _without_host_time(events: list[str]) -> list[dict[str, Any]]:
    return [{k: v for k, v in json.loads(line).items() if k != "utc"} for line in events]


@pytest.fixture(scope="module")
def outage(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str], dict[str, Any]]:
    """A run whose cable was out for 20 s: recording, events, summary."""
    folder = tmp_path_factory.mktemp("outage")
    events, summary = _run(Wearer(folder), OUTAGE, "--record", folder / "a.mcap")
    return folder / "a.mcap", events, summary


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[str], dict[str, Any]]:
    """The same run with the cable in."""
    return _run(Wearer(tmp_path_factory.mktemp("whole")), DEVICE)


def test_unplugged_for_20_s_and_nothing_is_missing(
    outage: tuple[Path, list[str], dict[str, Any]], whole: tuple[list[str], dict[str, Any]]
) -> None:
    _, events, summary = outage
    for name, channel in summary["channels"].items():
        assert channel["missing_samples"] == channel["n_gaps"] == 0
        assert channel["n_samples"] == whole[1]["channels"][name]["n_samples"]
        # The blocks of 20 s, whole.
        assert channel["filled_samples"] == 20 * channel["declared_hz"]
    assert summary["backfill_asked"] == 5
    assert not [line for line in events if '"what":"gap"' in line]


def test_models_see_what_they_had_seen_without_the_outage(
    outage: tuple[Path, list[str], dict[str, Any]], whole: tuple[list[str], dict[str, Any]]
) -> None:
    assert _without_host_time(_scored(outage[1])) == _without_host_time(_scored(whole[0]))


def test_replay_of_late_blocks_gives_what_was_seen_live(
    outage: tuple[Path, list[str], dict[str, Any]],
) -> None:
    recording, events, _ = outage
    assert signet("replay", recording, "--json").check().out.splitlines() == events


def test_late_blocks_are_written_in_order_into_other_formats(
    outage: tuple[Path, list[str], dict[str, Any]], tmp_path: Path
) -> None:
    recording, _, summary = outage
    done = signet("convert", recording, tmp_path / "a.csv", "--json").check()
    assert not [line for line in done.json["lost"] if "gap" in line]
    reader = open_recording(tmp_path / "a.csv")
    for track in reader.take.tracks:  # type: ignore[attr-defined]
        name = track.channel.name
        assert [len(piece.raw) for piece in track.pieces] == [
            summary["channels"][name]["n_samples"]
        ]


def test_board_without_a_ring_shows_the_gap_and_is_not_asked(wearer: Wearer) -> None:
    events, summary = _run(wearer, f"{OUTAGE}&ring=0")
    assert summary["backfill_asked"] == 0
    assert summary["channels"]["acc"]["missing_samples"] == 1000
    assert [json.loads(line)["channel"] for line in events if '"what":"gap"' in line]


def test_ring_that_is_too_small_gives_the_latest_part(wearer: Wearer) -> None:
    _, summary = _run(wearer, f"{OUTAGE}&ring=16")
    for channel in summary["channels"].values():
        lost = channel["missing_samples"]
        assert lost > 0
        assert channel["filled_samples"] > 0
        assert channel["gone_samples"] == lost
        assert lost + channel["filled_samples"] == 20 * channel["declared_hz"]


def test_rate_is_set_recorded_and_replayed(wearer: Wearer, tmp_path: Path) -> None:
    recording, config = tmp_path / "a.mcap", tmp_path / "signet.toml"
    config.write_text("[device]\nrates = { acc = 25 }\n")
    options = ("--config", config, "--rate", "acc=100", "--rate", "bvp=32", "--record", recording)
    events, summary = _run(wearer, f"{DEVICE}&fault=reboot=60:2", *options)
    for name, rate_hz in (("acc", 100.0), ("bvp", 32.0), ("gyro", 50.0)):
        channel = summary["channels"][name]
        assert channel["declared_hz"] == rate_hz
        assert channel["measured_hz"] == pytest.approx(rate_hz, rel=1e-4)
        assert channel["missing_samples"] == 0
    layouts = [json.loads(line)["detail"]["changed"] for line in events if '"layout"' in line]
    # Asked for again after the board has started anew.
    assert layouts == ["bvp at 32 Hz, acc at 100 Hz"] * 2
    assert not [line for line in events if '"what":"rate"' in line]
    assert signet("replay", recording, "--json").check().out.splitlines() == events
    done = signet("convert", recording, tmp_path / "a.csv", "--json").check().json
    assert {c["name"]: c["rate_hz"] for c in done["channels"]}["acc"] == 100.0
    (left_out,) = [line for line in done["lost"] if line.startswith("acc")]
    assert "s at 50 Hz, before or after it came at 100 Hz" in left_out


def test_recording_that_is_of_two_rates_for_long_is_refused_in_a_line(tmp_path: Path) -> None:
    recording = tmp_path / "a.mcap"
    parts = []
    for n, options in enumerate((("--rate", "acc=100"), ())):
        part = tmp_path / f"part{n}.mcap"
        device = f"synthetic:?seed={n + 1}&scenario=short&hours=0.025"
        signet("record", "--device", device, *options, "--out", part).check()
        parts.append(open_recording(part))
    from firmware_host.recording.mcap_writer import McapWriter

    with McapWriter(recording) as writer:
        for n, reader in enumerate(parts):
            for utc, message in reader.messages():
                writer.write(message, utc + 1000.0 * n)
    done = signet("convert", recording, tmp_path / "a.csv")
    assert done.code == 4
    assert "one sample rate of channel acc in nearly the whole recording" in one_line(done)
    assert not (tmp_path / "a.csv").exists()


@pytest.mark.parametrize(
    ("rate", "code", "says"),
    [
        ("acc=60", 2, "a rate of acc that this board can do"),
        ("ecg=60", 2, "channels of this board (bvp, eda, temp, acc, gyro), got 'ecg'"),
        ("acc=fast", 2, "expected CHANNEL=HZ with a rate in Hz"),
        ("acc=6.25", 5, "acc comes at 6.25 Hz, needed at"),
    ],
)
def test_rate_that_cannot_be_is_said_in_a_line(
    wearer: Wearer, rate: str, code: int, says: str
) -> None:
    done = wearer.signet("run", "--device", DEVICE, "--no-learn", "--rate", rate, "--log", "error")
    assert done.code == code
    assert says in one_line(done)


def test_recording_has_the_rates_it_has(wearer: Wearer, recording: Path) -> None:
    done = wearer.signet("run", "--device", f"replay:{recording}", "--rate", "acc=100")
    assert done.code == 2
    assert "a recording has the rates it has" in one_line(done)


def _until(condition: Callable[[], bool], what: str) -> None:
    deadline_s = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline_s, f"waited {PATIENCE_S} s for {what}"
        time.sleep(0.05)


def test_cable_pulled_from_a_real_port_leaves_no_gap(wearer: Wearer, tmp_path: Path) -> None:
    link, out = tmp_path / "board", tmp_path / "events"
    sim = [sys.executable, "-m", "sim", "--pty", str(link), "--scenario", "short", "--seed", "8"]
    with (
        out.open("wb") as file,
        subprocess.Popen(
            [*sim, "--fault", "unplug=6:3"],
            cwd=REPO,
            env=ENV,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as board,
    ):
        _until(link.exists, "the board's pty")
        run = command("run", "--device", link, "--no-learn", "--json", *wearer.options)
        host = subprocess.Popen(
            [*run, "--rate", "acc=100"],
            cwd=REPO,
            env={**ENV, "PYTHONUNBUFFERED": "1"},
            stdout=file,
            stderr=subprocess.DEVNULL,
        )
        try:
            # Scores go on well beyond the outage: what was missing is there, or was given up.
            _until(lambda: '"activity"' in out.read_text().rpartition("\n{")[2], "an activity")
            _until(lambda: _newest_s(out) > 14.0, "scores after the outage")
            host.send_signal(signal.SIGTERM)
            assert host.wait(timeout=PATIENCE_S) == 0
        finally:
            host.kill()
            board.kill()
    summary = json.loads(out.read_text().splitlines()[-1])
    assert summary["links_lost"] == 1
    assert summary["n_sessions"] == 1
    for channel in summary["channels"].values():
        assert channel["filled_samples"] >= 3 * channel["declared_hz"] * 0.9
        assert channel["missing_samples"] == channel["n_gaps"] == 0


def _newest_s(out: Path) -> float:
    lines = out.read_text().split("\n")[:-1]
    scored = [json.loads(line) for line in lines if '"activity"' in line]
    return float(scored[-1]["t_s"]) if scored else 0.0
