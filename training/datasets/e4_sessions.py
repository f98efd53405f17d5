"""E4 sessions of a study: found by the publisher's layout, and checked before they are used."""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from firmware_host.errors import RecordingError
from firmware_host.recording.e4 import FILES, TAGS_FILE, E4Archive
from training.datasets.bad_people import note_left_alone
from training.datasets.base import E4Path
from training.datasets.copies import find_copies
from training.datasets.members import Member, list_members

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import NDArray

RATES_HZ = {"bvp": 64.0, "eda": 4.0, "temp": 4.0, "acc": 32.0}
_FILE_OF = {spec.channel: name for name, spec in FILES.items()}
# In real sessions channels end up to 8 s apart; more means that a file is cut.
MAX_END_SPREAD_S = 30.0
MAX_START_SPREAD_S = 10.0
# A minute of skin conductance that comes twice to the last digit is a copy, unless it stood still.
REPEAT_S = 60.0
_MIN_VALUES = 20
_PULSE = "BVP.csv"


@dataclass(frozen=True)
class E4Files:
    """One session's files by the vendor's names; a `Source` of signals.

    `path` is where they are, for messages: a folder, an archive, or a folder within an archive.
    `fault` is what was expected and what is there instead, where listing shows it already.
    """

    path: Path
    members: Mapping[str, Member]
    fault: tuple[str, str] | None = None

    def require_faultless(self) -> None:
        """Refuse what need not be read to be refused: a file that is missing, or a copy.

        Raises
        ------
        RecordingError
            If there is such a fault.
        """
        if self.fault is not None:
            raise RecordingError(self.path, *self.fault)

    def open(self) -> E4Archive:
        """Read all and check it.

        Raises
        ------
        RecordingError
            If a file is missing, cut, off-rate, of another length than the others, or a copy.
        """
        self.require_faultless()
        archive = E4Archive(self.path, self)
        check_e4(archive)
        return archive

    def fingerprint(self) -> str:
        """Hash of the files."""
        if self.path.exists():
            return E4Path(self.path).fingerprint()
        digest = hashlib.sha256()
        for name, member in sorted(self.members.items()):
            digest.update(os.fsencode(name))
            digest.update(member.read())
        return digest.hexdigest()

    def names(self) -> dict[str, str]:
        """Every file there is, as `E4Source` wants it."""
        return {name: name for name in self.members}

    def read(self, full_name: str) -> bytes:
        """Content of one file."""
        return self.members[full_name].read()


def find_e4(root: Path, pattern: str) -> dict[tuple[str, ...], E4Files]:
    """Sessions by what `pattern` tells, sorted; one that is there twice or is a copy has a fault.

    Sessions elsewhere than `pattern` says are named on standard error.

    Parameters
    ----------
    pattern
        Whole path of a session's folder or archive below `root`, whatever the case, with a group
        for each thing to tell sessions apart by. Files may lie deeper in it.

    Raises
    ------
    RecordingError
        If an archive does not open.
    """
    wanted = re.compile(rf"{pattern}/(?:.*/)?([^/]+)", re.IGNORECASE)
    found: dict[tuple[str, ...], dict[str, Member]] = {}
    doubled: dict[tuple[str, ...], tuple[str, str]] = {}
    left_alone: list[str] = []
    for member in list_members(root):
        match = wanted.fullmatch(member.name)
        if match is None:
            if member.place.name == _PULSE:
                left_alone.append(str(member.place.parent.relative_to(root)))
            continue
        *session, name = match.groups()
        files = found.setdefault(tuple(session), {})
        # Stress-Predict calls it tags_S05.csv.
        name = TAGS_FILE if re.fullmatch(r"tags(_\w+)?\.csv", name) else name
        if name in files and name in {*FILES, TAGS_FILE}:
            received = f"two, {files[name].place} and {member.place}"
            doubled.setdefault(tuple(session), (f"one {name} of {_told(session)}", received))
            continue
        files[name] = member
    note_left_alone(root, left_alone, "not named as a session of this data set")
    sessions = {key: _session(key, files) for key, files in sorted(found.items())}
    for key, fault in doubled.items():
        sessions[key] = replace(sessions[key], fault=fault)
    return _copies_marked(sessions)


