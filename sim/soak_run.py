"""One soak run: the ``signet`` command through a whole day, and what it said, wrote and took of memory."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sim.product import CommandError, fresh_folder
from sim.schedule import load_scenario
from sim.soak_day import Stretch, write_soak_day

SEED = 8
# An open recording keeps its index in memory, 1.3 MB for an hour: the warm-up has whole parts.
_CONFIG = "[recording]\nmax_file_minutes = 60\n"
_LOOK_EVERY_S = 60.0
_SESSION_NOTES = ("session", "reboot", "swap")


@dataclass(slots=True)
class Told:
    """One note of the run, with the board session it came in, counted from 0."""

    session: int
    what: str
    t_s: float
    utc: float
    channel: str
    detail: dict[str, Any]


@dataclass(slots=True)
class Soak:
    """What happened and what was said of it.

    ``memory`` has (virtual seconds, resident MB); ``clock`` has (session, t_s, utc) of every activity.
    """

    stretches: list[Stretch]
    start_utc: float
    truth: dict[str, Any] = field(default_factory=dict)
    summary: dict[str, Any] = field(default_factory=dict)
    told: list[Told] = field(default_factory=list)
    clock: list[tuple[int, float, float]] = field(default_factory=list)
    memory: list[tuple[float, float]] = field(default_factory=list)
    files: list[Path] = field(default_factory=list)
    failure: str = ""
    wall_s: float = 0.0
    cpu_s: float = 0.0

    @property
    def duration_s(self) -> float:
        """Virtual seconds of the whole run."""
        return self.stretches[-1].end_s

    def true_s(self, session: int, t_s: float) -> float:
        """When that was, true seconds after power on, whatever the host takes the time for."""
        starts = self.truth["sessions"]
        return float(starts[min(session, len(starts) - 1)][0]) + t_s

    def zero_utc(self, at_s: float) -> float:
        """What the host's clock calls power on at a true time: it was set in between."""
        steps: list[tuple[float, float]] = self.truth["host_steps"]
        return self.start_utc + sum(by_s for t_s, by_s in steps if t_s <= at_s)

    def notes(self, *what: str) -> list[Told]:
        """Notes of some names."""
        return [one for one in self.told if one.what in what]


def run_soak(
    out: Path,
    stretches: list[Stretch],
    *,
    ring_kib: int,
    learns: bool = False,
    seed: int = SEED,
    progress: Callable[[float], None] = lambda _: None,
) -> Soak:
    """Stream the day through ``signet run``, recording beside it; the files stay in ``out``."""
    fresh_folder(out, mark=".soak")
    scenario, config = out / "soak.toml", out / "signet.toml"
    write_soak_day(scenario, stretches)
    config.write_text(_CONFIG, encoding="ascii")
    url = f"synthetic:?seed={seed}&scenario={scenario}&hours={stretches[-1].end_s / 3600:.9f}"
    url += f"&truth={out / 'truth.csv'}&host={out / 'host'}&ring={ring_kib}"
    command = [sys.executable, "-m", "sim.disk", str(out / "host"), "run", "--device", url]
    command += ["--record", str(out / "soak.mcap"), "--json", "--config", str(config)]
    command += [] if learns else ["--no-learn"]
    command += ["--state", str(out / "state"), "--key-file", str(out / "key")]
    soak = Soak(stretches, load_scenario(scenario).start_utc)
    started_s, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    try:
        _follow(soak, command, out / "log.txt", progress)
    except CommandError as err:
        soak.failure = f"exit code {err.code}: {err}"
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    soak.wall_s = time.monotonic() - started_s
    soak.cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    truth = out / "truth.faults.json"
    if truth.exists():
        soak.truth = json.loads(truth.read_text(encoding="ascii"))
    soak.files = sorted(out.glob("soak*.mcap"))
    return soak


def _follow(soak: Soak, command: list[str], log: Path, progress: Callable[[float], None]) -> None:
    session, looked_s = -1, -_LOOK_EVERY_S
    for pid, event in _events(command, log):
        if event["kind"] == "summary":
            soak.summary = event
            continue
        if event["kind"] == "stream":
            session += event["what"] in _SESSION_NOTES
            soak.told.append(
                Told(
                    session,
                    event["what"],
                    event["t_s"],
                    event["utc"],
                    event["channel"],
                    event["detail"],
                )
            )
        elif event["kind"] == "activity":
            soak.clock.append((session, event["t_s"], event["utc"]))
        passed_s = event["utc"] - soak.start_utc
        if not looked_s <= passed_s < looked_s + _LOOK_EVERY_S:
            looked_s = passed_s
            soak.memory.append((passed_s, _resident_mb(pid)))
            progress(passed_s)


def _events(command: list[str], log: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    with (
        log.open("w", encoding="utf-8") as said,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=said, text=True) as process,
    ):
        assert process.stdout is not None
        try:
            for line in process.stdout:
                yield process.pid, json.loads(line)
            code = process.wait()
        finally:
            process.kill()
    if code:
        lines = log.read_text(encoding="utf-8").strip().splitlines()
        raise CommandError((lines or ["it gave no reason"])[-1], code)


def _resident_mb(pid: int) -> float:
    """Resident memory of a process; NaN once it is gone."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    except (OSError, IndexError):
        return float("nan")
    return pages * resource.getpagesize() / 1e6


def struck_in(soak: Soak, stretch: Stretch, *kinds: str) -> int:
    """How often faults of these kinds struck in a stretch."""
    return sum(kind in kinds and start_s in stretch for kind, start_s, _ in soak.truth["struck"])
