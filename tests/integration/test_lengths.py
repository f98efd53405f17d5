"""One recording of a board that started anew: every command says the same length of it."""

from __future__ import annotations

import re
from pathlib import Path

from command import signet

_LENGTH = re.compile(r"(\d+) s streamed over (\d+) s")


def test_record_replay_and_convert_say_the_same_length(tmp_path: Path) -> None:
    file = tmp_path / "a.mcap"
    board = "synthetic:?seed=8&scenario=short&hours=0.03&ring=0&fault=reboot=40:20"
    said = [
        signet("record", "--device", board, "--out", file).check().err,
        signet("replay", file).check().err,
        signet("convert", file, tmp_path / "a.csv").check().err,
        signet("convert", file, tmp_path / "b.mcap").check().err,
    ]
    lengths = [tuple(map(int, m.groups())) for text in said if (m := _LENGTH.search(text))]
    assert len(lengths) == 4, said
    assert len({streamed_s for streamed_s, _ in lengths}) == 1
    clocks_s = [clock_s for _, clock_s in lengths]
    assert max(clocks_s) - min(clocks_s) <= 2
    assert min(clocks_s) > lengths[0][0] + 2
