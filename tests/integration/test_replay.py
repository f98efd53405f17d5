"""A recording gives the same events at any speed, and nothing leaves the host."""

from __future__ import annotations

from pathlib import Path

from command import Wearer, one_line, signet


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

    socket.socket(socket.AF_INET).close()
    assert (counter.n_sockets, counter.n_local) == (1, 0)
    # It cannot leave this machine.
    socket.socket(socket.AF_UNIX).close()
    assert (counter.n_sockets, counter.n_local) == (1, 1)


def test_recording_is_never_overwritten(recording: Path) -> None:
    before = recording.read_bytes()
    done = signet("record", "--device", "synthetic:?scenario=walk", "--out", recording)
    assert done.code == 4
    assert recording.read_bytes() == before


def test_a_part_in_rounds_is_the_same_at_any_speed(recording: Path) -> None:
    part = ("replay", recording, "--from", "1m", "--to", "25%", "--loop", "2", "--json")
    fast = signet(*part).check()
    slow = signet(*part, "--speed", "400").check()
    assert fast.out == slow.out
    notes = [event["what"] for event in fast.events if event["kind"] == "stream"]
    assert [what for what in notes if what in ("session", "round", "reboot")] == [
        "session", "round", "reboot",
    ]  # fmt: skip
    assert not {"gap", "clock_step", "clock_jump"} & set(notes)
    device = f"replay:{recording}?from=1m&to=25%&loop=2"
    kept = recording.with_name("part.mcap")
    signet("record", "--device", device, "--out", kept).check()
    again = signet("replay", kept, "--json").check()
    # Labels are in the file that was played, not in what its board said.
    seen = [e for e in fast.events if e.get("what") != "round" and e["kind"] != "label"]
    assert seen == [e for e in again.events if e["kind"] != "label"]


def test_skipped_silence_is_said_and_nothing_else_changes(tmp_path: Path) -> None:
    gappy = tmp_path / "gappy.mcap"
    device = "synthetic:?seed=8&scenario=short&hours=0.06&fault=unplug=60:60"
    signet("record", "--device", device, "--out", gappy).check()
    plain = signet("replay", gappy, "--json").check().out.splitlines()
    cut = signet("replay", gappy, "--json", "--skip-gaps", "30s").check().out.splitlines()
    marks = [line for line in cut if '"what":"skipped"' in line]
    assert len(marks) == 1
    assert [line for line in cut if line not in marks] == plain
    took = signet("replay", gappy, "--speed", "100", "--skip-gaps", "--json")
    assert took.check().out.splitlines() == cut


def test_a_vault_refuses_what_did_not_happen_again(wearer: Wearer, recording: Path) -> None:
    refused = wearer.signet("replay", recording, "--loop", "2")
    assert (refused.code, "did not happen again" in one_line(refused)) == (2, True)
    refused = wearer.signet("run", "--device", f"replay:{recording}?loop=forever")
    assert refused.code == 2
    assert not wearer.state.exists()
