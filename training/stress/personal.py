"""Does learning on the host help people, and whom does it hurt? The job that ships, on recordings.

`run_rows` gives probabilities window by window, with and without what the host learned. Neither the
baseline nor the update knows anything of the test part.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from firmware_host.adaptation.adapters import apply_adapter
from firmware_host.adaptation.episodes import Refusal, Split, build_episodes, split_for_gate
from firmware_host.adaptation.job import choose_update
from firmware_host.adaptation.prepare import (
    evidence_of,
    first_rest_baseline,
    unusable_windows,
)
from firmware_host.adaptation.recipe import CANDIDATES, Candidate
from firmware_host.adaptation.samples import WindowTable
from firmware_host.signals.effort import effort_of
from firmware_host.signals.stress import WINDOW_S
from training.datasets.stress_windows import SessionWindows
from training.stress.calibration_split import Division, Protocol, divide
from training.stress.decisions import readable
from training.stress.generic_models import Generic
from training.stress.people import BaselineKind, Person, people_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

NOT_ASKED = "no_labels"


@dataclass(frozen=True)
class Row:
    """One person's test windows, scored by the generic model and by what the host learned.

    truth (n,) 0 rest, 1 stress; p_generic, p_personal (n,) P(stress) as the host gives it; t_end_s
    (n,); answered (n,) whether the host would have said rest or stress with the model in force;
    stage (n,) number of the stage; window_idx (n,) the windows' places in the session. `kept` says
    whether the gate let an update through, `reason` why or why not, `group` what was trained; P
    above `threshold` is stress.
    """

    person: str
    seen_in_training: bool
    kept: bool
    reason: str
    group: str
    truth: NDArray[np.int64]
    p_generic: NDArray[np.float64]
    p_personal: NDArray[np.float64]
    t_end_s: NDArray[np.float64]
    answered: NDArray[np.bool_]
    stage: NDArray[np.int64]
    window_idx: NDArray[np.int64]
    same_task: bool = False
    n_stories: int = 0
    threshold: float = 0.5


def run_rows(
    windows: Sequence[SessionWindows],
    protocol: Protocol,
    model_for: Callable[[str], Generic],
    *,
    candidates: tuple[Candidate, ...] = CANDIDATES,
    baseline: BaselineKind = "guided",
    window_s: float = WINDOW_S,
    seed: int = 1,
) -> list[Row]:
    """Learn and test for every session; people without both classes to test on are left out.

    Parameters
    ----------
    windows
        Laboratory sessions of the people to test; others are not opened.
    model_for
        Generic model by name of the person: `LeaveOneOut`, or one bundle for everybody.
    candidates
        What the host may train; the shipped choice unless an ablation asks.
    """
    by_name = {one.session.person: one for one in windows}
    rows = []
    for person in people_of(windows, baseline=baseline):
        session = by_name[person.person]
        division = divide(session, protocol, window_s=window_s)
        if division is not None:
            job = _Job(person, session, division, model_for(person.person), window_s, baseline)
            rows.append(job.row(candidates, seed))
    return rows


class _Job:
    """One person's learning job as the host would run it at the end of calibration."""

    def __init__(
        self,
        person: Person,
        windows: SessionWindows,
        division: Division,
        generic: Generic,
        window_s: float,
        baseline: BaselineKind,
    ) -> None:
        self._windows, self._division, self._generic = windows, division, generic
        self._window_s = window_s
        table = WindowTable(
            person.t_end_s, person.raw, person.quality, person.motion, windows.missing, windows.worn
        )
        self._built = build_episodes(
            person.t_end_s,
            division.calibration,
            window_s=window_s,
            unusable=unusable_windows(table, max_motion_ms2=None),
        )
        if division.calibration and baseline == "guided":
            # The baseline may use nothing of the test part either.
            found = first_rest_baseline(table, self._built.episodes)
            person = replace(person, baseline=found or person.baseline)
        self._person = person
        self._z = person.z(generic.spread, clip=generic.clip)

    def row(self, candidates: tuple[Candidate, ...], seed: int) -> Row:
        """Score before and after learning."""
        apply_adapter(self._generic.model, None)
        before = after = self._probability()
        kept, reason, group, n_stories = False, NOT_ASKED, "", 0
        if self._division.calibration:
            split = split_for_gate(self._built)
            if isinstance(split, Refusal):
                reason = split.reason.value
            else:
                n_stories = split.n_stories
                kept, reason, group = self._learn(split, candidates, seed)
                after = self._probability() if kept else before
            apply_adapter(self._generic.model, None)
        test, person = self._division.test, self._person
        return Row(
            person.person,
            self._generic.has_seen(person),
            kept,
            reason,
            group if kept else "",
            person.y[test],
            before[test],
            after[test],
            person.t_end_s[test],
            self._answered(after)[test],
            person.stage[test],
            test,
            self._division.same_task,
            n_stories,
            self._generic.thresholds.stress,
        )

    def _probability(self) -> NDArray[np.float64]:
        """(n,) smoothed P(stress); NaN where a window shares a second with what was labelled.

        Such windows stay out of the smoothing too: through it their labels would reach the test.
        """
        starts, ends = self._person.t_end_s - self._window_s, self._person.t_end_s
        free = np.ones(len(ends), np.bool_)
        for span in self._division.calibration:
            free &= (starts >= span.end_utc) | (ends <= span.start_utc)
        p = np.full(len(ends), np.nan)
        p[free] = self._generic.probability(self._z[free], ends[free])
        return p

    def _learn(
        self, split: Split, candidates: tuple[Candidate, ...], seed: int
    ) -> tuple[bool, str, str]:
        choice = choose_update(
            self._generic.model,
            evidence_of(self._z, self._built, split),
            current=None,
            candidates=candidates,
            seed=seed,
        )
        return choice.changed, choice.decision.reason.value, choice.groups

    def _answered(self, p: NDArray[np.float64]) -> NDArray[np.bool_]:
        """(n,) where the host says rest or stress instead of that it does not know."""
        limits, person = self._generic.thresholds, self._person
        sure = np.abs(p - limits.stress) >= limits.unsure_band
        effort = effort_of(person.motion, person.t_end_s, effort_s=limits.effort_s)
        still = (person.motion <= limits.moving_ms2) & (effort <= limits.effort_ms2)
        answered: NDArray[np.bool_] = (
            self._windows.worn & readable(person.quality, limits) & still & sure
        )
        return answered
