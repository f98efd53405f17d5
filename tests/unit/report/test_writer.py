"""A report on the disk is whole or not there."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from firmware_host.errors import StorageError
from firmware_host.report import ReportData, render, write_report

MakeData = Callable[..., ReportData]


def test_file_holds_the_page_and_belongs_to_its_owner(make_data: MakeData, tmp_path: Path) -> None:
    data = make_data()
    path = write_report(data, tmp_path / "report.html")
    assert path.read_text(encoding="utf-8") == render(data)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_full_disk_leaves_the_old_report_and_nothing_else(
    make_data: MakeData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    old = tmp_path / "report.html"
    old.write_text("old")

    def full(_fd: int) -> None:
        raise OSError(code, os.strerror(code))

    # The one place where a full disk shows that no fake file system can give us.
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError, match="disk is full"):
        write_report(make_data(), old)
    assert old.read_text() == "old"
    assert list(tmp_path.iterdir()) == [old]


def test_missing_folder_is_one_line_that_names_it(make_data: MakeData, tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="another path") as caught:
        write_report(make_data(), tmp_path / "nowhere" / "report.html")
    assert "nowhere" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_what_is_no_regular_file_is_refused_and_stays(
    make_data: MakeData, tmp_path: Path, make: Callable[[Path], None]
) -> None:
    path, link = tmp_path / "report.html", tmp_path / "link.html"
    make(path)
    link.symlink_to(path)
    mode = path.stat().st_mode
    for out in (path, link):
        with pytest.raises(StorageError, match=r"a regular file .* got a (pipe|folder)") as caught:
            write_report(make_data(), out)
        assert str(out) in str(caught.value)
        assert "\n" not in str(caught.value)
    assert path.stat().st_mode == mode
    assert sorted(tmp_path.iterdir()) == [link, path]


@pytest.mark.parametrize("is_there", [True, False])
def test_link_stays_and_its_target_is_written(
    make_data: MakeData, tmp_path: Path, is_there: bool
) -> None:
    folder = tmp_path / "reports"
    folder.mkdir()
    if is_there:
        (folder / "today.html").write_text("old")
    link = tmp_path / "link.html"
    link.symlink_to("reports/today.html")
    data = make_data()
    assert write_report(data, link) == link
    assert link.is_symlink()
    assert (folder / "today.html").read_text(encoding="utf-8") == render(data)
    assert list(folder.iterdir()) == [folder / "today.html"]


def test_link_to_itself_is_one_line(make_data: MakeData, tmp_path: Path) -> None:
    link = tmp_path / "link.html"
    link.symlink_to(link)
    with pytest.raises(StorageError, match="another path"):
        write_report(make_data(), link)
    assert link.is_symlink()
