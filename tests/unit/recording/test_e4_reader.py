from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from firmware_host.errors import RecordingError
from firmware_host.protocol.encode import encode_block, encode_hello
from firmware_host.protocol.messages import BLOCK_DATA_BYTES, Block, Button, Event, EventKind
from firmware_host.protocol.parser import MessageParser
from firmware_host.recording.e4 import E4Archive
from firmware_host.recording.e4_reader import E4Reader
from firmware_host.stream.assembler import StreamAssembler
from firmware_host.stream.samples import Samples
from tests.unit.recording.e4_fixtures import START_UTC, session_files, write_folder, write_zip


@pytest.fixture
def reader(tmp_path: Path) -> E4Reader:
    return E4Reader(write_zip(tmp_path / "S05.zip", session_files()))


def test_hello_describes_the_channels(reader: E4Reader) -> None:
    channels = {
        c.name: (c.rate_hz, c.unit, c.scale, c.dtype, c.axes) for c in reader.hello.channels
    }
    assert channels == {
        "bvp": (64.0, "au", 0.01, "i32", 1),
        "eda": (4.0, "uS", 1e-6, "i32", 1),
        "temp": (4.0, "degC", 0.01, "i16", 1),
        "acc": (32.0, "m/s2", 9.80665 / 64, "i8", 3),
    }
    assert (reader.start_utc, reader.duration_s) == (START_UTC, 20.0)


def test_messages_come_in_order_and_fit_a_frame(reader: E4Reader) -> None:
    pairs = list(reader.messages())
    assert pairs[0] == (START_UTC, reader.hello)
    arrivals = [utc for utc, _ in pairs]
    assert arrivals == sorted(arrivals)
    # A board sends a block when its last sample is taken: a period before the recording is over.
    assert 0 < START_UTC + reader.duration_s - arrivals[-1] <= 1 / 32
    blocks = [m for _, m in pairs if isinstance(m, Block)]
    assert max(len(b.data) for b in blocks) <= BLOCK_DATA_BYTES
    assert list(reader.messages()) == pairs


def test_samples_after_the_assembler_equal_the_archive(reader: E4Reader) -> None:
    assembler = StreamAssembler()
    got: dict[str, list[Samples]] = {}
    for utc, message in reader.messages():
        for item in assembler.feed(message, utc):
            if isinstance(item, Samples):
                got.setdefault(item.channel.name, []).append(item)
    archive = E4Archive(reader.path)
    for name, channel in archive.channels.items():
        values = np.concatenate([s.values for s in got[name]])
        np.testing.assert_array_equal(values, channel.values)
        assert got[name][0].t0_s == channel.start_utc - START_UTC
    assert all(c.gaps == c.duplicate_blocks == 0 for c in assembler.tracks.counters.values())


def test_messages_survive_the_wire(reader: E4Reader) -> None:
    sent = [m for _, m in reader.messages() if not isinstance(m, Event)]
    wire = encode_hello(reader.hello, seq=0, ticks_us=0)
    wire += b"".join(encode_block(m) for m in sent if isinstance(m, Block))
    assert MessageParser().feed(wire) == sent


def test_tags_are_plain_presses_and_foreign_ones_are_counted(reader: E4Reader) -> None:
    presses = [(utc, m) for utc, m in reader.messages() if isinstance(m, Event)]
    assert [(utc - START_UTC, m.ticks_us) for utc, m in presses] == [
        (5.5, 5_500_000),
        (12.0, 12_000_000),
    ]
    assert all((m.kind, m.value) == (EventKind.BUTTON, Button.PRESS) for _, m in presses)
    assert reader.n_foreign_tags == 1
    assert reader.labels() == []


def test_tags_after_the_end_are_foreign_too_and_the_last_moment_is_not(tmp_path: Path) -> None:
    files = session_files()
    files["tags.csv"] = "".join(f"{START_UTC + s}\n" for s in (0, 20, 20.1, 43_200))
    reader = E4Reader(write_zip(tmp_path / "a.zip", files))
    presses = [utc - START_UTC for utc, m in reader.messages() if isinstance(m, Event)]
    assert presses == [0.0, 20.0]
    assert reader.n_foreign_tags == 2


