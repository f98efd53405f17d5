"""Targets under a coverage-guided fuzzer, one after another, each in a process of its own: see `tests.fuzz`.

Reads ``[[name, [libFuzzer's arguments], file for what it prints], ...]`` as JSON from its input and prints a line of
JSON, ``[name, exit code]``, when a target is done. Atheris watches which lines of ours and of the parsers we call a
mutation reaches, and ends the process it runs in.
"""

from __future__ import annotations

import json
import os
import resource
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import atheris

if TYPE_CHECKING:
    from tests.fuzz.targets import Target

# Room for what a right file takes, and for little more: who asks for it has believed a damaged length.
_MORE_BYTES = 3_000_000_000
_WATCHED = ["firmware_host", "sim", "training", "mcap", "pyxdf", "edfio"]


def main() -> None:
    """Import once, watched; then a process a target."""
    with atheris.instrument_imports(include=_WATCHED):
        # Imported here to be watched; the readers themselves do it when they need them.
        import edfio  # noqa: F401
        import mcap.data_stream
        import mcap.records
        import mcap.stream_reader  # noqa: F401
        import pyxdf  # noqa: F401

        import firmware_host.recording.csv_reader
        import firmware_host.recording.e4_reader
        import firmware_host.recording.edf_reader
        import firmware_host.recording.mcap_reader
        import firmware_host.recording.wesad_reader
        import firmware_host.recording.xdf_reader  # noqa: F401
        from tests.fuzz.targets import targets

        known = targets()
    for name, arguments, file in json.load(sys.stdin):
        child = os.fork()
        if child == 0:
            _fuzz(known[name], arguments, Path(file))
        _, status = os.waitpid(child, 0)
        print(json.dumps([name, os.waitstatus_to_exitcode(status)]), flush=True)


def _fuzz(target: Target, arguments: list[str], file: Path) -> None:
    """Fuzz one target until this process ends."""
    with file.open("wb") as out:
        os.dup2(out.fileno(), 1)
        os.dup2(out.fileno(), 2)
    for seed in target.seeds().values():
        target.run(seed)
    _limit_memory()

    def run(data: bytes) -> None:
        target.run(data)

    atheris.Setup([target.name, *arguments], run)
    atheris.Fuzz()


def _limit_memory() -> None:
    """An address space of today's size and some more: `nothing_but_ours` then sees who hit the end of it."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * os.sysconf("SC_PAGE_SIZE") + _MORE_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


if __name__ == "__main__":
    main()
