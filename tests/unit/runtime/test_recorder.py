"""What is written into a recording besides the board's own messages."""

from __future__ import annotations

import json
import logging
import os
import pty
import re
import struct
import sys
from pathlib import Path

import pytest

from firmware_host.adaptation.episodes import LabelSpan
from firmware_host.adaptation.labels import put_label
from firmware_host.cli.main import main
from firmware_host.cli.typed import TypedNotes, VaultLabels
from firmware_host.config import Recording, parse_config
from firmware_host.errors import ConfigError
from firmware_host.events import AnyEvent, Labelled, StreamNoted
from firmware_host.protocol.encode import encode_block, encode_event, encode_hello
from firmware_host.protocol.messages import Block, Button, Channel, Event, EventKind, Hello
from firmware_host.recording.labels import Label
from firmware_host.recording.mcap_file import McapReader, McapWriter
from firmware_host.runtime.convert import convert
from firmware_host.runtime.memory import Memory
from firmware_host.runtime.recorder import Recorder
from firmware_host.runtime.tap import recording_tap
from firmware_host.vault.records import Vault

UTC0 = 1.7e9
EDA = Channel(2, "eda", "uS", 4.0, 0.001, 0.0, "u16", 1)
HELLO = Hello(1, "b", "f", (EDA,))


def _block(n: int) -> Block:
    return Block(1, 2, n, n * 1_000_000, 0, 4 * n, struct.pack("<4H", *([n] * 4)))


def _press(at_s: int, button: Button, n: int) -> bytes:
    return encode_event(Event(1, at_s * 1_000_000, EventKind.BUTTON, button, n))


def _feed(recorder: Recorder) -> None:
    recorder.feed(encode_hello(HELLO, seq=0, ticks_us=0), UTC0)
    for n in range(20):
        recorder.feed(encode_block(_block(n)), UTC0 + n + 1)
        if n == 5:
            recorder.feed(_press(6, Button.STRESS_STARTS, 0), UTC0 + 6)
        if n == 12:
            recorder.feed(_press(13, Button.STRESS_ENDS, 1), UTC0 + 13)


def test_labels_of_the_buttons_are_in_the_recording(tmp_path: Path) -> None:
    recorder = Recorder(lambda board: tmp_path / f"{board}.mcap")
    _feed(recorder)
    recorder.mark("coffee", UTC0 + 20)
    recorder.label(Label(UTC0 + 1, UTC0 + 4, "rest", "cli"), UTC0 + 20)
    recorder.close()
    reader = McapReader(tmp_path / "b.mcap")
    rest, stress = reader.labels()
    assert (rest.label, rest.source) == ("rest", "cli")
    assert (stress.label, stress.source) == ("stress", "button")
    assert stress.t_end_utc - stress.t_start_utc == pytest.approx(7.0)
    assert reader.markers() == [(UTC0 + 20, "coffee")]
    assert recorder.n_labels == 2


def test_what_is_said_before_the_board_speaks_goes_nowhere(tmp_path: Path) -> None:
    recorder = Recorder(lambda board: tmp_path / f"{board}.mcap")
    recorder.mark("too early", UTC0)
    recorder.label(Label(UTC0, UTC0 + 1, "rest", "cli"), UTC0)
    recorder.close()
    assert list(tmp_path.iterdir()) == []


def test_recorder_goes_on_in_further_files(tmp_path: Path) -> None:
    limits = Recording(max_file_minutes=0.1)
    recorder = Recorder(lambda board: tmp_path / f"{board}.mcap", limits)
    _feed(recorder)
    recorder.close()
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "b.mcap", "b.part1.mcap", "b.part2.mcap", "b.part3.mcap",
    ]  # fmt: skip


def test_run_writes_labels_of_everybody_and_silences(tmp_path: Path) -> None:
    events: list[AnyEvent] = [
        Labelled(9.0, UTC0 + 9, "stress", UTC0 + 1, UTC0 + 8, "button"),
        StreamNoted(10.0, UTC0 + 10, "silence", "", {"silent_s": 5.0}),
        StreamNoted(10.5, UTC0 + 10.5, "gap", "eda", {"missing_samples": 3}),
        StreamNoted(11.0, UTC0 + 11, "rate", "eda", {"is_off": 1}),
        Labelled(12.0, UTC0 + 12, "rest", UTC0 + 9, UTC0 + 11, "cli"),
    ]
    with recording_tap(tmp_path / "a.mcap", Recording(), lambda _: None) as tap:
        assert tap is not None
        tap.message(HELLO, UTC0, None)
        for event in events:
            tap.event(event)
    reader = McapReader(tmp_path / "a.mcap")
    assert [(x.label, x.source) for x in reader.labels()] == [
        ("stress", "button"),
        ("rest", "cli"),
    ]
    assert reader.markers() == [
        (UTC0 + 10, "silence silent_s 5.0"),
        (UTC0 + 11, "rate eda is_off 1"),
    ]


