"""Which part of a session the wearer labels, and which part tests what was learned from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from firmware_host.adaptation.episodes import Label, LabelSpan
from training.splits import WindowKey, check_earlier, check_no_overlap

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from training.datasets.stress_windows import SessionWindows

Protocol = Literal["generic", "personal", "earlier", "two-tasks"]
_N_TASKS = {"earlier": 1, "two-tasks": 2}


@dataclass(frozen=True)
class Division:
    """Labelled spans to learn from, and (n,) indices of the windows to test on.

    `same_task` marks that calibration and test share a stage, minutes apart.
    """

    calibration: list[LabelSpan]
    test: NDArray[np.int64]
    same_task: bool


def divide(windows: SessionWindows, protocol: Protocol, *, window_s: float) -> Division | None:
    """Divide one session; None if either class is missing among the test windows.

    "generic": nothing is labelled, every rest and stress window tests. "personal": the first half
    of every stage is labelled, the second half tests, windows that touch both do neither.
    "earlier": baseline, first task and the rest after it are labelled, all later stages test.
    "two-tasks": labels end with the second task, or in its middle where no third follows.
    """
    order = [
        (idx, Label(stage.label))
        for idx, stage in enumerate(windows.session.stages)
        if stage.label in set(Label) and (windows.stage == idx).any()
    ]
    if protocol == "generic":
        division = Division(
            [], np.flatnonzero(np.isin(windows.stage, [i for i, _ in order])), False
        )
    elif protocol == "personal":
        division = _halves(windows, order, window_s)
    else:
        division = _earlier(windows, order, _N_TASKS[protocol], window_s)
    if division is None or len(np.unique(windows.label[division.test])) < len(Label):
        return None
    _check(windows, division, protocol, window_s)
    return division


def _check(
    windows: SessionWindows, division: Division, protocol: Protocol, window_s: float
) -> None:
    """Raise if a labelled window shares seconds with a test window, or comes after one."""
    starts, ends = windows.t_end_s - window_s, windows.t_end_s
    labelled = np.zeros(len(ends), np.bool_)
    for span in division.calibration:
        labelled |= (starts >= span.start_utc) & (ends <= span.end_utc)

    def keys(idx: NDArray[np.int64]) -> list[WindowKey]:
        name, content = windows.session.person, windows.content_sha256
        return [WindowKey(name, content, starts[i], ends[i]) for i in idx]

    check = check_no_overlap if protocol in ("generic", "personal") else check_earlier
    check(keys(np.flatnonzero(labelled)), keys(division.test))


def _halves(windows: SessionWindows, order: list[tuple[int, Label]], window_s: float) -> Division:
    spans, test = [], np.zeros(len(windows.stage), np.bool_)
    for idx, label in order:
        span = _span(windows, idx, label, window_s)
        middle = (span.start_utc + span.end_utc) / 2
        spans.append(LabelSpan(label, span.start_utc, middle))
        test |= (windows.stage == idx) & (windows.t_end_s - window_s >= middle)
    return Division(spans, np.flatnonzero(test), True)


def _earlier(
    windows: SessionWindows, order: list[tuple[int, Label]], n_tasks: int, window_s: float
) -> Division | None:
    tasks = [place for place, (_, label) in enumerate(order) if label is Label.STRESS]
    if len(tasks) < n_tasks:
        return None
    last = tasks[n_tasks - 1]
    same_task = n_tasks > 1 and len(tasks) == n_tasks
    # With one task only, its contrast is the rest that follows; with two, rest lies between them.
    n_calibration = last + (2 if n_tasks == 1 else 1)
    spans = [_span(windows, idx, label, window_s) for idx, label in order[:n_calibration]]
    test = np.isin(windows.stage, [idx for idx, _ in order[n_calibration:]])
    if same_task:
        start, end = spans[-1].start_utc, (spans[-1].start_utc + spans[-1].end_utc) / 2
        spans[-1] = LabelSpan(Label.STRESS, start, end)
        test |= (windows.stage == order[last][0]) & (windows.t_end_s - window_s >= end)
    return Division(spans, np.flatnonzero(test), same_task)


def _span(windows: SessionWindows, idx: int, label: Label, window_s: float) -> LabelSpan:
    """A stage as the wearer would label it, on the session's own clock."""
    ends = windows.t_end_s[windows.stage == idx]
    return LabelSpan(label, float(ends[0]) - window_s, float(ends[-1]))
