from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from firmware_host.errors import RecordingError
from firmware_host.protocol.messages import Block, Button, Event, EventKind, Hello
from firmware_host.protocol.parser import MessageParser
from firmware_host.recording.e4 import E4Archive
from firmware_host.recording.mcap_file import McapWriter
from firmware_host.recording.registry import writer_of
from firmware_host.recording.take_reader import TakeReader
from sim.board import VirtualBoard
from sim.replay import RecordingBody
from sim.sensors import NUMPY_DTYPES
from tests.unit.recording.take_fixtures import make_take

START = 1_600_000_000.0


@pytest.fixture
def archive(tmp_path: Path, rng: np.random.Generator) -> Path:
    """Half a minute of an E4, its accelerometer a quarter of a second late."""
    folder = tmp_path / "S05"
    folder.mkdir()
    columns = {
        "BVP.csv": (START, 64, np.round(rng.normal(0, 50, (30 * 64, 1)), 2)),
        "EDA.csv": (START, 4, np.round(rng.uniform(0.1, 3, (30 * 4, 1)), 6)),
        "TEMP.csv": (START, 4, np.round(rng.uniform(30, 34, (30 * 4 - 3, 1)), 2)),
        "ACC.csv": (START + 0.25, 32, rng.integers(-128, 128, (30 * 32, 3))),
    }
    for name, (start, rate, values) in columns.items():
        axes = values.shape[1]
        rows = [",".join([str(start)] * axes), ",".join([str(float(rate))] * axes)]
        rows += [",".join(str(v) for v in row) for row in values.tolist()]
        (folder / name).write_text("\n".join(rows) + "\n")
    (folder / "tags.csv").write_text(f"{START + 12.5}\n{START + 5.0}\n{START + 43200.0}\n")
    return folder


def _play(path: Path, **options: float) -> tuple[Hello, list[Block], list[Event]]:
    parser = MessageParser()
    messages = parser.feed(VirtualBoard(RecordingBody(path, **options), seed=1).advance(1e6))
    assert parser.decoder.bad_frames == 0
    hello = next(m for m in messages if isinstance(m, Hello))
    blocks = [m for m in messages if isinstance(m, Block)]
    return hello, blocks, [m for m in messages if isinstance(m, Event)]


def test_replay_sends_the_exact_integers(archive: Path) -> None:
    hello, blocks, _ = _play(archive)
    original = E4Archive(archive)
    for channel in hello.channels:
        data = b"".join(b.data for b in blocks if b.stream == channel.stream)
        raw = np.frombuffer(data, NUMPY_DTYPES[channel.dtype]).reshape(-1, channel.axes)
        np.testing.assert_array_equal(raw, original.channels[channel.name].raw)
        assert channel.scale == original.channels[channel.name].scale


def test_replay_keeps_the_offset_between_channels(archive: Path) -> None:
    hello, blocks, _ = _play(archive)
    acc = hello.channel("acc")
    assert acc is not None
    assert acc.dtype == "i8"
    assert next(b.ticks_us for b in blocks if b.stream == acc.stream) == 250_000


def test_tags_become_presses_in_time_order(archive: Path) -> None:
    _, _, events = _play(archive)
    presses = [(e.ticks_us, e.value) for e in events if e.kind is EventKind.BUTTON]
    # The third tag lies half a day after the end.
    assert presses == [(5_000_000, Button.PRESS), (12_500_000, Button.PRESS)]


def test_replay_can_be_cut(archive: Path) -> None:
    _, blocks, _ = _play(archive, max_duration_s=10.0)
    n = sum(len(b.data) // 4 for b in blocks if b.stream == 0)
    assert n == 640


def test_replay_refuses_what_is_no_recording(tmp_path: Path) -> None:
    with pytest.raises(RecordingError):
        RecordingBody(tmp_path / "nothing.zip")


@pytest.mark.needs_data
def test_real_recording_replays_exactly(data_dir: Path) -> None:
    path = sorted((data_dir / "stress-predict" / "e4").glob("*.zip"))[0]
    hello, blocks, _ = _play(path)
    original = E4Archive(path)
    bvp = np.frombuffer(b"".join(b.data for b in blocks if b.stream == 0), "<i4")
    np.testing.assert_array_equal(bvp, original.channels["bvp"].raw[:, 0])
    assert {c.name for c in hello.channels} == {"bvp", "eda", "temp", "acc"}


@pytest.mark.parametrize("suffix", [".edf", ".xdf", ".csv"])
def test_other_recordings_are_worn_again_with_gaps_held(
    suffix: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / f"a{suffix}"
    take = make_take()
    writer_of(path)(take, path, lambda _: None)
    body = RecordingBody(path)
    assert "bvp: 12.5 s are missing and hold the value before" in caplog.messages
    assert [(c.stream, c.name, c.rate_hz) for c in body.channels] == [
        (0, "bvp", 64.0), (1, "eda", 4.0), (2, "temp", 4.0), (3, "acc", 32.0),
    ]  # fmt: skip
    assert body.start_utc == pytest.approx(take.start_utc, abs=1e-5)
    assert body.offset_s("eda") == pytest.approx(1.0, abs=1e-5)
    assert body.duration_s == pytest.approx(40.0, abs=1e-4)
    bvp = body.channels[0]
    values = body.read("bvp", 10_000)[:, 0] * bvp.scale + bvp.offset
    first = take.tracks[0].values(take.tracks[0].pieces[0])[:, 0]
    assert np.abs(values[: len(first)] - first).max() < 1e-9
    assert np.all(values[len(first) : len(first) + 32] == values[len(first) - 1])
    assert len(values) == 40 * 64
    kinds = [(e.kind, e.value) for e in body.events()[1:]]
    assert kinds == [event[1:] for event in take.events]
    parsed = MessageParser().feed(VirtualBoard(RecordingBody(path), seed=1).advance(1e6))
    assert sum(isinstance(message, Block) for message in parsed) > 100


def test_what_a_board_said_is_no_body(tmp_path: Path) -> None:
    path = tmp_path / "a.mcap"
    with McapWriter(path) as writer:
        for utc, message in TakeReader(path, lambda _: make_take()).messages():
            writer.write(message, utc)
    with pytest.raises(RecordingError, match=r"signet convert FILE\.mcap FILE\.xdf"):
        RecordingBody(path)
