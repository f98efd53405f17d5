"""How a stream does, from the run that writes it to the lines that another process prints."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from firmware_host.cli.stream_lines import stream_lines
from firmware_host.inference.bundle import load_bundle
from firmware_host.protocol.encode import encode_pong
from firmware_host.protocol.messages import Ping, Pong
from firmware_host.runtime.baseline import WearerBaseline
from firmware_host.runtime.build import open_models
from firmware_host.runtime.live import LIVE_KIND, LiveHealth, is_going_on, live_health
from firmware_host.runtime.pipeline import Pipeline
from firmware_host.vault.records import Vault
from tests.unit.runtime.test_pipeline import UTC, HandBoard


class _Link:
    is_finite = False
    is_up = True
    n_lost = 2
    trouble = ""

    def __init__(self) -> None:
        self.at_s = 0.0

    def now_utc(self) -> float:
        return UTC + self.at_s


class _Listening:
    """As far as health asks one."""

    last_data_utc: float | None = None

    def __init__(self, link: _Link) -> None:
        self.link = link
        self.is_mute = False

    def doing(self) -> str:
        return "away" if not self.link.is_up else "mute" if self.is_mute else "streaming"

    def counts(self) -> dict[str, object]:
        return {"links_lost": self.link.n_lost, "lines": {}, "silent_s": 6.5}


@pytest.fixture
def told(tmp_path: Path):
    """A run of 80 s on a board whose EDA runs at 80 % of what it says: vault, link, health."""
    bundle = load_bundle()
    models = open_models(bundle, runtime="auto", placement="wrist")
    pipeline = Pipeline(bundle, models, baseline=WearerBaseline(window_s=bundle.stress.window_s))
    key = tmp_path / "key"
    with Vault.open_or_create(tmp_path / "state", key) as vault:
        link = _Link()
        listening = _Listening(link)
        health = LiveHealth(vault, listening, pipeline, lambda: link.at_s)  # type: ignore[arg-type]
        board = HandBoard(true_rate=0.8)
        pipeline.feed(board.hello(), UTC)
        for s in range(80):
            pipeline.asked(Ping(s), UTC + s + 0.99)
            pipeline.feed(encode_pong(Pong(7, (s + 1) * 1_000_000, s), seq=s), UTC + s + 1.01)
            link.at_s = s + 1.02
            pipeline.feed(board.second(s), link.now_utc())
            listening.last_data_utc = link.now_utc()
            health.look()
        health.look(now=True)
        yield vault, link, health


def test_record_is_one_and_tells_clock_rates_losses_and_quality(told) -> None:
    vault, link, _ = told
    assert vault.count(LIVE_KIND) == 1
    seen = live_health(vault)
    assert seen is not None
    # Written every ten seconds at most.
    assert 0 <= link.now_utc() - seen["told_utc"] <= 10.1
    assert seen["clock"]["round_trip_ms"] == pytest.approx(20.0, abs=0.1)
    assert seen["channels"]["eda"]["measured_hz"] == pytest.approx(3.2, rel=0.1)
    assert set(seen["quality"]) == {"bvp", "eda", "temp", "acc"}
    assert (seen["links_lost"], seen["silent_s"]) == (2, 6.5)
    assert is_going_on(seen)


def test_lines_say_what_is_wrong(told) -> None:
    vault, link, health = told
    seen = {**live_health(vault), "is_going_on": True}
    lines = {line.split()[0]: line for line in stream_lines(seen, link.now_utc())}
    assert "going on, data was coming (as of 0 s ago)" in lines["stream"]
    assert "4 DECLARED" in lines["rates"]
    assert "round trip 20.0 ms" in lines["clock"]
    assert "2 times the link was lost" in lines["losses"]
    assert "battery" not in lines
    for percent, line in (
        (80, "battery     80 %"),
        (12, "battery     12 %, LOW: charge the board"),
    ):
        assert stream_lines({**seen, "battery_percent": percent}, 0.0)[-1] == line
    eda = {"eda": {**seen["channels"]["eda"], "n_gaps": 1}}
    for channels, words in ((eda, "in 1 gap;"), ({**eda, "temp": eda["eda"]}, "in 2 gaps;")):
        assert words in stream_lines({**seen, "channels": channels}, link.now_utc())[3]
    late = stream_lines(seen, link.now_utc() + 3600.0)[0]
    assert "has written nothing of itself for 60 min" in late
    health.end("no data for 300 s: mute")
    ended = {**live_health(vault), "is_going_on": False}
    assert stream_lines(ended, 0.0)[0].endswith("no data for 300 s: mute")
    assert not is_going_on(ended)
    assert stream_lines(None, 0.0) == ["stream      none yet"]


def test_age_of_the_record_is_not_taken_for_silence(told) -> None:
    vault, link, health = told
    seen = {**live_health(vault), "is_going_on": True}
    later = stream_lines(seen, link.now_utc() + 9.0)[0]
    assert later.endswith("data was coming (as of 9 s ago)")
    link.at_s += 20.0
    health.look(now=True)
    mute = {**live_health(vault), "is_going_on": True, "silent_s": 20.0}
    lines = stream_lines(mute, link.now_utc() + 1.0)
    assert lines[0].endswith("NO DATA for 20 s: the board is there (as of 1 s ago)")
    assert any("no data for 20 s in all" in line for line in lines)


def test_link_and_data_that_go_or_come_back_are_news_at_once(told) -> None:
    vault, link, health = told
    health.look()
    for is_up, is_mute in ((False, False), (True, True), (True, False)):
        # Since the last time nobody wrote for a second and a half: no reason yet to write again.
        link.at_s += 1.5
        health.look()
        assert live_health(vault)["told_utc"] < link.now_utc()
        link.is_up, health.listening.is_mute = is_up, is_mute
        if not is_mute:
            health.listening.last_data_utc = link.now_utc()
        health.look()
        seen = live_health(vault)
        assert (seen["told_utc"], seen["is_up"]) == (link.now_utc(), is_up)
        words = stream_lines({**seen, "is_going_on": True}, link.now_utc() + 4.0)[0]
        assert words.endswith("(as of 4 s ago)")
        assert ("the link is lost" in words) == (not is_up)
    # A loose plug is not written down at each touch.
    link.at_s += 0.3
    link.is_up = False
    health.look()
    assert live_health(vault)["told_utc"] < link.now_utc()


def test_what_is_not_counted_yet_is_not_none(told) -> None:
    vault, link, _ = told
    none = {
        **live_health(vault),
        **{"is_going_on": True, "channels": {}, "last_data_utc": None, "silent_s": 6.0},
    }
    lines = {line.split()[0]: line for line in stream_lines(none, link.now_utc())}
    assert "NO DATA yet: the board is there" in lines["stream"]
    assert "no samples counted yet" in lines["losses"]
    assert "0 of 0" not in lines["losses"]


def test_next_run_takes_the_place_of_the_one_before(told) -> None:
    vault, link, health = told
    again = LiveHealth(vault, health.listening, health.pipeline, lambda: link.at_s)
    again.look()
    again.end("done")
    assert vault.count(LIVE_KIND) == 1
    assert live_health(vault)["ended"] == "done"


def test_first_record_waits_for_samples_or_for_silence(told) -> None:
    vault, _, health = told
    vault.prune(LIVE_KIND, max_records=0)
    listening = _Listening(health.listening.link)
    again = LiveHealth(vault, listening, health.pipeline, health.monotonic)  # type: ignore[arg-type]
    again.look()
    assert live_health(vault) is None
    again.look(now=True)
    assert live_health(vault)["last_data_utc"] is None


def test_run_whose_process_is_gone_was_cut_off(told) -> None:
    vault, *_ = told
    with subprocess.Popen([sys.executable, "-c", ""]) as gone:
        gone.wait()
    seen = {**live_health(vault), "pid": gone.pid}
    assert not is_going_on(seen)
    assert "cut off" in stream_lines({**seen, "is_going_on": False}, 0.0)[0]


def test_run_whose_number_another_process_has_by_now_was_cut_off(told) -> None:
    seen = live_health(told[0])
    assert seen["process"]
    # The number of this very process, as it may come again after a power cut.
    boot, began = seen["process"].split()
    assert not is_going_on({**seen, "process": f"another-boot {began}"})
    assert not is_going_on({**seen, "process": f"{boot} {int(began) + 1}"})


def test_finite_source_is_told_of_at_its_end_only(told) -> None:
    vault, link, health = told
    vault.prune(LIVE_KIND, max_records=0)
    link.is_finite = True
    again = LiveHealth(vault, health.listening, health.pipeline, lambda: link.at_s)
    again.look()
    assert live_health(vault) is None
    again.end("done")
    assert live_health(vault)["ended"] == "done"