def test_quota_stops_the_recording_of_a_run_with_an_event_and_not_the_run(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    said: list[AnyEvent] = []
    path = tmp_path / "a.mcap"
    with recording_tap(path, Recording(quota_mb=0.01), said.append) as tap:
        assert tap is not None
        tap.message(HELLO, UTC0, None)
        for n in range(4000):
            data = os.urandom(8)
            tap.message(Block(1, 2, n % 65536, n * 1_000_000, 0, 4 * n, data), UTC0 + n + 1, None)
    (event,) = said
    assert isinstance(event, StreamNoted)
    assert (event.what, event.detail) == ("recording_stopped", {"why": "quota"})
    assert "recording stopped, everything recorded is kept" in caplog.text
    assert path.stat().st_size <= 10_000
    assert McapReader(path).duration_s > 10


def test_deleted_recordings_are_events(tmp_path: Path) -> None:
    said: list[AnyEvent] = []
    limits = Recording(quota_mb=0.25, max_file_mb=0.1, quota_deletes_oldest=True)
    with recording_tap(tmp_path / "a.mcap", limits, said.append) as tap:
        assert tap is not None
        tap.message(HELLO, UTC0, None)
        for n in range(1600):
            data = os.urandom(160)
            tap.message(
                Block(1, 2, n % 65536, n * 20_000_000 % 2**32, 0, 80 * n, data), UTC0 + 20 * n, None
            )
    assert {event.what for event in said if isinstance(event, StreamNoted)} == {"recording_deleted"}
    assert not (tmp_path / "a.mcap").exists()


def test_summary_names_the_files_that_are_there_and_counts_those_that_went(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    earlier = tmp_path / "earlier.mcap"
    with McapWriter(earlier) as writer:
        writer.write(HELLO, UTC0)
    os.utime(earlier, (1e9, 1e9))
    settings = tmp_path / "signet.toml"
    settings.write_text(
        "[recording]\nquota_mb = 0.5\nmax_file_minutes = 1.0\nquota_deletes_oldest = true\n"
    )
    device = "synthetic:?seed=3&scenario=short&hours=0.2"
    record = ["record", "--device", device, "--config", str(settings)]
    assert main([*record, "--out", str(tmp_path / "a.mcap"), "--json"]) == 0
    summary = json.loads(capsys.readouterr().out)
    left = sorted(tmp_path.glob("a*.mcap"))
    assert 0 < len(left) < 12
    assert sorted(map(Path, summary["files"])) == left
    assert summary["n_deleted_parts"] + len(left) >= 12
    assert f"{earlier}: an earlier recording, deleted to make room" in caplog.text
    assert caplog.text.count("an earlier recording") == 1
    assert main([*record, "--out", str(tmp_path / "b.mcap")]) == 0
    said = capsys.readouterr().err
    assert re.search(r"\d+ older parts deleted for the quota: of what was streamed", said)
    assert "b.mcap," not in said.splitlines()[-2]


def test_no_recording_no_tap(tmp_path: Path) -> None:
    with recording_tap(None, Recording(), lambda _: None) as tap:
        assert tap is None


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("quota_mb = -1", "recording.quota_mb"),
        ("max_file_mb = inf", "recording.max_file_mb"),
        ("max_file_mb = 1e-9", "recording.max_file_mb"),
        ("max_file_minutes = 0.05", "recording.max_file_minutes"),
        ("quota_mb = 5\nquota_deletes_oldest = true", "recording.quota_deletes_oldest"),
    ],
)
def test_settings_that_make_no_sense_are_refused(text: str, key: str) -> None:
    with pytest.raises(ConfigError, match=key.replace(".", r"\.")):
        parse_config(f"[recording]\n{text}\n", source="x")


