"""The status light, and that it never burns for long."""

from __future__ import annotations

import pytest

from firmware_host.protocol.encode import encode_command
from firmware_host.protocol.messages import Command, CommandKind, Reset

needs_node = pytest.mark.needs_node


def _shone_ms(light, machine, pattern, *, lit: int, from_ms: int = 0) -> list[int]:
    """Times in 20 s at which it was lit, looked at each 10 ms."""
    shone = []
    for ms in range(from_ms, from_ms + 20_000, 10):
        light.look(ms & 0x3FFFFFFF, pattern)
        if machine.level["LED"] == lit:
            shone.append(ms - from_ms)
    return shone


@pytest.mark.parametrize(("said", "lit"), [(None, 1), (1, 1), (0, 0), (True, 1)])
def test_blinks_shortly_every_five_seconds(on_board, machine, said, lit) -> None:
    module = on_board("light")
    light = module.Light("LED", said)
    assert machine.level["LED"] == 1 - lit
    shone = _shone_ms(light, machine, module.STREAMS, lit=lit, from_ms=0x3FFFFFFF - 8000)
    assert [ms for ms in shone if ms - 10 not in shone] == [0, 5000, 10_000, 15_000]
    assert len(shone) == 4 * 3


def test_each_pattern_is_its_own_and_none_is_lit_for_a_second(on_board, machine) -> None:
    module = on_board("light")
    light = module.Light("LED")
    told = [_shone_ms(light, machine, p, lit=1) for p in (module.SAFE, module.STREAMS, module.OFF)]
    assert told[0] != told[1]
    assert told[2] == []
    for shone in told:
        assert not any({*range(ms, ms + 1000, 10)} <= {*shone} for ms in shone)


def test_goes_out_at_once(on_board, machine) -> None:
    module = on_board("light")
    light = module.Light("LED")
    light.look(0, module.STREAMS)
    assert machine.level["LED"] == 1
    light.look(10, module.OFF)
    assert machine.level["LED"] == 0


@needs_node
def test_app_and_safe_mode_show_what_they_are(live, capfd) -> None:
    orders = [(11.0, CommandKind.STOP, 0), (17.0, CommandKind.RESET, Reset.SAFE)]
    say = [
        (t, encode_command(Command(kind, value, i), seq=i))
        for i, (t, kind, value) in enumerate(orders)
    ]
    live(22.0, say=say, tell_pins=True)
    told = [line.split()[2:] for line in capfd.readouterr().err.splitlines() if "pin 13 " in line]
    lit = [float(t) for level, t in told if level == "1"]
    streaming = [t for t in lit if t < 12]
    assert len(streaming) == 3
    assert streaming[2] - streaming[0] == pytest.approx(10, abs=0.05)
    assert not [t for t in lit if 12 < t < 17]
    # Two blinks every two seconds.
    assert len([t for t in lit if 18 < t < 22]) == 4
