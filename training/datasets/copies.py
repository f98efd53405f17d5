"""Recordings that are there under two names: they are one person's, whoever the names say."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping

from firmware_host.errors import RecordingError
from training.datasets.members import Member

# Only files that begin alike are read whole: listing a data set stays quick.
_HEAD_BYTES = 65_536
# Of what is left of the head without names and clocks, which may be of other lengths in a copy.
_KEY_BYTES = 16_384


def find_copies(
    members: Iterable[Member], samples_of: Callable[[bytes], bytes]
) -> dict[Member, Member]:
    """Files that hold the very samples of an earlier one, and that one.

    A file that cannot be read is nobody's copy: whoever opens it is told.

    Parameters
    ----------
    samples_of
        Takes names, clocks and whatever else a copy may have changed out of a file's content, or
        of its first part; nothing left means nothing to compare.
    """
    alike: dict[bytes, list[Member]] = {}
    whole: dict[Member, bytes] = {}
    copies: dict[Member, Member] = {}

    def content(member: Member) -> bytes:
        if member not in whole:
            whole[member] = hashlib.sha256(samples_of(member.read())).digest()
        return whole[member]

    for member in members:
        try:
            key = samples_of(member.read(_HEAD_BYTES))[:_KEY_BYTES]
            earlier = alike.setdefault(key, []) if key else []
            first = next((one for one in earlier if content(one) == content(member)), None)
        except RecordingError:
            continue
        if first is None:
            earlier.append(member)
        else:
            copies[member] = first
    return copies


def require_original(members: Iterable[Member], copies: Mapping[Member, Member]) -> None:
    """Refuse somebody whose recording is another's.

    Raises
    ------
    RecordingError
        Naming the first copy and what it is a copy of.
    """
    for member in members:
        if member in copies:
            expected = f"another recording than {copies[member].name}"
            raise RecordingError(member.place, expected, "a copy of it")
