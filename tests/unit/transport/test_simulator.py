"""The host's half of the lock-step, against a child of a few lines instead of the simulator."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from firmware_host.errors import ConfigError, LinkClosed, LinkEnded, LinkError, LinkTimeout
from firmware_host.transport import simulator
from firmware_host.transport.base import parse_url
from firmware_host.transport.simulator import open_simulator, simulator_arguments

PROLOGUE = """
import os, struct, sys, time
def send(utc, data):
    os.write(1, struct.pack("<dI", utc, len(data)) + data)
def take(n):
    data = b""
    while len(data) < n:
        part = os.read(0, n - len(data))
        if not part:
            sys.exit(0)
        data += part
    return data
def reply():
    return take(struct.unpack("<If", take(8))[0])
def end():
    os.write(1, struct.pack("<dI", 0.0, 0xFFFFFFFF))
"""


@pytest.fixture
def sim(tmp_path: Path):
    """Opens a simulator whose program is the given text."""
    opened = []

    def start(program: str, query: str = ""):
        (tmp_path / "sim").mkdir()
        # Without it the folder would give way to any installed package of that name.
        (tmp_path / "sim/__init__.py").touch()
        (tmp_path / "sim/__main__.py").write_text(PROLOGUE + program)
        opened.append(open_simulator(parse_url(f"synthetic:{query}"), checkout=tmp_path))
        return opened[-1]

    yield start
    for transport in opened:
        transport.close()


def test_chunks_come_with_their_virtual_times_until_the_day_ends(sim) -> None:
    link = sim(
        "send(10.0, b'ab'); reply(); send(11.5, b''); reply(); send(12.0, b'c'); reply(); end()"
    )
    assert link.virtual_time
    assert link.now_utc() == 10.0
    assert link.read(0.0) == (10.0, b"ab")
    assert link.read(0.0) is None
    assert link.now_utc() == 11.5
    assert link.read(0.0) == (12.0, b"c")
    for _ in range(2):
        with pytest.raises(LinkEnded, match="simulated day is over"):
            link.read(0.0)


def test_what_was_written_reaches_the_board_before_the_next_chunk(sim) -> None:
    link = sim("send(1.0, b'first')\nfor i in range(3):\n    send(2.0 + i, b'<' + reply() + b'>')")
    link.write(b"be")
    link.write(b"fore")
    assert link.read(0.0).data == b"first"
    link.write(b"!")
    assert link.read(0.0).data == b"<before!>"
    assert link.read(0.0).data == b"<>"
    link.write(b"cue")
    assert link.read(0.0).data == b"<cue>"


def test_what_was_worked_is_told_once_beside_the_commands(sim) -> None:
    link = sim(
        "for i in range(4):\n"
        "    send(1.0 + i, repr(struct.unpack('<If', take(8))[1] if i else 0).encode())"
    )
    assert link.read(0.0).data == b"0"
    link.work(1.5)
    link.work(0.25)
    assert link.read(0.0).data == b"1.75"
    assert link.read(0.0).data == b"0.0"


def test_a_large_chunk_comes_whole(sim) -> None:
    link = sim("send(1.0, bytes(range(256)) * 4096)")
    assert link.read(0.0).data == bytes(range(256)) * 4096


def test_a_simulator_that_refuses_its_options_is_a_config_error_when_it_is_opened(sim) -> None:
    complaint = "sim: unknown scenario 'nigth'"
    with pytest.raises(ConfigError) as caught:
        sim(f"sys.stderr.write({f'usage: sim{chr(10)}{complaint}{chr(10)}'!r}); sys.exit(2)")
    assert str(caught.value) == "device URL synthetic:: unknown scenario 'nigth'"


def test_a_simulator_that_cannot_start_says_why_when_it_is_opened(sim) -> None:
    with pytest.raises(LinkClosed, match=r"exit code 4\): sim: no such recording"):
        sim("sys.stderr.write('sim: no such recording'); sys.exit(4)")


def test_exit_code_2_after_the_first_chunk_is_link_closed(sim) -> None:
    link = sim("send(1.0, b'x'); reply(); os._exit(2)")
    link.read(0.0)
    with pytest.raises(LinkClosed, match="exit code 2"):
        link.read(0.0)


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("seed=abc", "seed: expected a whole number from 0 to .* got 'abc'"),
        ("seed=-1", "seed: expected a whole number"),
        ("hours=-1", "hours: expected a number above 0, at most 10000, got '-1'"),
        ("hours=1e300", "at most 10000, got '1e300'"),
        ("scenario=nigth", "scenario: expected one of .*day.* got 'nigth'"),
        ("fault=melt=1", "fault: expected one of drop, .* got 'melt'"),
        ("fault=corrupt=2", "fault corrupt=2: expected a number from 0 to 0.5, got 2"),
    ],
)
def test_malformed_option_is_one_line_when_the_real_simulator_opens(query: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says) as caught:
        open_simulator(parse_url(f"synthetic:?{query}"))
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2


def test_a_simulator_that_dies_later_gives_its_last_line(sim) -> None:
    link = sim(
        "send(1.0, b'x'); reply(); sys.stderr.write('step one\\nsensor burnt\\n\\n'); os._exit(7)"
    )
    link.read(0.0)
    with pytest.raises(
        LinkClosed, match=r"simulator ended \(exit code 7\): sensor burnt"
    ) as caught:
        link.read(0.0)
    assert not isinstance(caught.value, LinkEnded)
    with pytest.raises(LinkClosed, match="was closed"):
        link.read(0.0)


def test_a_simulator_cut_in_the_middle_of_a_chunk_is_link_closed(sim) -> None:
    with pytest.raises(LinkClosed, match="it gave no reason"):
        sim("os.write(1, struct.pack('<dI', 1.0, 100) + b'half')")


def test_a_simulator_that_hangs_is_a_timeout(sim, monkeypatch) -> None:
    monkeypatch.setattr(simulator, "STALL_S", 0.05)
    monkeypatch.setattr(simulator, "EXIT_WAIT_S", 0.05)
    with pytest.raises(LinkTimeout, match="says nothing"):
        sim("time.sleep(60)")


def test_an_empty_day_is_link_ended(sim) -> None:
    link = sim("end()")
    with pytest.raises(LinkEnded):
        link.read(0.0)


def test_the_child_may_finish_its_files_after_the_last_byte(sim, tmp_path: Path) -> None:
    link = sim("end(); time.sleep(0.05); open('truth', 'w').write('done')")
    with pytest.raises(LinkEnded):
        link.read(0.0)
    assert (tmp_path / "truth").read_text() == "done"


def test_a_failure_after_the_last_byte_is_logged(sim, caplog) -> None:
    link = sim("send(1.0, b'x'); reply(); end(); sys.exit('truth: disk full')")
    link.read(0.0)
    with pytest.raises(LinkEnded):
        link.read(0.0)
    assert "truth: disk full" in caplog.text


def test_closing_ends_the_child_and_is_idempotent(sim) -> None:
    link = sim("send(1.0, str(os.getpid()).encode()); reply()")
    pid = int(link.read(0.0).data)
    link.close()
    link.close()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    with pytest.raises(LinkClosed):
        link.read(0.0)
    with pytest.raises(LinkClosed):
        link.write(b"x")


def test_options_become_arguments_in_a_fixed_order(sim) -> None:
    query = "?hours=8&fault=unplug&seed=7&fault=noise&scenario=day"
    link = sim("send(1.0, ' '.join(sys.argv[1:]).encode()); reply()", query)
    expected = b"--stdio --seed=7 --scenario=day --hours=8 --fault=unplug,noise"
    assert link.read(0.0).data == expected


def test_files_are_made_absolute_because_the_child_runs_elsewhere() -> None:
    url = parse_url("sim:?truth=out.csv&recording=/a/S05.zip&scenario=mine.toml")
    here = Path.cwd()
    expected = [f"--scenario={here}/mine.toml", "--recording=/a/S05.zip", f"--truth={here}/out.csv"]
    assert simulator_arguments(url) == expected


def test_an_option_given_twice_is_refused() -> None:
    with pytest.raises(ConfigError, match="option seed: expected the option once"):
        simulator_arguments(parse_url("sim:?seed=1&seed=2"))


def test_an_unknown_option_names_the_known_ones() -> None:
    with pytest.raises(
        ConfigError, match="fault, host, hours, recording, ring, scenario, seed, text"
    ):
        open_simulator(parse_url("sim:?speed=2"))


def test_without_a_checkout_the_error_says_so(tmp_path: Path) -> None:
    with pytest.raises(LinkError, match="comes with a checkout: pip install -e"):
        open_simulator(parse_url("sim:?seed=7"), checkout=tmp_path)
