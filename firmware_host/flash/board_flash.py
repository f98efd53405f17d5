"""Python for a board's prompt: what is asked of its flash and done to it there, and what it tells."""

from __future__ import annotations

import ast
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from firmware_host.flash.app_files import CONFIG, AppFile
from firmware_host.flash.room import Space

_MARK = "signet-board "
_DATA_MARK = "signet-data "
# Whole paths: a board's own boot.py may have gone elsewhere. Where nothing is mounted at the root it has no blocks:
# the nRF port has its files below /flash (ports/nrf/modules/scripts/_boot.py).
_ROOT = """\
import os
root = "" if os.statvfs("/")[0] else "/flash"
"""
# A MicroPython that was built without hashlib tells what is in the file, a line for each piece.
_INSPECT = """\
import json, sys
try:
    from hashlib import sha256
except ImportError:
    sha256 = None
def digest(name):
    try:
        file = open(root + "/" + name, "rb")
    except OSError:
        return None
    total = sha256 and sha256()
    size = 0
    while True:
        data = file.read(256)
        if not data:
            break
        if total:
            total.update(data)
        else:
            print("DATA" + json.dumps(name) + " " + repr(data))
        size += len(data)
    file.close()
    return ["".join(["%02x" % byte for byte in total.digest()]) if total else "", size]
try:
    with open(root + "/CONFIG") as file:
        board = json.load(file).get("board", "")
except (OSError, ValueError, AttributeError):
    board = ""
space = os.statvfs(root or "/")
facts = {"machine": getattr(sys.implementation, "_machine", ""), "board": board}
facts["space"] = [root, space[1], space[2], space[3]]
facts["files"] = {name: digest(name) for name in NAMES}
print("MARK" + json.dumps(facts))
"""
# What is not there need not be removed, what is there not made.
_CHANGE = """\
for act, name in STEPS:
    try:
        getattr(os, act)(root + "/" + name)
    except OSError:
        pass
"""


@dataclass(frozen=True, slots=True)
class Contents:
    """What a board holds.

    ``machine`` is its chip in MicroPython's words, ``kind`` what it was flashed as (empty: never), ``hashes``
    and ``sizes`` (bytes) are those of the files that are there, by name.
    """

    machine: str
    kind: str
    space: Space
    hashes: dict[str, str]
    sizes: dict[str, int]

    def lacks(self, files: Sequence[AppFile]) -> list[AppFile]:
        """Files that are not there or are others, in their order."""
        return [file for file in files if self.hashes.get(file.name) != file.sha256]


def inspect_code(files: Sequence[AppFile]) -> str:
    """Asks what the board holds of these files."""
    names = json.dumps([file.name for file in files])
    code = _INSPECT.replace("NAMES", names).replace("MARK", _MARK).replace("CONFIG", CONFIG)
    return _ROOT + code.replace("DATA", _DATA_MARK)


def contents_told(said: str) -> Contents:
    """Answer to :func:`inspect_code`.

    Raises
    ------
    ValueError
        If it is none.
    """
    facts = next((line for line in said.splitlines() if line.startswith(_MARK)), "")
    try:
        return _contents(json.loads(facts.removeprefix(_MARK)), _hashes(said))
    except (KeyError, TypeError, IndexError, AttributeError, SyntaxError) as err:
        msg = f"a board's contents, got {said[-80:]!r}"
        raise ValueError(msg) from err


def change_code(steps: Sequence[Sequence[str]]) -> str:
    """Does steps such as ("remove", name) and ("mkdir", name), as far as there is anything to do."""
    return _ROOT + _CHANGE.replace("STEPS", json.dumps(steps))


def _hashes(said: str) -> dict[str, str]:
    """Hashes of files that the board told piece by piece, by name."""
    totals: dict[str, Any] = {}
    for line in said.splitlines():
        if line.startswith(_DATA_MARK):
            name, _, data = line.removeprefix(_DATA_MARK).partition(" ")
            piece = ast.literal_eval(data)
            totals.setdefault(json.loads(name), hashlib.sha256()).update(piece)
    return {name: total.hexdigest() for name, total in totals.items()}


def _contents(told: Mapping[str, Any], hashes: Mapping[str, str]) -> Contents:
    """As the board told it; ``hashes`` are of files that it cannot hash."""
    root, *blocks = told["space"]
    files = {name: found for name, found in told["files"].items() if found is not None}
    return Contents(
        str(told["machine"]),
        str(told["board"]),
        Space(str(root), *map(int, blocks)),
        {name: str(found[0]) or hashes.get(name, "") for name, found in files.items()},
        {name: int(found[1]) for name, found in files.items()},
    )