def check_e4(archive: E4Archive) -> None:
    """Refuse what no E4 writes: other rates, channels that do not go together, copied stretches.

    Raises
    ------
    RecordingError
        Naming the file.
    """
    channels = archive.channels
    for name, rate_hz in RATES_HZ.items():
        if abs(channels[name].rate_hz - rate_hz) > 0.01 * rate_hz:
            where = archive.path / _FILE_OF[name]
            raise RecordingError(where, f"{rate_hz:g} Hz", f"{channels[name].rate_hz:g} Hz")
    starts = {name: channel.start_utc for name, channel in channels.items()}
    ends = {name: channel.end_utc for name, channel in channels.items()}
    _check_spread(archive.path, starts, MAX_START_SPREAD_S, "starts")
    _check_spread(archive.path, ends, MAX_END_SPREAD_S, "ends")
    repeats_s = repeated_from_s(channels["eda"].raw[:, 0], RATES_HZ["eda"])
    if repeats_s is not None:
        received = f"from {repeats_s:.0f} s on, what it held before"
        raise RecordingError(archive.path / _FILE_OF["eda"], "each second once", received)


def repeated_from_s(values: NDArray[np.int64], rate_hz: float) -> float | None:
    """Where a minute begins that was there before to the last digit; None if there is none."""
    n = round(REPEAT_S * rate_hz)
    if len(values) < 2 * n:
        return None
    windows = sliding_window_view(values, n)
    # Minutes laid end to end; a copy of a recording begins with its first one.
    first = {
        windows[k].tobytes(): k
        for k in range(0, len(windows), n)
        if len(np.unique(windows[k])) >= _MIN_VALUES
    }
    for k, window in enumerate(windows):
        earlier = first.get(window.tobytes())
        if earlier is not None and earlier < k:
            return k / rate_hz
    return None


def _check_spread(path: Path, times: dict[str, float], limit_s: float, verb: str) -> None:
    low, high = min(times, key=times.__getitem__), max(times, key=times.__getitem__)
    spread_s = times[high] - times[low]
    if spread_s > limit_s:
        received = f"{_FILE_OF[low]} that {verb} {spread_s:.0f} s before {_FILE_OF[high]}"
        raise RecordingError(path, "files of one session, none cut", received)


def _session(key: tuple[str, ...], files: dict[str, Member]) -> E4Files:
    anchor = next(iter(files.values()))
    path = anchor.place.parent if anchor.chain else anchor.container.parent
    missing = [name for name in FILES if name not in files]
    kept = {name: files[name] for name in (*FILES, TAGS_FILE) if name in files}
    if missing:
        expected = f"{', '.join(FILES)} of {_told(key)}"
        return E4Files(path, kept, (expected, f"no {', '.join(missing)}"))
    return E4Files(path, kept)


def _copies_marked(sessions: dict[tuple[str, ...], E4Files]) -> dict[tuple[str, ...], E4Files]:
    """A pulse that comes twice to the last digit is one person's: the later session is a copy."""
    owners = {f.members[_PULSE]: key for key, f in sessions.items() if _PULSE in f.members}
    marked = dict(sessions)
    for pulse, first in find_copies(owners, _samples_of).items():
        fault = (f"another recording than that of {_told(owners[first])}", "a copy of it")
        marked[owners[pulse]] = replace(sessions[owners[pulse]], fault=fault)
    return marked


def _samples_of(content: bytes) -> bytes:
    """All but the two lines of clock and rate."""
    samples = content.replace(b"\r", b"").split(b"\n", 2)[2:]
    return samples[0] if samples and samples[0].strip() else b""


def _told(key: Iterable[str]) -> str:
    return "/".join(filter(None, key))
