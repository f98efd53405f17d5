"""A live stream over a pty: either end is killed and comes back; learning is killed at any moment."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from command import ENV, REPO, Wearer, board, command, one_line

PATIENCE_S = 40.0


def _until(condition: Callable[[], bool], what: str) -> None:
    deadline_s = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline_s, f"waited {PATIENCE_S} s for {what}"
        time.sleep(0.05)


@contextmanager
def _board(link: Path) -> Iterator[subprocess.Popen[bytes]]:
    with board(link) as process:
        _until(link.exists, "the board's pty")
        yield process


@contextmanager
def _host(wearer: Wearer, link: Path, out: Path) -> Iterator[subprocess.Popen[bytes]]:
    with out.open("wb") as file, out.with_suffix(".said").open("wb") as said:
        process = subprocess.Popen(
            command("run", "--device", link, "--json", *wearer.options),
            cwd=REPO,
            env={**ENV, "PYTHONUNBUFFERED": "1"},
            stdout=file,
            stderr=said,
        )
        try:
            yield process
        except AssertionError as err:
            # What the host had to say is the first thing to know of a failure.
            err.add_note(f"the host ({process.poll()}): {out.with_suffix('.said').read_text()}")
            raise
        finally:
            process.kill()
            process.wait()


def _events(out: Path) -> list[dict]:
    lines = out.read_text().split("\n")[:-1]
    return [json.loads(line) for line in lines]


def _sessions(out: Path) -> list[dict]:
    notes = [e for e in _events(out) if e["kind"] == "stream"]
    return [e for e in notes if e["what"] in ("session", "reboot")]


def test_board_killed_and_started_again_is_a_new_session(wearer: Wearer, tmp_path: Path) -> None:
    link, out = tmp_path / "board", tmp_path / "events"
    with ExitStack() as stack:
        with _board(link):
            host = stack.enter_context(_host(wearer, link, out))
            _until(lambda: len(_sessions(out)) == 1, "the first session")
        link.unlink(missing_ok=True)
        stack.enter_context(_board(link))
        _until(lambda: len(_sessions(out)) == 2, "the second session")
        host.send_signal(signal.SIGTERM)
        assert host.wait(timeout=PATIENCE_S) == 0
    summary = _events(out)[-1]
    assert summary["kind"] == "summary"
    assert summary["links_lost"] >= 1
    assert summary["n_sessions"] == 2
    stored = wearer.signet("status", "--json").check().json
    assert stored["records"]["event"] >= 2


def test_host_killed_and_started_again_finds_board_and_vault(
    wearer: Wearer, tmp_path: Path
) -> None:
    link = tmp_path / "board"
    wearer.signet("label", "rest", "--last", "5m").check()
    with _board(link):
        for n in range(2):
            out = tmp_path / f"events{n}"
            with _host(wearer, link, out) as host:
                _until(lambda out=out: len(_events(out)) >= 1, "a session")
                # Written every ten seconds at the next event, and those are seconds apart.
                _until(lambda out=out: _events(out)[-1]["t_s"] > 18, "ten seconds")
                host.send_signal(signal.SIGKILL)
                host.wait(timeout=PATIENCE_S)
    stored = wearer.signet("status", "--json").check().json
    assert stored["labels"]["rest"] == 1
    # What was seen before the last ten seconds of either run is there.
    assert stored["records"]["event"] >= 4


def test_port_in_use_is_said(wearer: Wearer, tmp_path: Path) -> None:
    link, out = tmp_path / "board", tmp_path / "events"
    with _board(link), _host(wearer, link, out):
        _until(lambda: len(_sessions(out)) == 1, "a session")
        other = Wearer(tmp_path / "other")
        other.folder.mkdir()
        done = other.signet("run", "--device", link)
    assert done.code == 3
    assert "use" in one_line(done) or "busy" in one_line(done)


@pytest.fixture
def taught(wearer: Wearer) -> Wearer:
    """A wearer with labels from two hours of a simulated morning, and nothing learned yet."""
    url = "synthetic:?seed=8&scenario=day&hours=1.4"
    wearer.signet("run", "--device", url, "--no-learn", "--json").check()
    return wearer


def test_learning_killed_at_any_moment_leaves_old_or_new(taught: Wearer, tmp_path: Path) -> None:
    before = 0
    n_finished = 0
    for n, delay_s in enumerate([0.1, 0.3, 0.5, 0.7, 0.9, 1.1, 1.3, 1.6, 2.0, 30.0]):
        config = tmp_path / f"seed{n}.toml"
        config.write_text(f"[adaptation]\nseed = {n}\n")
        process = subprocess.Popen(
            command("learn", "--config", config, "--json", *taught.options),
            cwd=REPO,
            env=ENV,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            n_finished += process.wait(timeout=delay_s) == 0
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        state = taught.signet("status", "--json").check().json
        assert state["adapter"] in (before, before + 1)
        assert state["ledger_intact"]
        before = state["adapter"]
    assert n_finished >= 1
    history = taught.signet("learn", "--history", "--json").check().json
    assert len(history) >= 1


def test_wearer_is_tapped_when_stress_lasts_and_it_is_wanted(
    wearer: Wearer, tmp_path: Path
) -> None:
    config = tmp_path / "signet.toml"
    config.write_text("[device]\ncue_on_stress = true\n")
    # Somebody who responds: about one simulated person in seven does not.
    url = "synthetic:?seed=181&scenario=short"
    done = wearer.signet("run", "--config", config, "--device", url, "--json", "--no-learn").check()
    summary = done.events[-1]
    assert summary["states"]["stress"] > 3
    assert summary["cues"] >= 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_run_ends_cleanly_when_asked(wearer: Wearer, tmp_path: Path, number: int) -> None:
    link, out = tmp_path / "board", tmp_path / "events"
    with _board(link), _host(wearer, link, out) as host:
        _until(lambda: len(_sessions(out)) == 1, "a session")
        host.send_signal(number)
        assert host.wait(timeout=PATIENCE_S) == 0
    assert _events(out)[-1]["kind"] == "summary"


def test_run_goes_on_when_its_terminal_closes_if_that_was_asked(
    wearer: Wearer, tmp_path: Path
) -> None:
    link, out = tmp_path / "board", tmp_path / "events"
    # As `nohup` does; whoever is started by this process inherits it.
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with _board(link), _host(wearer, link, out) as host:
            _until(lambda: len(_sessions(out)) == 1, "a session")
            host.send_signal(signal.SIGHUP)
            with pytest.raises(subprocess.TimeoutExpired):
                host.wait(timeout=1.5)
            host.send_signal(signal.SIGTERM)
            assert host.wait(timeout=PATIENCE_S) == 0
    finally:
        signal.signal(signal.SIGHUP, before)


def test_enrolment_that_is_interrupted_keeps_nothing(wearer: Wearer, tmp_path: Path) -> None:
    link = tmp_path / "board"
    with _board(link):
        process = subprocess.Popen(
            command("enrol", "baseline", "--device", link, *wearer.options),
            cwd=REPO,
            env=ENV,
            stderr=subprocess.DEVNULL,
        )
        _until((wearer.state / "vault.sqlite3").exists, "the vault")
        time.sleep(1.0)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=PATIENCE_S) == 130
    assert wearer.signet("status", "--json").check().json["baseline"] is None


def test_board_told_to_stop_streams_again_for_the_next_host(wearer: Wearer, tmp_path: Path) -> None:
    link = tmp_path / "board"
    with _board(link):
        for n in range(2):
            out = tmp_path / f"events{n}"
            with _host(wearer, link, out) as host:
                _until(lambda out=out: len(_sessions(out)) == 1, "a session")
                time.sleep(2.5)
                host.send_signal(signal.SIGTERM)
                assert host.wait(timeout=PATIENCE_S) == 0
            summary = _events(out)[-1]
            assert summary["channels"]["bvp"]["n_samples"] >= 64


def test_status_tells_how_the_stream_does_while_it_goes_on_and_after(
    wearer: Wearer, tmp_path: Path
) -> None:
    link, out = tmp_path / "board", tmp_path / "events"

    def stream() -> dict:
        return wearer.signet("status", "--json").check().json["stream"] or {}

    with _board(link), _host(wearer, link, out) as host:
        _until(lambda: len(_sessions(out)) == 1, "the first session")
        _until(lambda: stream().get("is_going_on", False), "news of the stream")
        going = stream()
        text = wearer.signet("status").check().out
        host.send_signal(signal.SIGTERM)
        assert host.wait(timeout=PATIENCE_S) == 0
        ended = stream()
    assert going["is_going_on"]
    assert not going["ended"]
    assert going["channels"]["bvp"]["declared_hz"] == 64.0
    for line in ("stream ", "clock ", "rates ", "losses "):
        assert f"\n{line}" in text
    assert "going on, data was coming" in text
    assert (ended["is_going_on"], ended["ended"]) == (False, "done")
    assert ended["channels"]["bvp"]["n_samples"] >= going["channels"]["bvp"]["n_samples"]


def test_board_that_falls_silent_ends_a_run_with_a_code_and_a_reason(
    wearer: Wearer, tmp_path: Path
) -> None:
    link = tmp_path / "board"
    with _board(link) as board:
        command_line = command(
            "run", "--device", link, "--max-silence", "2", "--json", *wearer.options
        )
        with subprocess.Popen(
            command_line,
            cwd=REPO,
            env={**ENV, "PYTHONUNBUFFERED": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as host:
            assert host.stdout is not None
            assert json.loads(host.stdout.readline())["what"] == "session"
            board.send_signal(signal.SIGSTOP)
            out, err = host.communicate(timeout=PATIENCE_S)
    assert host.returncode == 9
    assert err.splitlines()[-1].startswith(
        "signet: no data for 2 s: the board is there but sends no samples"
    )
    notes = [json.loads(line) for line in out.splitlines()]
    assert "silence" in [note.get("what") for note in notes]
    told = wearer.signet("status").check().out
    assert "no data for 2 s" in told
