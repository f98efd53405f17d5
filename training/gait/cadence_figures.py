"""Cadence and step count of the host against a reference system, walk by walk.

The motion goes through the host's own windows and estimator. Which windows are walking is taken
from the reference, so the figures say how well cadence is measured, not how well walking is found.

One walk: windows of 5 s that lie at least half inside of it; its cadence is the median of theirs,
its step count the host's own, one hop a window. The reference cadence of the headline is 60 over
the median time from one contact to the next; errors against other fair definitions, and how far
two reference systems are from each other, are reported beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from firmware_host.events import Activity
from firmware_host.signals.gait import HOP_S, WINDOW_S, GaitFeatures
from firmware_host.signals.gait_features import IDENTITY_RATE_HZ
from firmware_host.signals.stepping import CadenceTracker, count_steps
from training.datasets.bad_people import attempt
from training.datasets.mobgap_lab import NAME, SAMPLE_RATE_HZ, LabRecording, index
from training.datasets.mobgap_mat import WalkingBout
from training.gait.cadence_references import (
    CAMERAS,
    HEADLINE,
    MEANINGS,
    MIN_CONTACTS,
    reference_cadences,
)

FloatArray = NDArray[np.float64]

# The publisher's cohort of healthy adults; the headline figure is over them.
_HEALTHY = "HA-"
_NO_REFERENCE = (
    "there are no reference walks here: put the publisher's data/lab/<cohort>/<number>/data.mat "
    "beside the CSV files"
)


@dataclass(frozen=True, slots=True)
class WalkRow:
    """One reference walk; `measured_spm` is NaN when the host gave no cadence in it.

    `references_spm` has every definition of `MEANINGS`, NaN where it is not known.
    """

    participant: str
    trial: str
    start_s: float
    duration_s: float
    references_spm: Mapping[str, float]
    measured_spm: float
    reference_steps: int
    measured_steps: float

    @property
    def reference_spm(self) -> float:
        """What the headline figure is against."""
        return self.references_spm[HEADLINE]

    def error_spm(self, reference: str = HEADLINE) -> float:
        """Measured minus reference."""
        return self.measured_spm - self.references_spm[reference]


def cadence_figures(data_dir: Path) -> dict[str, Any]:
    """Errors of cadence and step count against the reference contacts, over walks and by person.

    `cadence_mae_spm` is the mean over healthy people of their own mean absolute error, None
    without a reference; `reasons` says why a figure is None.

    Raises
    ------
    RecordingError
        If nobody is there, or a file is cut, off-rate or in other units.
    """
    dataset = index(data_dir)
    rows: dict[str, list[WalkRow]] = {}
    for participant in dataset.people:
        recordings = attempt(f"{NAME}/{participant}", lambda who=participant: dataset.load(who))
        if recordings is not None:
            rows[participant] = [row for one in recordings for row in walk_rows(one)]
    return figures_of(rows)


def walk_rows(recording: LabRecording) -> Iterator[WalkRow]:
    """Every reference walk of `MIN_CONTACTS` contacts or more that a window can lie in."""
    bouts = [
        bout
        for bout in recording.bouts or ()
        if len(bout.contact_s) >= MIN_CONTACTS and bout.end_s - bout.start_s >= WINDOW_S / 2
    ]
    ends_s, norms = _windows(recording) if bouts else (np.zeros(0), [])
    for bout in bouts:
        overlap_s = np.minimum(ends_s, bout.end_s) - np.maximum(ends_s - WINDOW_S, bout.start_s)
        inside = np.flatnonzero(overlap_s >= WINDOW_S / 2)
        yield _row(recording, bout, [norms[i] for i in inside])


def _windows(recording: LabRecording) -> tuple[FloatArray, list[FloatArray]]:
    """Ends of the host's windows, and the length of the acceleration in each."""
    rates = {"acc": SAMPLE_RATE_HZ, "gyro": SAMPLE_RATE_HZ}
    extractor = GaitFeatures(rates)
    ends_s = np.arange(WINDOW_S, recording.duration_s + 1e-6, HOP_S)
    norms, fed = [], 0
    for end_s in ends_s.tolist():
        stop = round(end_s * SAMPLE_RATE_HZ)
        extractor.feed("acc", fed / SAMPLE_RATE_HZ, recording.acc_ms2[fed:stop], 0)
        extractor.feed("gyro", fed / SAMPLE_RATE_HZ, recording.gyro_rads[fed:stop], 0)
        fed = stop
        norms.append(extractor.compute(end_s).acc_norm_ms2)
    return ends_s, norms


def _row(recording: LabRecording, bout: WalkingBout, norms: Sequence[FloatArray]) -> WalkRow:
    tracker = CadenceTracker(sample_rate_hz=IDENTITY_RATE_HZ)
    found = np.array([tracker.update(norm, Activity.WALK) for norm in norms])
    known = found[np.isfinite(found)]
    return WalkRow(
        participant=recording.participant,
        trial=recording.trial,
        start_s=bout.start_s,
        duration_s=bout.end_s - bout.start_s,
        references_spm=reference_cadences(bout, recording.camera_bouts or ()),
        measured_spm=float(np.median(known)) if known.size else float("nan"),
        reference_steps=bout.n_contacts,
        measured_steps=count_steps(found, hop_s=HOP_S),
    )


