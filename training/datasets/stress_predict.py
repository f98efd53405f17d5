"""Stress-Predict (Iqbal et al. 2022, Sensors 22(21):8135): E4 wrist, one session a person.

Layouts: the publisher's repository as a folder or an archive (`Raw_data/S05/*.csv` with tags in
`tags_S05.csv`, labels in `Processed_data/Improved_All_Combined_hr_rsp_binary.csv`), or `e4/` with
one archive a person beside `labels.csv.gz`.

Labels are seconds of 0/1. The third task, two minutes of hyperventilation, is labelled stress but
is a respiratory provocation: it is neither learned nor scored. A person without a label row is
read from the button tags. Some tag files are hours off, which labels are not.
"""

from __future__ import annotations

import csv
import gzip
import io
import itertools
import zlib
from collections import defaultdict
from functools import lru_cache, partial
from typing import TYPE_CHECKING

from firmware_host.errors import LabelError, RecordingError
from training.datasets.bad_people import attempt
from training.datasets.base import (
    REST,
    STRESS,
    UNSCORED,
    Session,
    Stage,
    locate,
    require_sessions,
)
from training.datasets.e4_sessions import E4Files, find_e4
from training.datasets.members import Member, list_members

if TYPE_CHECKING:
    from pathlib import Path

NAME = "stress-predict"
_LABEL_COLUMNS = {"Participant", "Time(sec)", "Label"}
LABEL_FILES = ("labels.csv.gz", "labels.csv", "Improved_All_Combined_hr_rsp_binary.csv")
# Stroop lasts over four minutes, the interview nine; hyperventilation about two.
MAX_HYPERVENTILATION_S = 200
MIN_HYPERVENTILATION_S = 60
# A second missing from the label file does not end a stage.
MAX_LABEL_HOLE_S = 5
# With tags only: the session's first minute is putting the device on.
SETTLE_S = 60.0
# A folder or archive a person, in the dataset's own folder or in either of these.
_PATTERN = r"(?:(?:[^/]+/)*(?:e4|Raw_data)/)?(S\d+)"

Runs = list[tuple[int, int, int]]


def sessions(data_dir: Path) -> list[Session]:
    """Every session under the folder, by participant.

    Raises
    ------
    RecordingError, LabelError
        If there is nobody or no label file, or somebody's files cannot be used.
    """
    root = locate(data_dir, NAME)
    people = find_e4(root, _PATTERN)
    labels = _read_labels(_label_file(root))
    found = (
        attempt(f"{NAME}/{participant}", partial(_session, participant, files, labels))
        for (participant,), files in people.items()
    )
    listed = [session for session in found if session is not None]
    return require_sessions(listed, root, "Stress-Predict sessions named S<number>")


def _session(participant: str, files: E4Files, labels: dict[int, Runs]) -> Session:
    files.require_faultless()
    runs = labels.get(int(participant[1:]))
    stages = _stages(runs) if runs else _stages_from_tags(files)
    return Session(NAME, participant, "stress", files.path, stages, files)


def _label_file(root: Path) -> Member:
    by_name = {member.name.rpartition("/")[2]: member for member in list_members(root)}
    for name in LABEL_FILES:
        if name in by_name:
            return by_name[name]
    raise LabelError(f"{root}: expected a label file, one of {', '.join(LABEL_FILES)}, got none")


@lru_cache(maxsize=4)
def _read_labels(file: Member) -> dict[int, Runs]:
    """Runs (start, end, label) of equal label by participant number; end is exclusive."""
    runs: dict[int, Runs] = defaultdict(list)
    reader = csv.DictReader(io.StringIO(_text(file)))
    # Without them nobody would have a label, and everybody would be read from tags unasked.
    if _LABEL_COLUMNS - set(reader.fieldnames or ()):
        expected = "a first row with Participant, Time(sec) and Label"
        raise LabelError(f"{file.place}: expected {expected}, got another or none")
    for row in reader:
        try:
            person = int(float(row["Participant"]))
            second, label = int(float(row["Time(sec)"])), int(float(row["Label"]))
        except (KeyError, TypeError, ValueError) as err:
            expected = "Participant, Time(sec) and Label, all numbers"
            msg = f"{file.place}: expected {expected} in row {reader.line_num}, got another or none"
            raise LabelError(msg) from err
        _extend(runs[person], second, label)
    return dict(runs)


def _text(file: Member) -> str:
    content = file.read()
    try:
        return (gzip.decompress(content) if file.name.endswith(".gz") else content).decode()
    except (EOFError, OSError, zlib.error, UnicodeDecodeError) as err:
        raise LabelError(f"{file.place}: expected a complete text file, got {err}") from err


def _extend(runs: Runs, second: int, label: int) -> None:
    if runs and runs[-1][2] == label and 0 <= second - runs[-1][1] <= MAX_LABEL_HOLE_S:
        runs[-1] = (runs[-1][0], second + 1, label)
    else:
        runs.append((second, second + 1, label))


def _stages(runs: Runs) -> tuple[Stage, ...]:
    return tuple(_stage(start, end, label == 1, i) for i, (start, end, label) in enumerate(runs))


def _stage(start_utc: float, end_utc: float, is_task: bool, place: int) -> Stage:
    if is_task and end_utc - start_utc <= MAX_HYPERVENTILATION_S:
        return Stage("hyperventilation", UNSCORED, start_utc, end_utc)
    if is_task:
        return Stage(f"task-{place}", STRESS, start_utc, end_utc)
    name = "baseline" if place == 0 else f"rest-{place}"
    return Stage(name, REST, start_utc, end_utc)


def _stages_from_tags(files: E4Files) -> tuple[Stage, ...]:
    """Stages counted back from hyperventilation, the one short interval after a long one.

    Tags mark: Stroop, relax, interview, relax, hyperventilation, recovery.

    Raises
    ------
    RecordingError
        If the tags do not show that order.
    """
    archive = files.open()
    tags = archive.tags_utc.tolist()
    for i in range(4, len(tags) - 1):
        edges = tags[i - 4 : i + 2]
        lengths = [b - a for a, b in itertools.pairwise(edges)]
        short = MIN_HYPERVENTILATION_S <= lengths[4] <= MAX_HYPERVENTILATION_S
        if short and min(lengths[:4]) > MAX_HYPERVENTILATION_S and lengths[2] == max(lengths):
            bounds = [archive.start_utc + SETTLE_S, *edges, archive.end_utc]
            return tuple(
                _stage(start, end, n % 2 == 1, n)
                for n, (start, end) in enumerate(itertools.pairwise(bounds))
            )
    received = f"no label and {len(tags)} tags that do not show the protocol"
    raise RecordingError(files.path, "rows of this person in the label file", received)
