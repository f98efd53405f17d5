"""Labels of a recording that is played in part and in rounds."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from firmware_host.errors import LinkEnded
from firmware_host.events import AnyEvent, Labelled, StreamNoted
from firmware_host.inference.bundle import load_bundle
from firmware_host.protocol.parser import MessageParser
from firmware_host.recording.labels import Label
from firmware_host.recording.mcap_file import McapWriter
from firmware_host.runtime.baseline import WearerBaseline
from firmware_host.runtime.build import open_models
from firmware_host.runtime.pipeline import Pipeline
from firmware_host.runtime.recorded import open_recorded
from tests.unit.runtime.test_pipeline import UTC, HandBoard

# Over the cut's end, over its start, within, before and after it.
SAID = [
    (10, 30, "rest"),
    (50, 70, "stress"),
    (75, 85, "rest"),
    (90, 130, "stress"),
    (150, 170, "rest"),
]
CUT = "from=60s&to=100s"


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three minutes with labels."""
    path = tmp_path_factory.mktemp("recorded") / "a.mcap"
    board, parser = HandBoard(), MessageParser()
    with McapWriter(path) as writer:
        for s in range(180):
            data = (board.hello() if s == 0 else b"") + board.second(s)
            for message in parser.feed(data):
                writer.write(message, UTC + s + 1)
        for start_s, end_s, label in SAID:
            writer.write_label(Label(UTC + start_s, UTC + end_s, label, "cli"), UTC + end_s)
    return path


def _events(url: str, n_chunks: int = 10**6) -> Iterable[AnyEvent]:
    recorded = open_recorded(url, None, keeps=False)
    assert recorded is not None
    bundle = load_bundle()
    pipeline = Pipeline(
        bundle,
        open_models(bundle, runtime="auto", placement="wrist"),
        baseline=WearerBaseline(window_s=bundle.stress.window_s),
        labels=recorded.labels,
    )
    transport = recorded.open()
    for _ in range(n_chunks):
        try:
            chunk = transport.read(1.0)
        except LinkEnded:
            break
        assert chunk is not None
        yield from pipeline.feed(chunk.data, chunk.arrival_utc)
    yield from pipeline.finish()
    transport.close()


def _rounds(events: Iterable[AnyEvent]) -> list[list[tuple[str, float, float]]]:
    """What each session of the board was told, with its times since the recording's start."""
    rounds: list[list[tuple[str, float, float]]] = []
    for event in events:
        if isinstance(event, StreamNoted) and event.what in ("session", "reboot"):
            rounds.append([])
        elif isinstance(event, Labelled):
            times = (round(event.start_utc - UTC, 3), round(event.end_utc - UTC, 3))
            rounds[-1].append((event.label, *times))
    return rounds


def test_labels_of_each_round_are_cut_and_said_in_their_own(recording: Path) -> None:
    # Times count from the first arrival, which is at UTC + 1.
    low, high = 61.0, 101.0
    first = [("stress", low, 70.0), ("rest", 75.0, 85.0), ("stress", 90.0, high)]
    later_s = high - low + 3.0
    second = [(label, start + later_s, end + later_s) for label, start, end in first]
    assert _rounds(_events(f"replay:{recording}?{CUT}&loop=2")) == [first, second]
    assert _rounds(_events(f"replay:{recording}?{CUT}")) == [first]


def test_a_whole_recording_keeps_its_labels_as_they_are(recording: Path) -> None:
    whole = [(label, float(start), float(end)) for start, end, label in SAID]
    assert _rounds(_events(f"replay:{recording}")) == [whole]


def test_who_stops_early_hears_no_label_of_later(recording: Path) -> None:
    (told,) = _rounds(_events(f"replay:{recording}?loop=3", n_chunks=60))
    assert told == [("rest", 10.0, 30.0), ("stress", 50.0, 70.0)]
