"""Your own recordings: `own/<participant>/` with Signet recordings or E4 sessions, and labels.

A recording is `<name>.mcap` (as `signet record` writes), `<name>.zip` or a folder of an Empatica
E4. What happened is taken from the first of these that is there:

- `<name>.labels.csv`: stretches of `rest` and `stress` (start_utc,end_utc,label);
- the labels that the recording carries, and presses of the board's labelling buttons;
- `signet vault export` in the participant's folder: the labels of that archive within this recording.

For gait, `<name>.activity.csv` has stretches of `still`, `walk`, `run`, `stairs` and `other` in the
same layout; a recording whose name begins with `walk` and has no such file is walked throughout.
All of it is worn on the wrist.
"""

from __future__ import annotations

import hashlib
import itertools
from functools import partial
from pathlib import Path

import numpy as np

from firmware_host.errors import RecordingError
from firmware_host.events import Activity
from firmware_host.recording.labels import read_labels
from training.datasets import mobgap_lab, motionsense, physionet, stress_predict, wesad, wisdm_watch
from training.datasets.array_signals import ArraySignals, Steady
from training.datasets.bad_people import attempt, note_left_alone
from training.datasets.base import REST, STRESS, Session, Stage, locate, require_sessions
from training.datasets.copies import find_copies, require_original
from training.datasets.members import Member, is_mac_file
from training.datasets.motion import MotionDataset, MotionRecording
from training.datasets.own_export import export_labels, is_export
from training.datasets.own_recording import OwnSource, Part, Span, read_parts

NAME = "own"
PLACEMENT = "wrist"
ACTIVITIES = tuple(activity.value for activity in Activity)
# What a gait window needs; a shorter stretch holds none.
_MIN_STRETCH_S = 5.0
_E4_FILE = "BVP.csv"
_SUFFIXES = (".mcap", ".zip")
_OTHER_SETS = {
    module.NAME
    for module in (mobgap_lab, motionsense, physionet, stress_predict, wesad, wisdm_watch)
}


def is_own(folder: Path) -> bool:
    """Whether a folder holds participants' folders with Signet recordings."""
    found = (path for path in folder.glob("*/*.mcap") if not is_mac_file(path.relative_to(folder)))
    return not _other_sets(folder) and any(found)


def sessions(data_dir: Path) -> list[Session]:
    """One session for every recording with labels of rest or stress, by participant.

    Raises
    ------
    RecordingError, LabelError
        If there is none, or a recording or label file cannot be used.
    """
    root = _root(data_dir)
    expected = "<participant>/<recording> with labels of rest or stress"
    return require_sessions(labelled(data_dir), root, expected)


def labelled(data_dir: Path) -> list[Session]:
    """As `sessions`, but there may be none."""
    found: list[Session] = []
    owners: dict[str, Path] = {}
    for participant, folder in _people(_root(data_dir)):
        for path in recordings_of(folder):
            made = partial(_sessions_of, participant, folder, path, owners)
            found += attempt(f"{NAME}/{participant}", made) or []
    return found


def has_motion(data_dir: Path) -> bool:
    """Whether anybody has stretches of known activity."""
    return any(_moves(folder) for _, folder in _people(_root(data_dir)))


def index(data_dir: Path) -> MotionDataset:
    """People with stretches of known activity, among them walking.

    Raises
    ------
    RecordingError
        If there is nobody, or a recording is there twice.
    """
    root = _root(data_dir)
    walkers = {participant: folder for participant, folder in _people(root) if _moves(folder)}
    files = {participant: _motion_files(folder) for participant, folder in walkers.items()}
    copies = find_copies(itertools.chain.from_iterable(files.values()), bytes)

    def is_usable(participant: str) -> bool:
        require_original(files[participant], copies)
        return True

    people = {
        participant: folder
        for participant, folder in walkers.items()
        if attempt(f"{NAME}/{participant}", partial(is_usable, participant))
    }
    if not people:
        expected = "<participant>/<name>.activity.csv or recordings named walk<something>"
        raise RecordingError(root, expected, "none")
    return MotionDataset(
        NAME,
        PLACEMENT,
        {person: partial(_motion, person, folder) for person, folder in people.items()},
        {person: partial(_content, folder) for person, folder in people.items()},
    )


def recordings_of(folder: Path) -> list[Path]:
    """Recordings in a participant's folder, sorted by name."""
    return [path for path in sorted(folder.iterdir()) if _is_recording(path)]


def _root(data_dir: Path) -> Path:
    """Where the participants' folders are; a folder of other data sets is none of them."""
    root = locate(data_dir, NAME)
    others = _other_sets(root) if root.is_dir() else []
    if others:
        received = f"a folder with {', '.join(others)}"
        raise RecordingError(root, "own/<participant>/ in it, or folders of participants", received)
    return root


def _other_sets(folder: Path) -> list[str]:
    names = (path.name.lower().removesuffix(".zip") for path in folder.iterdir())
    return sorted(_OTHER_SETS & set(names))


def _people(root: Path) -> list[tuple[str, Path]]:
    there = sorted(p for p in root.iterdir() if not (p.name.startswith(".") or is_mac_file(p.name)))
    people = [(p.name, p) for p in there if p.is_dir() and _is_text(p.name) and recordings_of(p)]
    used = {folder for _, folder in people}
    left = [p.name for p in there if p not in used and (p.is_dir() or p.suffix in _SUFFIXES)]
    note_left_alone(root, left, "expected folders of participants with recordings in them")
    return people


def _is_text(name: str) -> bool:
    """Whether a name can be written into a bundle as somebody's."""
    return name.isprintable()


