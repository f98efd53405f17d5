from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from firmware_host.host.process import is_same_process, process_mark


def _proc(folder: Path, *, boot: str = "b-1", stat: str) -> Path:
    (folder / "sys/kernel/random").mkdir(parents=True, exist_ok=True)
    (folder / "sys/kernel/random/boot_id").write_text(f"{boot}\n")
    (folder / "7").mkdir(exist_ok=True)
    (folder / "7/stat").write_text(stat)
    return folder


def test_mark_is_of_boot_and_beginning_whatever_the_command_is_called(tmp_path: Path) -> None:
    fields = " ".join(str(n) for n in range(3, 53))
    proc = _proc(tmp_path, stat=f"7 (a ) b) S {fields}\n")
    assert process_mark(7, proc) == "b-1 21"
    assert process_mark(7, _proc(tmp_path, boot="b-2", stat=f"7 (x) S {fields}")) == "b-2 21"
    assert process_mark(8, proc) == ""
    assert process_mark(7, _proc(tmp_path, stat="7 (x")) == ""


def test_process_is_known_again_and_its_number_alone_is_not_enough() -> None:
    mark = process_mark(os.getpid())
    assert is_same_process(os.getpid(), mark)
    assert not is_same_process(os.getpid(), f"another-boot {mark.split()[-1]}")
    assert not is_same_process(1, mark)
    # Where nothing can be told, the number has to do.
    assert is_same_process(os.getpid(), "")
    with subprocess.Popen([sys.executable, "-c", ""]) as gone:
        gone.wait()
    assert not is_same_process(gone.pid, "")
