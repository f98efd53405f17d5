"""A recording gives the same events at any speed, and nothing leaves the host."""

from __future__ import annotations

from pathlib import Path

from command import Wearer, signet


def test_replay_twice_at_two_speeds_gives_the_same_bytes(recording: Path) -> None:
    fast = signet("replay", recording, "--json").check()
    slow = signet("replay", recording, "--speed", "200", "--json").check()
    assert len(fast.events) > 100
    assert fast.out == slow.out


def test_replay_gives_the_events_of_the_run_it_was_recorded_from(
    wearer: Wearer, tmp_path: Path
) -> None:
    file = tmp_path / "walk.mcap"
    url = "synthetic:?seed=8&scenario=walk"
    live = wearer.signet("run", "--device", url, "--record", file, "--json", "--no-learn").check()
    again = signet("replay", file, "--json").check()
    assert live.events[-1]["kind"] == "summary"
    assert live.out.splitlines()[:-1] == again.out.splitlines()


def test_default_run_opens_no_socket(wearer: Wearer) -> None:
    done = wearer.signet("run", "--device", "synthetic:?seed=8&scenario=walk", "--json").check()
    assert done.events[-1]["sockets_opened"] == 0


def test_socket_counter_counts(tmp_path: Path) -> None:
    from firmware_host.host.sockets import SocketCounter

    counter = SocketCounter()
    counter.install()
    import socket

    socket.socket(socket.AF_UNIX).close()
    assert counter.n_sockets == 1


def test_recording_is_never_overwritten(recording: Path) -> None:
    before = recording.read_bytes()
    done = signet("record", "--device", "synthetic:?scenario=walk", "--out", recording)
    assert done.code == 4
    assert recording.read_bytes() == before
