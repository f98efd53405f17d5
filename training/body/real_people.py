"""Real people in each condition: which recordings, and which part of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from training.body.gait_measures import gait_windows
from training.body.vital_measures import VitalTracks
from training.body.windows import Seen, Span, joined
from training.datasets import motionsense, physionet, registry, stress_predict, wisdm_watch
from training.datasets.base import EXERCISE, REST, STRESS, Session, Signals
from training.datasets.motion import MotionDataset, MotionRecording
from training.evaluation.progress import progress

VITAL_CONDITIONS = (REST, STRESS, EXERCISE)
# The publishers' names of trials.
_WATCH_TRIALS = {
    "walk": ("A",),
    "run": ("B",),
    "stairs": ("C",),
    "sit": ("D",),
    "typing": ("F",),
    "eating": ("H", "I", "J", "L"),
}
_POCKET_TRIALS = {"walk_pocket": ("wlk",), "run_pocket": ("jog",)}
# A pocket is no wrist: only what belongs to the person and not to the place is compared.
_ANYWHERE = ("cadence_spm", "stride_cv")


def real_people(data_dir: Path) -> tuple[list[Seen], dict[str, list[MotionRecording]]]:
    """Everybody in every condition whose data set is there, and the watch wearers' walks."""
    seen: list[Seen] = []
    for name, sessions in (
        (stress_predict.NAME, stress_predict.sessions),
        (physionet.NAME, physionet.sessions),
    ):
        if registry.is_there(data_dir, name):
            seen += _vitals(sessions(data_dir))
    walks: dict[str, list[MotionRecording]] = {}
    if registry.is_there(data_dir, wisdm_watch.NAME):
        found = wisdm_watch.index(data_dir)
        for person, recordings in _loaded(found):
            walks[f"{found.name}/{person}"] = _of(recordings, _WATCH_TRIALS["walk"])
            seen += _moving(f"{found.name}/{person}", recordings, _WATCH_TRIALS)
    if registry.is_there(data_dir, motionsense.NAME):
        found = motionsense.index(data_dir)
        for person, recordings in _loaded(found):
            seen += [
                Seen(one.person, one.condition, {n: one.windows[n] for n in _ANYWHERE})
                for one in _moving(f"{found.name}/{person}", recordings, _POCKET_TRIALS)
            ]
    return seen, {who: walk for who, walk in walks.items() if walk}


def _vitals(sessions: list[Session]) -> list[Seen]:
    parts = defaultdict(list)
    for session in progress(sessions, "heart and skin"):
        signals = session.source.open()
        tracks = _tracks(signals)
        for condition in VITAL_CONDITIONS:
            spans = [
                Span(stage.start_utc - signals.start_utc, stage.end_utc - signals.start_utc)
                for stage in session.stages
                if stage.label == condition
            ]
            windows = tracks.windows(spans)
            if windows:
                parts[session.person, condition].append(windows)
    return [Seen(*key, joined(windows)) for key, windows in parts.items()]


def _tracks(signals: Signals) -> VitalTracks:
    channels = signals.channels
    names = ("bvp", "eda", "temp", "acc")
    return VitalTracks(
        {n: channels[n].values if n == "acc" else channels[n].values[:, 0] for n in names},
        {n: channels[n].rate_hz for n in names},
        {n: channels[n].start_utc - signals.start_utc for n in names},
    )


def _loaded(dataset: MotionDataset) -> Iterator[tuple[str, list[MotionRecording]]]:
    for person in progress(list(dataset.people), dataset.name):
        yield person, dataset.load(person)


def _of(recordings: list[MotionRecording], trials: tuple[str, ...]) -> list[MotionRecording]:
    return [one for one in recordings if one.trial.partition("_")[0] in trials]


def _moving(
    person: str, recordings: list[MotionRecording], conditions: dict[str, tuple[str, ...]]
) -> Iterator[Seen]:
    for condition, trials in conditions.items():
        windows = gait_windows(_of(recordings, trials))
        if windows:
            yield Seen(person, condition, windows)
