"""`ablate --task preferences`: what comparing moments teaches, beside labels and against them.

Each person's generic model never saw them. They label their session up to the second task, compare
moments of that part, and are tested on what comes later; or they label and compare the first half of
every stage, and the other halves test. Who compares is either the person, by self-ratings of the
stages, or made up: somebody who knows the labels and errs now and then.

An hour has too few moments that share no signal to hold comparisons back as the host does over days;
so here labels alone judge what was learned from comparisons, or nobody does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from firmware_host.adaptation.adapters import apply_adapter
from firmware_host.adaptation.compared import without_holding_back
from firmware_host.adaptation.episodes import (
    Episode,
    EpisodeSet,
    Label,
    Refusal,
    build_episodes,
    split_for_gate,
)
from firmware_host.adaptation.evidence import Compared, Comparisons, Evidence, Labelled
from firmware_host.adaptation.job import choose_update
from firmware_host.adaptation.preferences import Comparison
from firmware_host.adaptation.prepare import (
    evidence_of,
    first_rest_baseline,
    labelled_windows,
    unusable_windows,
)
from firmware_host.adaptation.recipe import CANDIDATES, COMPARED, Candidate
from firmware_host.adaptation.samples import WindowTable
from firmware_host.adaptation.trainings import train_alone
from firmware_host.scoring import balanced_accuracy
from firmware_host.signals.stress import WINDOW_S
from training.ablation.stress import SHORT
from training.ablation.table import Table, add_common, check_output, finish
from training.datasets.physionet_ratings import ratings
from training.datasets.registry import STRESS, require_all
from training.datasets.stress_windows import SessionWindows, load_windows
from training.evaluation.progress import progress
from training.stress.calibration_split import Division, Protocol, divide
from training.stress.data import load_people
from training.stress.generic_models import Generic, LeaveOneOut
from training.stress.people import Person

if TYPE_CHECKING:
    import argparse
# How much more stressful a stage must have felt to be said so.
MIN_RATING_STEP = 1.0
# Moments of each of two compared stages, far enough apart to share no window.
MOMENTS = 2
# Made-up people compare this often, and get this share of it the wrong way round.
N_MADE_UP = 40
ERRORS = {"to the second task": (0.0, 0.1, 0.3), "first halves": (0.0,)}
# Lower than this is a person worse off, beyond a window or two.
NOISE = 0.01
# As the shipped update from comparisons, without them.
LABELS = replace(COMPARED, way="labels", steps=COMPARED.steps // 2)
# What ships waits for a second story; here it may show why.
AFTER_ONE = replace(COMPARED, min_stories=1)
# What is labelled and compared, in words.
PROTOCOLS: dict[str, Protocol] = {"to the second task": "two-tasks", "first halves": "personal"}


@dataclass(frozen=True)
class Way:
    """One way to learn: what may be tried, and whether anybody judges it."""

    name: str
    candidates: tuple[Candidate, ...]
    is_judged: bool


WAYS = (
    Way("labels (ships)", CANDIDATES, True),
    Way("labels and comparisons, judged on labels", (*CANDIDATES, AFTER_ONE), True),
    Way("labels, no gate", (LABELS,), False),
    Way("labels and comparisons, no gate", (COMPARED,), False),
)
Says = Callable[["Case", np.random.Generator], list[Comparison]]


@dataclass(frozen=True)
class Case:
    """One person: windows, what they label, and the model that never saw them."""

    person: Person
    windows: SessionWindows
    division: Division
    generic: Generic
    felt: dict[str, float]
    built: EpisodeSet

    @property
    def labelled(self) -> NDArray[np.bool_]:
        """(n,) windows wholly inside a labelled stretch."""
        return self._any(lambda start, end, a, b: (start >= a) & (end <= b))

    @property
    def free(self) -> NDArray[np.bool_]:
        """(n,) windows that share no second with one."""
        return ~self._any(lambda start, end, a, b: (start < b) & (end > a))

    @property
    def stages(self) -> list[tuple[str, float, float]]:
        """Names of the labelled stages, and when their first and last labelled window ends."""
        found, ends = [], self.windows.t_end_s
        for idx, stage in enumerate(self.windows.session.stages):
            own = ends[(self.windows.stage == idx) & self.labelled]
            if len(own) and stage.label in set(Label):
                found.append((stage.name, float(own[0]), float(own[-1])))
        return found

    def _any(self, holds: Callable[..., NDArray[np.bool_]]) -> NDArray[np.bool_]:
        ends = self.windows.t_end_s
        masks = [
            holds(ends - WINDOW_S, ends, span.start_utc, span.end_utc)
            for span in self.division.calibration
        ]
        found: NDArray[np.bool_] = np.logical_or.reduce(masks)
        return found


@dataclass(frozen=True)
class Outcome:
    """Balanced accuracy on the test windows, generic and learned; `group` is what passed the gate."""

    person: str
    generic: float
    learned: float
    group: str


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `ablate --task preferences`."""
    add_common(parser)
    parser.add_argument("--cache", type=Path, help="folder for computed windows")


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Run the command; the table is returned and written where asked."""
    check_output(arguments)
    by_protocol = _cases(arguments.data, arguments.cache, seed=arguments.seed)
    tables = [_table(name, cases, seed=arguments.seed) for name, cases in by_protocol.items()]
    cases = by_protocol[next(iter(PROTOCOLS))]
    agrees = [share for case in cases if (share := agreement_with_ratings(case)) is not None]
    facts = {
        "generic_agrees_with_ratings": float(np.mean(agrees)),
        "people": len(cases),
        "seed": arguments.seed,
        "made_up_comparisons": N_MADE_UP,
    }
    return finish(arguments, "preferences", tables, facts)


def _cases(data_dir: Path, cache_dir: Path | None, *, seed: int) -> dict[str, list[Case]]:
    """By what is labelled; a person's model is trained once."""
    require_all(data_dir, SHORT)
    data = load_people(data_dir, cache_dir=cache_dir)
    felt = ratings(data_dir)
    generic_of = LeaveOneOut(data.everyone(), seed=seed, exercise=data.exercise)
    cases: dict[str, list[Case]] = {words: [] for words in PROTOCOLS}
    for name in SHORT:
        lab = [one for one in STRESS[name](data_dir) if one.kind == "stress"]
        by_name = {one.session.person: one for one in load_windows(lab, cache_dir=cache_dir)}
        for person in progress(data.lab[name], f"models, {SHORT[name]}"):
            windows, own = by_name[person.person], felt.get(person.person, {})
            for words, protocol in PROTOCOLS.items():
                division = divide(windows, protocol, window_s=WINDOW_S)
                if division is not None:
                    seen, built = _labelled_part(person, windows, division)
                    generic = generic_of(person.person)
                    cases[words].append(Case(seen, windows, division, generic, own, built))
    return cases


