"""The policy on a simulated host, through the files that a real one is read from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from firmware_host.adaptation.limits import Limits
from firmware_host.adaptation.policy import Work
from firmware_host.runtime.permission import LOOK_S, HostWatch
from sim.host import HostModel
from sim.host_plan import HostPlan

CLOSED_CASE_K_PER_W = 16.0


@dataclass
class Lived:
    """What became of a host on which a learner always wants to work."""

    peak_c: float
    worked_share: float
    n_starts: int
    throttled: bool


def _live(root: Path, ambient_c: float, limits: Limits = Limits(), hours: float = 1.5) -> Lived:  # noqa: B008
    host = HostModel(HostPlan(ambient_c=ambient_c, case_k_per_w=CLOSED_CASE_K_PER_W), seed=5)
    now_s, lived, runs = 0.0, Lived(host.soc_c, 0.0, 0, throttled=False), False
    watch = HostWatch(root, root, limits, clock=lambda: now_s)
    n_looks = int(hours * 3600 / LOOK_S)
    for _ in range(n_looks):
        host.write(root)
        goes = watch.ask(Work(stories_waiting=1, is_running=runs)).go
        lived.n_starts += goes and not runs
        lived.worked_share += goes / n_looks
        runs = goes
        now_s += LOOK_S
        host.advance(now_s, float(runs))
        lived.peak_c = max(lived.peak_c, host.soc_c)
        lived.throttled |= host.is_throttled
    return lived


@pytest.mark.parametrize("ambient_c", [18.0, 22.0, 26.0])
def test_learner_never_brings_the_host_to_its_throttle_and_still_gets_on(
    tmp_path: Path, ambient_c: float
) -> None:
    lived = _live(tmp_path, ambient_c)
    assert not lived.throttled
    # Half a degree of a look's delay, and the sensor's noise.
    assert lived.peak_c < 76.5
    assert lived.n_starts > 2
    assert lived.worked_share > 0.02


def test_without_the_limits_it_throttles(tmp_path: Path) -> None:
    assert _live(tmp_path, 22.0, Limits(max_soc_c=120.0, resume_soc_c=115.0)).throttled


def test_host_too_warm_by_itself_does_not_learn(tmp_path: Path) -> None:
    assert _live(tmp_path, 31.0, hours=0.5).n_starts == 0
