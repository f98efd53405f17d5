"""Who says whether a job may go on: the machine it runs on, or the run that started it.

A run in virtual time must repeat itself, so the real machine has no say there: a job that it starts
asks nobody, or, where the simulator keeps a host as well, asks the run step by step.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import IO

from firmware_host.adaptation.limits import Limits
from firmware_host.adaptation.policy import Asked, Verdict, Work, decide
from firmware_host.host.readings import read_host

MayGoOn = Callable[[], str | None]
# A busy core warms a Raspberry Pi 4 in a closed case by at most a tenth of a degree a second: half a
# degree between two looks, where the limit leaves five.
LOOK_S = 5.0
# What a job says to the run that it asks, and what it is answered; "stop" is followed by the reason.
QUESTION = "may i go on"
GO, STOP = "go", "stop"
# In virtual time a step must cost something. A real one takes a millisecond or so; at that pace a job is
# over before any host has warmed up, and nothing of the policy would be seen. So a simulated second has
# room for this many: as if the network were some hundred times larger.
STEPS_PER_VIRTUAL_S = 4


class Asks(StrEnum):
    """Whom a job asks before each step."""

    HOST = "host"
    RUN = "run"
    NOBODY = "nobody"


@dataclass(slots=True)
class HostWatch:
    """Looks at one host now and then and keeps the verdict, on which the next one depends.

    Parameters
    ----------
    root
        Where the host's ``/sys`` and ``/proc`` are.
    storage
        Folder of the vault.
    clock
        Seconds, by which looks are spaced.
    """

    root: Path
    storage: Path
    limits: Limits
    clock: Callable[[], float] = time.monotonic
    verdict: Verdict | None = None
    _looked_s: float = 0.0

    def ask(self, work: Work) -> Verdict:
        """The verdict on ``work``, from readings that are at most a few seconds old."""
        now_s = self.clock()
        since_s = now_s - self._looked_s
        if self.verdict is None or not 0 <= since_s < LOOK_S:
            self._looked_s = now_s
            readings = read_host(self.root, storage=self.storage)
            work = replace(work, before=self.verdict, since_before_s=max(0.0, since_s))
            self.verdict = decide(readings, work, self.limits)
        return self.verdict


def ask_host(watch: HostWatch, asked: Asked) -> MayGoOn:
    """Permission from the machine: its policy, asked for a job that is about to begin or to go on."""
    is_running = False

    def may_go_on() -> str | None:
        nonlocal is_running
        verdict = watch.ask(Work(is_running=is_running, asked=asked))
        is_running = verdict.go
        return None if verdict.go else verdict.text

    return may_go_on


def ask_run(answers: IO[str] = sys.stdin, questions: IO[str] = sys.stdout) -> MayGoOn:
    """Permission from the run that started this process, for as many steps as a second has room."""
    n_left = 0

    def may_go_on() -> str | None:
        nonlocal n_left
        if n_left == 0:
            print(QUESTION, file=questions, flush=True)
            word, _, why = answers.readline().strip().partition(" ")
            if word != GO:
                return why or "the run that started it has ended"
            n_left = STEPS_PER_VIRTUAL_S
        n_left -= 1
        return None

    return may_go_on


def ask_nobody() -> str | None:
    """Permission where nobody has a say."""
    return None