def figures_of(rows: Mapping[str, Sequence[WalkRow]]) -> dict[str, Any]:
    """Figures of everybody's walks; a person without walks keeps an entry without figures."""
    walks = [row for mine in rows.values() for row in mine]
    people = [
        {"id": who, **_person(mine), "walks": [_walk(row) for row in mine]}
        for who, mine in rows.items()
    ]
    healthy = [one for one in people if one["id"].startswith(_HEALTHY)] or people
    error = _mean_of_people(healthy, lambda one: one["cadence_mae_spm"])
    return {
        "cadence_over": "healthy" if healthy is not people else "everybody",
        "reference": f"{MEANINGS[HEADLINE]}, walks of {MIN_CONTACTS} contacts or more",
        "references": MEANINGS,
        **_person(walks),
        "cadence_mae_spm_everybody": _person(walks)["cadence_mae_spm"],
        "cadence_mae_spm": error,
        "cadence_mae_by_reference_spm": {
            name: _mean_of_people(
                healthy, lambda one, name=name: one["cadence_mae_by_reference_spm"][name]
            )
            for name in MEANINGS
        },
        "cadence_correlation": _correlation(walks, "reference_spm", "measured_spm"),
        "step_count_correlation": _correlation(walks, "reference_steps", "measured_steps"),
        "agreement": [
            {
                "person": row.participant,
                "trial": row.trial,
                "start_s": row.start_s,
                "reference": row.reference_spm,
                "measured": row.measured_spm,
            }
            for row in walks
            if np.isfinite(row.measured_spm)
        ],
        "reasons": {"cadence_mae_spm": _NO_REFERENCE} if error is None else {},
        "participants": people,
    }  # fmt: skip


def _person(rows: Sequence[WalkRow]) -> dict[str, Any]:
    answered = [row for row in rows if np.isfinite(row.measured_spm)]
    errors = [row.error_spm() for row in answered]
    n_true = sum(row.reference_steps for row in rows)
    n_found = sum(row.measured_steps for row in rows)
    return {
        "n_bouts": len(rows),
        "n_bouts_answered": len(answered),
        "cadence_mae_spm": _mean(np.abs(errors)),
        "cadence_bias_spm": _mean(errors),
        "cadence_worst_spm": float(np.abs(errors).max()) if answered else None,
        "cadence_limits_95_spm": _limits(errors),
        "cadence_mae_by_reference_spm": {
            name: _mean(_known(abs(row.error_spm(name)) for row in answered)) for name in MEANINGS
        },
        "insoles_to_cameras_spm": _mean(
            _known(abs(row.reference_spm - row.references_spm[CAMERAS]) for row in rows)
        ),
        "n_steps_reference": n_true,
        "n_steps": round(n_found, 1),
        "step_count_error": n_found / n_true - 1.0 if n_true else None,
        "step_count_mae_per_bout": _mean([abs(r.measured_steps - r.reference_steps) for r in rows]),
    }


def _walk(row: WalkRow) -> dict[str, Any]:
    known = {
        name: value if np.isfinite(value) else None for name, value in row.references_spm.items()
    }
    return {
        "trial": row.trial,
        "start_s": row.start_s,
        "duration_s": row.duration_s,
        "references_spm": known,
        "measured_spm": row.measured_spm if np.isfinite(row.measured_spm) else None,
        "n_steps_reference": row.reference_steps,
        "n_steps": row.measured_steps,
    }


def _mean_of_people(
    people: Sequence[Mapping[str, Any]], figure: Callable[[Mapping[str, Any]], float | None]
) -> float | None:
    return _mean([value for value in map(figure, people) if value is not None])


def _known(values: Iterable[float]) -> list[float]:
    return [value for value in values if np.isfinite(value)]


def _mean(values: Sequence[float] | FloatArray) -> float | None:
    return float(np.mean(values)) if len(values) else None


def _limits(errors: Sequence[float]) -> list[float] | None:
    """Bland and Altman's 95 % limits of agreement."""
    if len(errors) < 3:
        return None
    middle, reach = float(np.mean(errors)), 1.96 * float(np.std(errors, ddof=1))
    return [middle - reach, middle + reach]


def _correlation(rows: Sequence[WalkRow], reference: str, measured: str) -> float | None:
    pairs = np.array([(getattr(row, reference), getattr(row, measured)) for row in rows], float)
    known = pairs[np.isfinite(pairs).all(axis=1)] if len(pairs) else pairs
    if len(known) < 3 or not known.std(axis=0).all():
        return None
    return float(np.corrcoef(known.T)[0, 1])