def _labelled_part(
    person: Person, windows: SessionWindows, division: Division
) -> tuple[Person, EpisodeSet]:
    """The labelled episodes, and the person seen from their first rest: nothing of the test part."""
    table = WindowTable(
        person.t_end_s, person.raw, person.quality, person.motion, windows.missing, windows.worn
    )
    unusable = unusable_windows(table, max_motion_ms2=None)
    built = build_episodes(
        person.t_end_s, division.calibration, window_s=WINDOW_S, unusable=unusable
    )
    rest = first_rest_baseline(table, built.episodes)
    return replace(person, baseline=rest or person.baseline), built


def by_ratings(case: Case, _rng: np.random.Generator) -> list[Comparison]:
    """What the person's own ratings of the labelled stages say of their moments."""
    known = [stage for stage in case.stages if stage[0] in case.felt]
    said = []
    for one in known:
        for other in known:
            if case.felt[one[0]] - case.felt[other[0]] >= MIN_RATING_STEP:
                pairs = zip(_moments(one), _moments(other), strict=True)
                said += [Comparison(more, less) for more, less in pairs]
    # In the order in which they could be said: once the later of both moments is over.
    return sorted(said, key=lambda c: (max(c.more_utc, c.less_utc), c.more_utc, c.less_utc))


def agreement_with_ratings(case: Case) -> float | None:
    """Share of pairs of rated stages that the generic model orders as the person does."""
    z = case.person.z(case.generic.spread, clip=case.generic.clip)
    apply_adapter(case.generic.model, None)
    p, names = case.generic.probability(z, case.person.t_end_s), {}
    for idx, stage in enumerate(case.windows.session.stages):
        inside = case.windows.stage == idx
        if inside.any() and stage.name in case.felt:
            names[stage.name] = float(p[inside].mean())
    right = [
        names[one] > names[other]
        for one in names
        for other in names
        if case.felt[one] - case.felt[other] >= MIN_RATING_STEP
    ]
    return float(np.mean(right)) if right else None


def made_up(wrong: float) -> Says:
    """Somebody who compares labelled moments of stress and rest, and errs at that rate."""

    def says(case: Case, rng: np.random.Generator) -> list[Comparison]:
        ends = {label: _ends(case, label) for label in Label}
        said = []
        for _ in range(N_MADE_UP):
            more, less = (
                float(rng.choice(ends[label])) - WINDOW_S / 2
                for label in (Label.STRESS, Label.REST)
            )
            said.append(Comparison(*((less, more) if rng.random() < wrong else (more, less))))
        return sorted(said, key=lambda c: max(c.more_utc, c.less_utc))

    return says


def _ends(case: Case, label: Label) -> NDArray[np.float64]:
    spans = [span for span in case.division.calibration if span.label is label]
    ends = case.windows.t_end_s
    inside = np.zeros(len(ends), np.bool_)
    for span in spans:
        inside |= (ends - WINDOW_S >= span.start_utc) & (ends <= span.end_utc)
    return ends[inside]


