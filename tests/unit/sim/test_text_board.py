"""The simulated board that prints."""

from __future__ import annotations

import numpy as np
import pytest

from sim.body import SyntheticBody
from sim.person import Wearer
from sim.schedule import load_scenario
from sim.text_board import BOOT_TEXT, TextBoard


@pytest.fixture
def board() -> TextBoard:
    return TextBoard(
        SyntheticBody(Wearer(load_scenario("short").lasting(0.01), seed=3)), rate_hz=25.0
    )


def _rows(text: bytes) -> list[list[float]]:
    lines = text.decode().split("\r\n")
    return [list(map(float, line.split(","))) for line in lines if line[:1].isdigit()]


def test_text_is_the_same_however_time_is_cut(board: TextBoard) -> None:
    whole = TextBoard(
        SyntheticBody(Wearer(load_scenario("short").lasting(0.01), seed=3)), rate_hz=25.0
    )
    cut = b"".join(board.advance(t_s) for t_s in np.arange(0.05, 6.01, 0.07))
    assert whole.advance(6.0).startswith(cut)
    assert cut.startswith(BOOT_TEXT.encode() + b"t_ms,bvp[au],eda[uS],temp[degC],acc.x[m/s2]")


def test_a_line_is_the_latest_sample_of_every_channel(board: TextBoard) -> None:
    rows = np.array(_rows(board.advance(10.0)))
    body = SyntheticBody(Wearer(load_scenario("short").lasting(0.01), seed=3))
    np.testing.assert_array_equal(rows[:, 0], np.arange(250) * 40)
    acc = next(channel for channel in board.channels if channel.name == "acc")
    expected = body.read("acc", 500)[::2] * acc.scale + acc.offset
    np.testing.assert_allclose(rows[:, 4:7], expected, atol=5.1e-5)
    assert len(set(rows[:, 2])) <= 41


def test_a_reboot_is_dark_and_counts_from_zero(board: TextBoard) -> None:
    board.advance(5.0)
    board.reboot(dark_s=1.0)
    assert board.dark_until_s == 6.0
    text = board.advance(7.0)
    assert text.startswith(BOOT_TEXT.encode())
    rows = _rows(text)
    assert rows[0][0] == 0
    assert len(rows) == 25


def test_a_line_without_room_is_not_printed(board: TextBoard) -> None:
    assert len(board.advance(10.0, room_bytes=1000)) < 1200
    assert len(_rows(board.advance(11.0))) == 25


def test_it_ends_with_its_body(board: TextBoard) -> None:
    board.receive(b"anything")
    board.advance(1e9)
    assert board.finished
    assert board.counters.bytes > 50_000
