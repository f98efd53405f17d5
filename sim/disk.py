"""Runs ``signet`` on a disk that is full whenever the simulated host's is: ``python -m sim.disk DIR run ...``.

DIR is the folder that ``--host`` keeps. A really full disk would need a file system of its own and the
right to mount it; here what writes is told ``ENOSPC`` as the system would, and SQLite its own code for it.
"""

from __future__ import annotations

import errno
import os
import runpy
import sqlite3
import stat
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from firmware_host.errors import ConfigError
from sim.host import DISK, FULL

_WRITES = ("INSERT", "UPDATE", "DELETE", "CREATE")


class FullDisk:
    """Refuses writes to files while ``state_file`` says that the disk is full."""

    def __init__(self, state_file: Path) -> None:
        self._state_file = state_file
        self.n_refused = 0

    @property
    def is_full(self) -> bool:
        """Whether there is no room now; a host that was not simulated yet has some."""
        try:
            return self._state_file.read_text(encoding="ascii") == FULL
        except FileNotFoundError:
            return False

    def write(self, real: Callable[[int, Any], int], fd: int, data: Any) -> int:
        """``os.write`` that may find no room; pipes and terminals are no disk."""
        if stat.S_ISREG(os.fstat(fd).st_mode) and self.is_full:
            self.n_refused += 1
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(fd, data)

    def refuse_sql(self, sql: str) -> None:
        """Raise what SQLite raises when a statement finds no room."""
        if sql.lstrip()[:6].upper().startswith(_WRITES) and self.is_full:
            self.n_refused += 1
            err = sqlite3.OperationalError("database or disk is full")
            err.sqlite_errorcode = sqlite3.SQLITE_FULL
            raise err

    def install(self) -> None:
        """Put it under everything that this process writes from now on."""
        disk, real_write, real_connect = self, os.write, sqlite3.connect

        class Connection(sqlite3.Connection):
            def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
                disk.refuse_sql(sql)
                return super().execute(sql, *values)

            def executemany(self, sql: str, *values: Any) -> sqlite3.Cursor:
                disk.refuse_sql(sql)
                return super().executemany(sql, *values)

        def connect(*arguments: Any, **more: Any) -> sqlite3.Connection:
            connection: sqlite3.Connection = real_connect(
                *arguments, **{"factory": Connection, **more}
            )
            return connection

        os.write = lambda fd, data: self.write(real_write, fd, data)
        setattr(sqlite3, "connect", connect)  # noqa: B010 - its type is an overloaded function


def main(argv: Sequence[str] | None = None) -> None:
    """Become the ``signet`` command on that disk."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if len(arguments) < 2 or arguments[0].startswith("-"):
        sys.stderr.write("disk: expected a folder of --host and a signet command, as in DIR run\n")
        raise SystemExit(ConfigError.exit_code)
    FullDisk(Path(arguments[0]) / DISK).install()
    sys.argv = ["signet", *arguments[1:]]
    runpy.run_module("firmware_host", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
