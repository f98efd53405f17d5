"""WESAD (Schmidt et al. 2018, ICMI, doi 10.1145/3242969.3242985): E4 wrist and RespiBAN chest.

Layout, as published: a folder `S<number>` a person with `S2.pkl`, `S2_E4_Data.zip` (or unpacked),
`S2_quest.csv`, `S2_respiban.txt`, `S2_readme.txt`; folders or archives, and archives in archives.
Only the wrist is read. A person is taken from, whichever is there first:

1. `S2.pkl`: wrist signals and a condition number at 700 Hz, which the publisher synchronised by a
   double tap on both devices. A pickle from a stranger is loaded as arrays only (`array_pickle`).
2. `S2_E4_Data` with `S2_labels.csv` in our own layout (start_utc,end_utc,label).
3. `S2_E4_Data` with `S2_quest.csv`: starts and ends in minutes.seconds after the RespiBAN was
   switched on, which is not when the E4 was: in one person the E4 had run for 24 minutes by then.
   The second line of `S2_respiban.txt` says when, in local time of the study. "50.3" is 50 min
   30 s: a spreadsheet ate the zero. Ten seconds at both ends of a stage are left out: clocks of two
   devices may be off by seconds, and the publisher's own condition numbers are as much shorter.

Labels: baseline is rest, the Trier Social Stress Test is stress, and amusement is rest too: stress
against everything calm or merry, as the study's own two-class task has it. Meditation is guided
breathing, which moves heart rate variability by itself: neither learned nor scored, like reading.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from firmware_host.errors import RecordingError
from training.datasets.bad_people import attempt
from training.datasets.base import Session, locate, require_sessions
from training.datasets.e4_sessions import E4Files, find_e4
from training.datasets.members import Member, list_members
from training.datasets.wesad_labels import stages_of_labels, stages_of_quest
from training.datasets.wesad_wrist import WristPickle

NAME = "wesad"
_E4_PATTERN = r"(?:[^/]+/)*(S\d+)_E4_Data"
_FILE = re.compile(r"(?:.*/)?(S\d+)(\.pkl|_quest\.csv|_respiban\.txt|_labels\.csv)")


def sessions(data_dir: Path) -> list[Session]:
    """One session a person, by number.

    Raises
    ------
    RecordingError, LabelError
        If there is nobody, or somebody's files are missing, cut or off-rate.
    """
    root = locate(data_dir, NAME)
    e4 = {person: files for (person,), files in find_e4(root, _E4_PATTERN).items()}
    others: dict[str, dict[str, Member]] = {person: {} for person in e4}
    for member in list_members(root):
        if match := _FILE.fullmatch(member.name):
            others.setdefault(match[1], {})[match[2]] = member
    owners: dict[str, str] = {}
    found = (
        attempt(f"{NAME}/{person}", partial(_session, root, person, e4.get(person), files, owners))
        for person, files in sorted(others.items(), key=lambda item: int(item[0][1:]))
    )
    listed = [session for session in found if session is not None]
    return require_sessions(listed, root, "WESAD folders S<number> with a .pkl or E4 data")


def _session(
    root: Path,
    person: str,
    e4: E4Files | None,
    files: Mapping[str, Member],
    owners: dict[str, str],
) -> Session:
    if ".pkl" in files:
        wrist = WristPickle(files[".pkl"])
        owner = owners.setdefault(wrist.open().content_sha256(), person)
        if owner != person:
            expected = f"another recording than that of {owner}"
            raise RecordingError(wrist.file.place, expected, "a copy of it")
        return Session(NAME, person, "stress", wrist.file.place, wrist.stages(), wrist)
    if e4 is None:
        raise RecordingError(root, f"{person}.pkl or {person}_E4_Data", "neither")
    archive = e4.open()
    span = (archive.start_utc, archive.end_utc)
    if "_labels.csv" in files:
        stages = stages_of_labels(files["_labels.csv"], span)
    else:
        for name in ("_quest.csv", "_respiban.txt"):
            if name not in files:
                expected = f"{person}_quest.csv and {person}_respiban.txt, where its clock begins"
                raise RecordingError(e4.path, expected, f"no {person}{name}")
        stages = stages_of_quest(files["_quest.csv"], files["_respiban.txt"], span)
    return Session(NAME, person, "stress", e4.path, stages, e4)