def _moments(stage: tuple[str, float, float]) -> Iterator[float]:
    """Moments that lie wholly inside a stage's windows."""
    _, first, last = stage
    for place in np.linspace(first, last, MOMENTS + 2)[1:-1].tolist():
        yield place - WINDOW_S / 2


def learn(case: Case, said: Sequence[Comparison], way: Way) -> Outcome | None:
    """One job, or one training without a gate; None if there is too little to learn from."""
    person, generic = case.person, case.generic
    z = person.z(generic.spread, clip=generic.clip)
    built = case.built
    split = split_for_gate(built)
    n_labels = len({episode.label for episode in built.episodes})
    if n_labels < len(Label) or (isinstance(split, Refusal) and way.is_judged):
        return None
    turns = [] if isinstance(split, Refusal) else [held_back for _, held_back in split.turns]
    compared = _comparisons(case, z, said, turns)
    if not way.is_judged:
        everything = labelled_windows(z, built.episodes)
        return _scored(case, z, way, everything=everything, compared=compared.everything)
    assert not isinstance(split, Refusal)
    evidence = replace(evidence_of(z, built, split), comparisons=compared)
    return _scored(case, z, way, evidence=evidence)


def _comparisons(
    case: Case,
    z: NDArray[np.float32],
    said: Sequence[Comparison],
    turns: Sequence[Sequence[Episode]],
) -> Comparisons:
    """All of them to learn from, but for what a turn holds back of the labels."""
    labelled, ends = case.labelled, case.person.t_end_s

    def read(start_s: float, end_s: float) -> NDArray[np.float32]:
        return z[(ends >= start_s) & (ends <= end_s) & labelled]

    return without_holding_back(said, read, window_s=WINDOW_S, turns=turns)


def _scored(
    case: Case,
    z: NDArray[np.float32],
    way: Way,
    *,
    evidence: Evidence | None = None,
    everything: Labelled | None = None,
    compared: Compared | None = None,
) -> Outcome:
    model, group = case.generic.model, way.candidates[0].name
    apply_adapter(model, None)
    before = _accuracy(case, z)
    if evidence is not None:
        choice = choose_update(model, evidence, current=None, candidates=way.candidates, seed=1)
        group = choice.groups if choice.changed else ""
    elif everything is not None:
        train_alone(model, way.candidates[0], everything, compared, seed=1)
    after = _accuracy(case, z)
    apply_adapter(model, None)
    return Outcome(case.person.person, before, after, group)


def _accuracy(case: Case, z: NDArray[np.float32]) -> float:
    """Balanced accuracy on the test windows; nothing of the labelled part smooths in."""
    free, ends, test = case.free, case.person.t_end_s, case.division.test
    p = np.full(len(ends), np.nan)
    p[free] = case.generic.probability(z[free], ends[free])
    called = (p[test] > case.generic.thresholds.stress).astype(np.int64)
    return balanced_accuracy(case.person.y[test], called)


def _table(labelled: str, cases: Sequence[Case], *, seed: int) -> Table:
    speakers: dict[str, Says] = {"own ratings": by_ratings}
    speakers |= {f"made up, {w:.0%} wrong": made_up(w) for w in ERRORS[labelled]}
    rows = []
    for who, says in speakers.items():
        for name, short in SHORT.items():
            mine = [case for case in cases if case.person.dataset == name]
            if who == "own ratings":
                mine = [case for case in mine if case.felt]
            if mine:
                rows += _rows(f"{short}: {who}", mine, says, seed)
    return Table(
        f"preferences, labels {PROTOCOLS[labelled]}",
        f"Comparing moments beside labels: {labelled}",
        "Tested on windows that share nothing with a label. Hurt and helped: people whose "
        f"balanced accuracy moved by more than {NOISE:g} against the generic model.",
        {
            "who": "set: who compares",
            "way": "learned from",
            "n": "people",
            "n_passed": "comparisons taken",
            "generic": "generic",
            "learned": "learned",
            "helped": "helped",
            "hurt": "hurt",
            "worst": "worst change",
        },
        rows,
    )


def _rows(who: str, cases: Sequence[Case], says: Says, seed: int) -> list[dict[str, Any]]:
    rows = []
    for way in WAYS:
        found = [
            learn(case, says(case, np.random.default_rng([seed, idx])), way)
            for idx, case in enumerate(progress(cases, f"{who}, {way.name}"))
        ]
        rows.append({"who": who, "way": way.name, **_summary([one for one in found if one])})
    return rows


def _summary(found: Sequence[Outcome]) -> dict[str, Any]:
    change = np.array([one.learned - one.generic for one in found])
    return {
        "n": len(found),
        "n_passed": sum(one.group == COMPARED.name for one in found),
        "generic": float(np.mean([one.generic for one in found])) if found else None,
        "learned": float(np.mean([one.learned for one in found])) if found else None,
        "helped": int((change > NOISE).sum()),
        "hurt": int((change < -NOISE).sum()),
        "worst": float(change.min()) if found else None,
    }
