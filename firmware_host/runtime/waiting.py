"""What learning waits for at this moment, as a run would be told it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from firmware_host.adaptation.limits import Limits
from firmware_host.adaptation.policy import Block, Cause, Verdict, decide
from firmware_host.adaptation.samples import WINDOW_KIND
from firmware_host.host.readings import HostReadings, read_host
from firmware_host.inference.contract import STRESS_PLACEMENT
from firmware_host.runtime.in_force import baseline_in_force
from firmware_host.runtime.learning import label_needed, work_waiting
from firmware_host.vault.records import Vault


@dataclass(frozen=True, slots=True)
class Waiting:
    """The verdict, and what the host says of itself; ``is_unfinished`` if a job was paused."""

    verdict: Verdict
    readings: HostReadings
    is_unfinished: bool

    def lines(self) -> list[str]:
        """Every cause in words, the first blocking one first; if there is none, what comes next."""
        if not self.verdict.go:
            return [block.text for block in self.verdict.blocks]
        job = "the paused job goes on" if self.is_unfinished else "a job begins"
        return [f"nothing: {job} with signet run, or signet learn"]

    def facts(self) -> dict[str, Any]:
        """Plain values for machines."""
        return {
            **self.verdict.facts(),
            "is_unfinished": self.is_unfinished,
            "host": self.readings.facts(),
        }


def look_at(
    vault: Vault, *, host_root: Path, storage: Path, limits: Limits, now_utc: float
) -> Waiting:
    """Look once at the vault and at the host."""
    readings = read_host(host_root, storage=storage)
    work = work_waiting(vault, now_utc=now_utc)
    verdict = decide(readings, work, limits)
    if verdict.has(Cause.NO_LABELS) and (need := _first_need(vault)):
        blocks = (Block(Cause.NO_LABELS, need), *verdict.blocks[1:])
        verdict = replace(verdict, blocks=blocks, text=f"waiting for {need}")
    return Waiting(verdict, readings, work.is_unfinished)


def _first_need(vault: Vault) -> str:
    """What is missing before a story can be complete, in words; empty if nothing is."""
    if vault.count(WINDOW_KIND) == 0:
        return f"a stream from the {STRESS_PLACEMENT}: no minute was seen yet (signet run)"
    if baseline_in_force(vault) is None:
        return "ten minutes of wear, or four still ones (signet enrol baseline)"
    return label_needed(vault)