def _is_recording(path: Path) -> bool:
    if is_mac_file(path.name):
        return False
    if path.is_dir():
        return (path / _E4_FILE).is_file()
    return path.suffix == ".mcap" or (path.suffix == ".zip" and not _holds_labels(path))


def _holds_labels(path: Path) -> bool:
    try:
        return is_export(path)
    except RecordingError:
        # Whoever reads it as a recording names it, and its person can be skipped.
        return False


def _sessions_of(
    participant: str, folder: Path, path: Path, owners: dict[str, Path]
) -> list[Session]:
    found = []
    for idx, part in enumerate(read_parts(path)):
        spans = _labels(folder, path, part)
        stages = tuple(Stage(f"{label}-{n}", label, a, b) for n, (a, b, label) in enumerate(spans))
        if stages:
            owner = owners.setdefault(part.signals.content_sha256(), path)
            if owner != path:
                raise RecordingError(path, f"another recording than {owner}", "a copy of it")
            source = OwnSource(path, idx)
            found.append(Session(NAME, participant, "stress", path, stages, source))
    return found


def _labels(folder: Path, path: Path, part: Part) -> list[Span]:
    file = _beside(path, "labels")
    if file is not None:
        return _read(file, part, (STRESS, REST))
    if part.labels:
        return [span for span in part.labels if span[2] in (STRESS, REST)]
    low, high = part.signals.start_utc, part.signals.end_utc
    return [
        (max(start, low), min(end, high), label)
        for start, end, label in export_labels(folder)
        if start < high and end > low
    ]


def _read(file: Path, part: Part, words: tuple[str, ...]) -> list[Span]:
    low, high = part.signals.start_utc, part.signals.end_utc
    # The file is about this recording alone, so a person named in it needs no comparing.
    labels = read_labels(file, participant=None, start_utc=low, end_utc=high, words=words)
    return [(x.t_start_utc, x.t_end_utc, x.label) for x in labels]


def _beside(path: Path, what: str) -> Path | None:
    for name in (f"{path.stem}.{what}.csv", f"{path.name}.{what}.csv"):
        if path.with_name(name).is_file():
            return path.with_name(name)
    return None


def _moves(folder: Path) -> bool:
    return any(_has_motion(path) for path in recordings_of(folder))


def _has_motion(path: Path) -> bool:
    return _is_walk(path) or _beside(path, "activity") is not None


def _motion_files(folder: Path) -> list[Member]:
    """Recordings to learn gait from that are one file each."""
    paths = (p for p in recordings_of(folder) if p.is_file() and _has_motion(p))
    return [Member(path, (), f"{folder.name}/{path.name}") for path in paths]


def _is_walk(path: Path) -> bool:
    return path.name.lower().startswith(Activity.WALK.value)


def _motion(participant: str, folder: Path) -> list[MotionRecording]:
    found: list[MotionRecording] = []
    for path in recordings_of(folder):
        file = _beside(path, "activity")
        if file is None and not _is_walk(path):
            continue
        number = itertools.count(1)
        for part in read_parts(path):
            low, high = part.signals.start_utc, part.signals.end_utc
            whole = [(low, high, Activity.WALK.value)]
            spans = whole if file is None else _read(file, part, ACTIVITIES)
            for span in spans:
                for acc, gyro, rate_hz in _stretches(path, part.signals, span):
                    trial = f"{path.stem}-{next(number)}"
                    activity = Activity(span[2])
                    found.append(
                        MotionRecording(NAME, participant, trial, activity, rate_hz, acc, gyro)
                    )
    return found


def _stretches(
    path: Path, signals: ArraySignals, span: Span
) -> list[tuple[np.ndarray, np.ndarray, float]]:
    """Acceleration and rotation on one grid, cut wherever either is lost."""
    missing = [name for name in ("acc", "gyro") if name not in signals.channels]
    if missing:
        raise RecordingError(
            path, "acc and gyro, to learn gait from", f"no {' and '.join(missing)}"
        )
    acc, gyro = signals.channels["acc"], signals.channels["gyro"]
    first, last = (round((t - acc.start_utc) * acc.rate_hz) for t in span[:2])
    rows = np.arange(max(first, 0), min(last, len(acc.values)))
    turning = _at(gyro, acc.start_utc + rows / acc.rate_hz)
    pushing = acc.values[rows]
    is_lost = ~(np.isfinite(pushing).all(axis=1) & np.isfinite(turning).all(axis=1))
    edges = np.flatnonzero(np.diff(is_lost, prepend=True, append=True))
    return [
        (pushing[a:b], turning[a:b], acc.rate_hz)
        for a, b in edges.reshape(-1, 2)
        if b - a >= _MIN_STRETCH_S * acc.rate_hz
    ]


def _at(channel: Steady, times_utc: np.ndarray) -> np.ndarray:
    """(n, n_axes) values at these times; NaN where the channel has none."""
    grid = np.arange(len(channel.values)) / channel.rate_hz
    at = times_utc - channel.start_utc
    axes = [np.interp(at, grid, axis, left=np.nan, right=np.nan) for axis in channel.values.T]
    return np.stack(axes, axis=1)


def _content(folder: Path) -> str:
    """The same whatever the folder is called."""
    digest = hashlib.sha256()
    parts = [part for path in recordings_of(folder) for part in read_parts(path)]
    for part in parts:
        digest.update(part.signals.content_sha256().encode())
    # The host knows a recording by the hash of its pulse; a single one can be known again.
    return digest.hexdigest() if len(parts) > 1 else parts[0].signals.content_sha256()
