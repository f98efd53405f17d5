"""`age --task stress`: stress seen from the rest of another day, and the drift monitor's alarms.

Models are refit without each person. Every window tested ends after the ten minutes that rest is
looked for in, so each way to find rest is judged on the same later windows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from firmware_host.errors import RecordingError
from firmware_host.signals.normalise import Baseline, BaselineEstimator
from firmware_host.signals.resting import QUIET_UNTIL_S, quiet_windows
from firmware_host.signals.stress import CHANNELS, FEATURE_NAMES, WINDOW_S
from training.ageing.alarms import alarm_figures, told_apart
from training.datasets import physionet, stress_predict
from training.datasets.registry import require_all
from training.datasets.stress_windows import SessionWindows
from training.evaluation.options import seed
from training.evaluation.output import plain, require_writable, write_json
from training.evaluation.progress import progress
from training.metrics import score_person
from training.stress.evaluate import stress_windows
from training.stress.generic_models import Generic, LeaveOneOut
from training.stress.people import BEFORE_EXERCISE_S, Person, people_of

if TYPE_CHECKING:
    import argparse

FloatArray = NDArray[np.float64]
Rests = dict[tuple[str, str], Baseline]

DEFAULT_SEED = 20261121
# Weights of today's rest against that of earlier days.
BLENDS = (0.1, 0.3, 0.5, 0.7, 0.9)
_KINDS = ("stress", "aerobic", "anaerobic")
_HEART_RATE = FEATURE_NAMES.index("hr_median_bpm")
_PULSE = CHANNELS.index("bvp")
# Days drawn for each person who has one session only.
_N_DRAWN = 4


def rest_of(windows: SessionWindows, *, since_s: float = 0.0, until_s: float) -> Baseline:
    """Rest found unasked in a stretch of a session, as the host finds it."""
    inside = np.flatnonzero(windows.t_end_s - windows.window_s >= since_s)
    chosen = quiet_windows(
        windows.t_end_s[inside] - since_s,
        windows.quality[inside, _PULSE],
        windows.features[inside, _HEART_RATE],
        windows.motion[inside],
        until_s=until_s,
    )
    estimator = BaselineEstimator()
    for i in inside[chosen]:
        row = dict(zip(CHANNELS, windows.quality[i].tolist(), strict=True))
        estimator.add(windows.features[i], row)
    return estimator.baseline()


def blend(old: Baseline, today: Baseline, share: float) -> Baseline:
    """Between two days: `share` of today's; what one of them does not know is the other's."""
    center = (1.0 - share) * old.center + share * today.center
    known = np.where(np.isfinite(old.center), old.center, today.center)
    center = np.where(np.isfinite(center), center, known)
    return Baseline(center, (1.0 - share) * old.scale + share * today.scale, today.n_windows)


def _ways(old: Baseline, today: Baseline, guided: Baseline) -> dict[str, Baseline]:
    blends = {f"{share:g} of today": blend(old, today, share) for share in BLENDS}
    return {"guided today": guided, "today": today, "earlier day": old, **blends}


def _score(
    person: Person, baseline: Baseline, model: Generic, from_s: float
) -> tuple[float, float] | None:
    """Balanced accuracy and AUC after `from_s`; None without both classes there."""
    seen = replace(person, baseline=baseline)
    p = model.probability(seen.z(model.spread, clip=model.clip), seen.t_end_s)
    mask = np.isin(person.y, (0, 1)) & (person.t_end_s > from_s)
    if len(np.unique(person.y[mask])) < 2:
        return None
    made = score_person(person.person, person.y[mask], p[mask], model.thresholds.stress)
    return made.balanced_accuracy, made.auc


class _Table:
    """Figures by scenario and way to know rest, over people."""

    def __init__(self) -> None:
        self._rows: dict[str, dict[str, list[tuple[float, float]]]] = {}

    def add(
        self,
        scenario: str,
        person: Person,
        ways: Mapping[str, Baseline],
        model: Generic,
        from_s: float,
    ) -> None:
        """Score one person in every way."""
        for way, baseline in ways.items():
            score = _score(person, baseline, model, from_s)
            if score is not None:
                self._rows.setdefault(scenario, {}).setdefault(way, []).append(score)

    def figures(self) -> dict[str, Any]:
        """Means over people (and drawn days)."""
        return {
            scenario: {way: _means(np.array(scores)) for way, scores in ways.items()}
            for scenario, ways in self._rows.items()
        }


def _means(scores: FloatArray) -> dict[str, float]:
    balanced, auc = scores.T
    return {
        "balanced_accuracy": float(balanced.mean()),
        "sd": float(balanced.std(ddof=1)) if len(balanced) > 1 else float("nan"),
        "worst": float(balanced.min()),
        "auc": float(auc.mean()),
        "n": len(scores),
    }


def _first_stress_s(person: Person, stage: int | None = None) -> float:
    """When the first stage of stress begins, or the named one."""
    mask = (person.y == 1) & (True if stage is None else person.stage == stage)
    return float(person.t_end_s[mask].min()) - person.window_s


def _longest_stress(person: Person) -> int:
    stages, counts = np.unique(person.stage[person.y == 1], return_counts=True)
    return int(stages[np.argmax(counts)])


def three_sessions(
    sessions: Mapping[str, SessionWindows], rests: Rests, person: Person
) -> Iterator[tuple[str, dict[str, Baseline], float]]:
    """Scenarios of somebody with two earlier days: (name, ways to know rest, when the test begins)."""
    name = person.person
    days = [rests[name, kind] for kind in _KINDS[1:] if (name, kind) in rests]
    if not days:
        return
    old = days[0] if len(days) == 1 else blend(days[0], days[1], 0.5)
    calm = rests[name, "stress"]
    yield "calm start", _ways(old, calm, person.baseline), QUIET_UNTIL_S
    yield "one earlier day", {"earlier day": days[0], "today": calm}, QUIET_UNTIL_S
    since_s = _first_stress_s(person)
    busy = rest_of(sessions[name], since_s=since_s, until_s=QUIET_UNTIL_S)
    yield "begins with a task", _ways(old, busy, person.baseline), since_s + QUIET_UNTIL_S


def one_session(
    windows: SessionWindows, person: Person, spread: FloatArray, shifts: FloatArray
) -> Iterator[tuple[str, dict[str, Baseline], float]]:
    """The same for somebody with one session: earlier days are drawn from others' differences.

    shifts (n, 26) are differences of rest between days of other people, in units of `spread`.
    """
    calm = rest_of(windows, until_s=QUIET_UNTIL_S)
    since_s = _first_stress_s(person, _longest_stress(person))
    tense = rest_of(windows, since_s=since_s, until_s=QUIET_UNTIL_S)
    for shift in shifts:
        old = replace(person.baseline, center=person.baseline.center + shift * spread)
        yield "calm start", _ways(old, calm, person.baseline), QUIET_UNTIL_S
        yield "tense from the start", _ways(old, tense, person.baseline), QUIET_UNTIL_S


def day_differences(rests: Rests, spread: FloatArray) -> FloatArray:
    """(n, 26) rest of one exercise session less that of the other; unknown features differ by 0."""
    names = sorted({name for name, _ in rests})
    pairs = [
        (rests[name, "aerobic"].center, rests[name, "anaerobic"].center)
        for name in names
        if (name, "aerobic") in rests and (name, "anaerobic") in rests
    ]
    return np.nan_to_num(np.array([a - b for a, b in pairs]) / spread)


def run_age(data_dir: Path, *, cache_dir: Path | None, seed: int) -> dict[str, Any]:
    """Both parts: rest of other days, and alarms.

    Raises
    ------
    RecordingError
        If not both data sets are there, or the people with several sessions are not.
    """
    require_all(data_dir, (physionet.NAME, stress_predict.NAME))
    find = {name: stress_windows(data_dir, name, window_s=WINDOW_S, cache_dir=cache_dir)
            for name in (physionet.NAME, stress_predict.NAME)}  # fmt: skip
    (lab, exercise), (others, _) = find.values()
    rests: Rests = {}
    for windows in [*lab, *exercise]:
        until_s = QUIET_UNTIL_S if windows.session.kind == "stress" else BEFORE_EXERCISE_S
        rests[windows.session.person, windows.session.kind] = rest_of(windows, until_s=until_s)
    if len(rests) <= len(lab):
        raise RecordingError(data_dir, "people with several sessions", "one session each")
    people = people_of([*lab, *others])
    model_for = LeaveOneOut(people, seed=seed, exercise=people_of(exercise))
    rng = np.random.default_rng(seed)
    return {
        "task": "stress",
        "command": "age",
        "seed": seed,
        "rest": {
            physionet.NAME: _several(lab, rests, people, model_for),
            stress_predict.NAME: _single(others, rests, people, model_for, rng),
        },
        "one_session_tells_people_apart": told_apart(rests),
        "alarms": alarm_figures(rests, seed=seed),
    }


def _tested(people: Sequence[Person], windows: Sequence[SessionWindows]) -> list[Person]:
    """People of these sessions with both classes."""
    names = {one.session.person for one in windows}
    return [p for p in people if p.person in names and {0, 1} <= set(p.y.tolist())]


def _several(
    lab: Sequence[SessionWindows],
    rests: Rests,
    people: Sequence[Person],
    model_for: Callable[[str], Generic],
) -> dict[str, Any]:
    table, sessions = _Table(), {one.session.person: one for one in lab}
    for person in progress(_tested(people, lab), "rest of earlier days"):
        model = model_for(person.person)
        for scenario, ways, from_s in three_sessions(sessions, rests, person):
            table.add(scenario, person, ways, model, from_s)
    return table.figures()


def _single(
    windows: Sequence[SessionWindows],
    rests: Rests,
    people: Sequence[Person],
    model_for: Callable[[str], Generic],
    rng: np.random.Generator,
) -> dict[str, Any]:
    table, sessions = _Table(), {one.session.person: one for one in windows}
    for person in progress(_tested(people, windows), "rest of drawn days"):
        model = model_for(person.person)
        differences = day_differences(rests, model.spread)
        rows = differences[rng.integers(len(differences), size=_N_DRAWN)]
        shifts = rows * rng.choice([-1.0, 1.0], size=(_N_DRAWN, 1))
        own = sessions[person.person]
        for scenario, ways, from_s in one_session(own, person, model.spread, shifts):
            table.add(scenario, person, ways, model, from_s)
    return table.figures()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `age --task stress`."""
    parser.add_argument("--data", required=True, type=Path, metavar="DIR",
                        help=f"folder with {physionet.NAME} and {stress_predict.NAME}")  # fmt: skip
    parser.add_argument("--cache", type=Path, metavar="DIR", help="folder for computed windows")
    parser.add_argument("--seed", type=seed, default=DEFAULT_SEED)
    parser.add_argument("--json", type=Path, metavar="OUT", help="write the figures to this file")
    parser.set_defaults(html=None)


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Run the command."""
    require_writable("--json", arguments.json)
    known: dict[str, Any] = plain(
        run_age(arguments.data, cache_dir=arguments.cache, seed=arguments.seed)
    )
    if arguments.json:
        write_json(arguments.json, known)
    return known
