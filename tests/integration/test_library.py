"""Signet as a library: what the pages show runs, and a device gives all there is, in order."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from command import ENV, REPO

import firmware_host as signet
from firmware_host.errors import LinkEnded
from firmware_host.recording.registry import open_recording
from firmware_host.runtime.takes import take_of

PAGES = ("README.md", "docs/library.md")
HEAVY = ("numpy", "serial", "mcap", "cryptography", "sqlite3", "socket", "tflite_runtime")


def _examples() -> list[tuple[str, str]]:
    found = []
    for page in PAGES:
        text = (REPO / page).read_text()
        blocks = re.findall(r"^```python\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)
        found += [(f"{page}-{i}", block) for i, block in enumerate(blocks)]
    return found


@pytest.mark.parametrize(("name", "code"), _examples(), ids=[name for name, _ in _examples()])
def test_example_of_a_page_runs(recording: Path, tmp_path: Path, name: str, code: str) -> None:
    shutil.copy(recording, tmp_path / "walk.mcap")
    done = subprocess.run(
        [sys.executable, "-c", code],
        check=False,
        cwd=tmp_path,
        env=ENV,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


def test_public_names_are_there_and_importing_them_all_is_lazy() -> None:
    assert all(getattr(signet, name) for name in signet.__all__)
    assert (REPO / "firmware_host" / "py.typed").exists()
    code = f"import json, sys, firmware_host; print(json.dumps([m for m in {HEAVY!r} if m in sys.modules]))"
    done = subprocess.run(
        [sys.executable, "-c", code], env=ENV, capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout) == []
    with pytest.raises(AttributeError, match="no attribute 'opne'"):
        signet.opne  # noqa: B018 - the question is whether it is there


def test_device_gives_every_sample_in_its_unit_and_at_its_time(recording: Path) -> None:
    take = take_of(open_recording(recording), where=recording)
    blocks: dict[str, list[signet.Block]] = {}
    with signet.open(recording) as device:
        assert device.hello.channels == device.channels
        for block in device:
            blocks.setdefault(block.channel.name, []).append(block)
    assert set(blocks) == {track.channel.name for track in take.tracks}
    for track in take.tracks:
        own = blocks[track.channel.name]
        values = np.concatenate([block.values for block in own])
        assert np.array_equal(values, np.concatenate([track.values(p) for p in track.pieces]))
        # By the clock fit so far, which at the first block is of one delivery.
        last = track.pieces[-1].end_utc - len(own[-1].values) / track.channel.rate_hz
        # The piece is placed at the declared rate, and the crystal is 20 ppm off.
        assert own[-1].utc == pytest.approx(last, abs=0.05)
        ends = [b.t_s + len(b.values) / b.channel.rate_hz for b in own[:-1]]
        assert np.allclose([b.t_s for b in own[1:]], ends, atol=1e-4)


def test_iterating_and_reading_lose_no_event(recording: Path) -> None:
    everything: list[object] = []
    with (
        signet.open(f"replay:{recording}?speed=max&loop=2&to=2m") as device,
        pytest.raises(LinkEnded),
    ):
        while True:
            everything += device.read()
    iterated: list[object] = []
    with signet.open(f"replay:{recording}?speed=max&loop=2&to=2m") as device:
        for block in device:
            iterated += [*device.events(), block]
        iterated += device.events()
        assert device.n_events_dropped == 0
        assert list(device) == []
    names = [getattr(item, "what", item.__class__.__name__) for item in everything]
    assert names == [getattr(item, "what", item.__class__.__name__) for item in iterated]
    assert {"session", "round", "reboot", "Block"} <= set(names)


def test_a_loop_that_is_left_goes_on_where_it_was(recording: Path) -> None:
    with signet.open(recording) as device:
        first = [(b.channel.name, b.t_s) for b, _ in zip(device, range(7), strict=False)]
        rest = [(b.channel.name, b.t_s) for b in device]
    with signet.open(recording) as device:
        whole = [(b.channel.name, b.t_s) for b in device]
    # zip takes one more before it sees that it is over.
    assert len(whole) - len(first) - len(rest) <= 1
    assert whole[:7] == first
    assert whole[-len(rest) :] == rest


@pytest.mark.parametrize(
    ("device", "code"),
    [("nothing.mcap", 4), ("socket://127.0.0.1:1", 3), ("nosuch:", 2), ("replay:", 2)],
)
def test_what_cannot_be_opened_is_one_line(device: str, code: int) -> None:
    with pytest.raises(signet.SignetError) as caught:
        signet.open(device)
    assert caught.value.exit_code == code
    assert "\n" not in str(caught.value)


def test_closed_device_is_over(recording: Path) -> None:
    device = signet.open(recording)
    device.close()
    device.close()
    with pytest.raises(LinkEnded):
        while True:
            device.read()