def test_lines_typed_are_notes_until_the_terminal_closes(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = pty.openpty()
    with open(theirs, encoding="utf-8", buffering=1, closefd=True) as terminal:
        monkeypatch.setattr(sys, "stdin", terminal)
        notes = TypedNotes()
        assert notes.is_open
        assert notes() == []
        os.write(ours, b"coffee\n\n  door slams \n")
        assert [*notes(), *notes(), *notes()] == ["coffee", "door slams"]
        os.write(ours, b"\x04")
        assert notes() == []
        assert not notes.is_open
        assert notes() == []
    os.close(ours)


def test_recording_in_the_background_reads_nothing_and_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ours, theirs = pty.openpty()
    with open(theirs, encoding="utf-8", buffering=1) as terminal:
        monkeypatch.setattr(sys, "stdin", terminal)
        # The terminal is another job's, as after `signet record &`.
        monkeypatch.setattr(os, "tcgetpgrp", lambda _: os.getpgrp() + 1)
        notes = TypedNotes()
        os.write(ours, b"for the shell\n")
        assert notes() == []
        assert notes.is_open
    os.close(ours)


def test_no_terminal_no_notes() -> None:
    assert not TypedNotes().is_open or sys.stdin.isatty()
    read, write = os.pipe()
    os.write(write, b"not typed\n")
    with open(read) as piped, pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdin", piped)
        assert TypedNotes()() == []
    os.close(write)


def test_labels_stored_by_another_command_meanwhile_are_heard_once(tmp_path: Path) -> None:
    state, key = tmp_path / "state", tmp_path / "key"
    with Vault.open_or_create(state, key) as ours, Vault.open_or_create(state, key) as theirs:
        put_label(theirs, LabelSpan("rest", UTC0, UTC0 + 60), source="cli", now_utc=UTC0)  # type: ignore[arg-type]
        now = [0.0]
        labels = VaultLabels(Memory(ours, keep_days=30), monotonic=lambda: now[0])
        put_label(theirs, LabelSpan("stress", UTC0 + 90, UTC0 + 99), source="cli", now_utc=UTC0)  # type: ignore[arg-type]
        assert labels() == []
        now[0] = 2.5
        assert labels() == [Label(UTC0 + 90, UTC0 + 99, "stress", "cli")]
        now[0] = 5.0
        assert labels() == []


def test_channel_off_its_declared_rate_is_marked_in_the_recording_and_what_is_made_of_it(
    tmp_path: Path,
) -> None:
    recorder = Recorder(lambda board: tmp_path / f"{board}.mcap")
    recorder.feed(encode_hello(HELLO, seq=0, ticks_us=0), UTC0)
    for n in range(40):
        # Four samples take 1.25 s, not 1 s.
        block = Block(1, 2, n, n * 1_250_000, 0, 4 * n, struct.pack("<4H", *([n] * 4)))
        recorder.feed(encode_block(block), UTC0 + 1.25 * n + 0.75)
    recorder.close()
    ((_, text),) = McapReader(tmp_path / "b.mcap").markers()
    assert text.startswith("rate eda declared_hz 4.0 measured_hz 3.2")
    convert(tmp_path / "b.mcap", tmp_path / "b.csv", report=lambda _: None)
    assert "measured_hz 3.2" in (tmp_path / "b.csv").read_text()


def test_channel_that_stops_again_and_again_is_warned_of_once_and_always_marked(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    other = Channel(4, "temp", "degC", 4.0, 0.01, 0.0, "u16", 1)
    recorder = Recorder(lambda board: tmp_path / f"{board}.mcap")
    recorder.feed(encode_hello(Hello(1, "b", "f", (EDA, other)), seq=0, ticks_us=0), UTC0)
    for n in range(120):
        block = Block(1, 4, n, n * 1_000_000, 0, 4 * n, bytes(8))
        recorder.feed(encode_block(block), UTC0 + n + 1)
        # On for twenty seconds, off for twenty.
        if n % 40 < 20:
            recorder.feed(encode_block(_block(n)._replace(seq=n - n // 40 * 20)), UTC0 + n + 1)
    recorder.close()
    marked = [text for _, text in McapReader(tmp_path / "b.mcap").markers()]
    stopped = [text for text in marked if text.startswith("channel_stopped eda")]
    levels = [r.levelno for r in caplog.records if "channel_stopped eda" in r.message]
    assert len(stopped) == len(levels) == 3
    assert levels == [logging.WARNING, logging.DEBUG, logging.DEBUG]
