"""Single functions of the scripts, without an archive: options that would hit the system, and going back."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from .conftest import REPO

SCRIPTS = REPO / "packaging/host-bundle"
BOTH = pytest.mark.parametrize("script", ["install.sh", "uninstall.sh"])


def _said(
    folder: Path, script: str, code: str, *words: object, path: str = ""
) -> subprocess.CompletedProcess[str]:
    """What shell code says that has the functions of a script; nothing of it runs by itself."""
    lines = (SCRIPTS / script).read_text().splitlines()
    assert lines[-1] == 'main "$@"'
    functions = folder / "functions.sh"
    functions.write_text("\n".join(lines[:-1]))
    return subprocess.run(
        ["sh", "-c", f'. "$0"; set -eu; {code}', str(functions), *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PATH": f"{path}:{os.environ['PATH']}"},
    )


def _options(folder: Path, script: str, *words: object) -> subprocess.CompletedProcess[str]:
    return _said(folder, script, 'read_options "$@"; echo "$root $prefix"', *words)


@BOTH
@pytest.mark.parametrize("root", ["/", "//", "/.", "/./", "/tmp/..", "/../", "LINK", "tmp"])
def test_system_itself_is_no_root_to_try_it_below(tmp_path: Path, script: str, root: str) -> None:
    (tmp_path / "link").symlink_to("/")
    done = _options(tmp_path, script, "--root", tmp_path / "link" if root == "LINK" else root)
    assert (done.returncode, done.stdout) == (1, "")
    assert "--root: expected an absolute path other than /" in done.stderr


@BOTH
@pytest.mark.parametrize("prefix", ["/", "//", "/.", "/opt/..", "opt"])
def test_system_itself_is_no_prefix(tmp_path: Path, script: str, prefix: str) -> None:
    done = _options(tmp_path, script, "--root", tmp_path, "--prefix", prefix)
    assert (done.returncode, done.stdout) == (1, "")
    assert "--prefix: expected an absolute path other than /" in done.stderr


@BOTH
@pytest.mark.parametrize("prefix", ["/opt/a|b", "/opt/a b", "/opt/.*", "/opt/a\nb"])
def test_prefix_has_plain_characters(tmp_path: Path, script: str, prefix: str) -> None:
    done = _options(tmp_path, script, "--root", tmp_path, "--prefix", prefix)
    assert (done.returncode, done.stdout) == (1, "")
    assert "--prefix: expected letters, digits and /._-" in done.stderr


@BOTH
def test_paths_are_made_plain(tmp_path: Path, script: str) -> None:
    done = _options(tmp_path, script, "--root", f"{tmp_path}/./new/", "--prefix", "//srv/../opt/s/")
    assert done.stdout == f"{tmp_path}/new /opt/s\n", done.stderr


def test_paths_are_checked_in_the_same_words_by_both() -> None:
    """Each has them for itself: one runs alone, the other before any file of its archive was compared."""
    checks = []
    for script in ("install.sh", "uninstall.sh"):
        lines = (SCRIPTS / script).read_text().splitlines()
        first = lines.index(
            next(line for line in lines if line.startswith("  case $prefix in /?*)"))
        )
        last = lines.index(next(line for line in lines if line.startswith('  [ "$root" != / ]')))
        checks.append([line for line in lines[first : last + 1] if not line.startswith("  #")])
    assert len(checks[0]) == 7
    assert checks[0] == checks[1]


def test_command_of_another_installation_stays(tmp_path: Path) -> None:
    command = tmp_path / "usr/local/bin/signet"
    command.parent.mkdir(parents=True)
    command.write_text("signet=/opt/aXb/current/venv/bin/signet\n")
    uninstall = ["sh", str(SCRIPTS / "uninstall.sh"), "--root", str(tmp_path), "--prefix"]
    subprocess.run([*uninstall, "/opt/a.b"], check=True, capture_output=True)
    assert command.exists()
    subprocess.run([*uninstall, "/opt/aXb"], check=True, capture_output=True)
    assert not command.exists()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A host on which version 2 was just put in force and version 1 was before."""
    for n in ("1", "2"):
        share = tmp_path / f"root/opt/signet/releases/{n}/share"
        share.mkdir(parents=True)
        for name in ("signet.service", "70-signet.rules", "signet.sh", "signet.toml"):
            (share / name).write_text(f"{name} of {n} in @PREFIX@\n")
    (tmp_path / "root/opt/signet/current").symlink_to("releases/2")
    systemctl = tmp_path / "bin/systemctl"
    systemctl.parent.mkdir()
    systemctl.write_text(f'#!/bin/sh\necho "$@" >>{tmp_path}/said\n')
    systemctl.chmod(0o755)
    return tmp_path / "root"


def _go_back(root: Path, before: str) -> subprocess.CompletedProcess[str]:
    code = f"root={root} prefix=/opt/signet ID=2 VERSION=2.0 before={before}; go_back"
    return _said(root.parent, "install.sh", code, path=str(root.parent / "bin"))


def test_service_that_does_not_start_leaves_the_version_before_in_force(root: Path) -> None:
    done = _go_back(root, "releases/1")
    assert done.returncode == 1
    assert done.stderr == (
        "install: the service does not start with 2.0 (journalctl -u signet); the version before is in force again\n"
    )
    assert os.readlink(root / "opt/signet/current") == "releases/1"
    unit = (root / "etc/systemd/system/signet.service").read_text()
    assert unit == "signet.service of 1 in /opt/signet\n"
    assert (root.parent / "said").read_text() == "daemon-reload\nrestart signet.service\n"


@pytest.mark.parametrize("before", ["''", "releases/2", "releases/gone"])
def test_without_a_version_before_the_new_one_stays(root: Path, before: str) -> None:
    done = _go_back(root, before)
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)
    assert "installed, but the service does not start" in done.stderr
    assert os.readlink(root / "opt/signet/current") == "releases/2"
