"""The simulator through the host's own device URL."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest

from firmware_host.devices import open_device
from firmware_host.errors import LinkEnded
from firmware_host.protocol.encode import encode_ping
from firmware_host.protocol.messages import Block, Event, Hello, Message, Ping, Pong, Status
from firmware_host.protocol.parser import MessageParser


def _read_day(url: str) -> tuple[list[tuple[float, Message]], MessageParser]:
    device, parser = open_device(url), MessageParser()
    found: list[tuple[float, Message]] = []
    try:
        device.write(encode_ping(Ping(11), seq=0))
        while True:
            chunk = device.read(1.0)
            if chunk is not None:
                found += [(chunk.arrival_utc, m) for m in parser.feed(chunk.data)]
    except LinkEnded:
        return found, parser
    finally:
        device.close()


def test_synthetic_url_gives_the_same_day_twice(tmp_path: Path) -> None:
    url = f"synthetic:?seed=3&scenario=short&hours=0.2&truth={tmp_path / 'truth.csv'}"
    day, parser = _read_day(url)
    again, _ = _read_day(url)
    assert day == again
    assert parser.decoder.bad_frames == 0
    kinds = {type(m) for _, m in day}
    assert kinds == {Hello, Block, Event, Pong, Status}
    assert (tmp_path / "truth.csv").read_text().count("\n") == 5


def test_arrival_is_never_before_the_board_could_have_sent() -> None:
    day, _ = _read_day("synthetic:?seed=3&scenario=short&hours=0.05")
    start_utc = datetime.fromisoformat("2026-05-04T08:00:00+00:00").timestamp()
    for arrival_utc, message in day:
        if isinstance(message, Block):
            assert arrival_utc >= start_utc + message.ticks_us * 1e-6
            assert arrival_utc <= start_utc + message.ticks_us * 1e-6 + 2.5


def test_faults_through_the_url_are_noticed() -> None:
    _, parser = _read_day("synthetic:?seed=3&scenario=short&hours=0.05&fault=corrupt=1e-3")
    assert parser.decoder.bad_frames > 10


@pytest.mark.needs_data
def test_recording_through_the_url_starts_at_its_own_time(data_dir: Path) -> None:
    path = sorted((data_dir / "stress-predict" / "e4").glob("*.zip"))[0]
    day, parser = _read_day(f"synthetic:?recording={path}&hours=0.05")
    assert parser.decoder.bad_frames == 0
    assert day[0][0] > 1.5e9
