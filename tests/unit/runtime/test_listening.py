"""What run and record count of one stream is the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from firmware_host.runtime.build import SessionOptions, open_session
from firmware_host.runtime.drops import drops
from firmware_host.runtime.recorder import Recording, record
from firmware_host.runtime.silence import SilenceLimits

# Without a ring what is lost stays lost.
FAULTS = "fault=reboot=40:2,unplug=70:8,drop=3e-5,corrupt=3e-5,reorder=0.01"


@pytest.mark.parametrize("ring", ["", "&ring=0"], ids=["sent again", "lost"])
def test_run_and_record_count_the_same_of_one_stream(tmp_path: Path, ring: str) -> None:
    url = f"synthetic:?scenario=short&seed=8&hours=0.04&{FAULTS}{ring}"
    session = open_session(
        SessionOptions(url=url), None, emit=lambda _event: None, stop=lambda: False
    )
    run = session.run()
    recorded = record(
        url,
        lambda _board: tmp_path / "a.mcap",
        stop=lambda: False,
        silence=SilenceLimits(),
        limits=Recording(),
    )
    shared = run.keys() & recorded.keys()
    names = set(drops(session.assembler, session.pipeline.parser))
    assert shared >= names | {"links_lost", "lines", "backfill_asked", "stream_s", "silent_s"}
    assert {name: run[name] for name in shared} == {name: recorded[name] for name in shared}
    missing = sum(channel["missing_samples"] for channel in run["channels"].values())
    assert recorded["missing_samples"] == missing
    assert run["bad_frames"] > 0
    # What came after all or what did not: something was counted.
    assert (missing if ring else run["filled_samples"]) > 0
    assert run["n_sessions"] == 2