def test_session_id_depends_on_content_and_not_on_packing(tmp_path: Path) -> None:
    files = session_files()
    a = E4Reader(write_zip(tmp_path / "a.zip", files, prefix="deep/er/"))
    b = E4Reader(write_folder(tmp_path / "b", session_files(dates=True)))
    c = E4Reader(write_zip(tmp_path / "c.zip", session_files(21)))
    assert list(a.messages()) == list(b.messages())
    assert a.hello.session == b.hello.session != c.hello.session


def test_wide_acceleration_takes_two_bytes(tmp_path: Path) -> None:
    files = session_files(acc_high=4000)
    reader = E4Reader(write_zip(tmp_path / "a.zip", files))
    acc = reader.hello.channel("acc")
    assert acc is not None
    assert acc.dtype == "i16"
    blocks = [m for _, m in reader.messages() if isinstance(m, Block) and m.stream == acc.stream]
    assert len(blocks[0].data) == 32 * 3 * 2


def test_values_no_e4_makes_are_refused(tmp_path: Path) -> None:
    files = session_files()
    files["ACC.csv"] += "\n40000,0,0"
    with pytest.raises(RecordingError, match="acc within"):
        E4Reader(write_zip(tmp_path / "a.zip", files))


def test_files_of_two_sessions_are_refused(tmp_path: Path) -> None:
    files = session_files()
    files["EDA.csv"] = files["EDA.csv"].replace(f"{START_UTC:.2f}", f"{START_UTC + 3600:.2f}")
    with pytest.raises(RecordingError, match="one session"):
        E4Reader(write_zip(tmp_path / "a.zip", files))


def test_ticks_wrap_in_a_long_session(tmp_path: Path) -> None:
    n_s = 4_400
    files = session_files(20)
    files["EDA.csv"] = "\n".join([f"{START_UTC:.2f}", "4.0", *(["1.0"] * (n_s * 4))])
    reader = E4Reader(write_zip(tmp_path / "long.zip", files))
    eda = [m for _, m in reader.messages() if isinstance(m, Block) and m.stream == 1]
    assert eda[-1].ticks_us == (n_s - 1) * 1_000_000 - (1 << 32)
    assembler = StreamAssembler()
    out = [i for utc, m in reader.messages() for i in assembler.feed(m, utc)]
    last = [s for s in out if isinstance(s, Samples)][-1]
    assert last.t0_s == n_s - 1
    assert last.gap_before_samples == 0


@pytest.mark.needs_data
def test_real_archives_of_both_publishers_read_without_loss(data_dir: Path) -> None:
    picked = [
        sorted((data_dir / "stress-predict" / "e4").glob("*.zip"))[0],
        sorted((data_dir / "physionet-stress-exercise" / "stress").glob("*.zip"))[0],
    ]
    for path in picked:
        reader, archive = E4Reader(path), E4Archive(path)
        assembler = StreamAssembler()
        n_rows = dict.fromkeys(archive.channels, 0)
        for utc, message in reader.messages():
            for item in assembler.feed(message, utc):
                if isinstance(item, Samples):
                    n_rows[item.channel.name] += len(item.values)
                else:
                    assert item.what in {"session", "button"}
        assert n_rows == {name: len(c.raw) for name, c in archive.channels.items()}


@pytest.mark.needs_data
def test_an_hour_is_read_in_well_under_a_second(data_dir: Path) -> None:
    path = sorted((data_dir / "stress-predict" / "e4").glob("*.zip"))[0]
    costs_s = []
    for _ in range(3):
        began = time.process_time()
        reader = E4Reader(path)
        n_messages = sum(1 for _ in reader.messages())
        costs_s.append((time.process_time() - began) * 3600 / reader.duration_s)
    assert n_messages > 10_000
    # 0.16 s when written; the limit leaves room for a slow or busy machine.
    assert min(costs_s) < 0.8
