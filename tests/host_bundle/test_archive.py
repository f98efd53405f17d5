"""What is in an archive, that the same tree gives the same bytes, and that the unit means what the product does."""

from __future__ import annotations

import configparser
import hashlib
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from firmware_host import errors
from firmware_host.cli.main import build_parser
from firmware_host.config import load_config
from firmware_host.devices import PROBE_S
from firmware_host.runtime.learner_process import _PAUSE_S
from tools.host_bundle.__main__ import main
from tools.host_bundle.lock import LOCK, BundleError, lock_text, name_and_version, read_lock
from tools.host_bundle.targets import MACHINES, Target, needed_glibc
from tools.host_bundle.wheels import library_wheels

from .conftest import CACHE, REPO, made

UNIT = REPO / "packaging/host-bundle/signet.service"


def _service() -> configparser.SectionProxy:
    """The unit's [Service]; of a key that is there several times, the last."""
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.read_string(UNIT.read_text())
    return parser["Service"]


SERVICE = _service()


def test_same_tree_gives_the_same_bytes(arm64_archive: Path, tmp_path: Path) -> None:
    again = made("aarch64", tmp_path)
    assert again.read_bytes() == arm64_archive.read_bytes()
    said = again.with_name(f"{again.name}.sha256").read_text()
    assert said == f"{hashlib.sha256(again.read_bytes()).hexdigest()}  {again.name}\n"


def test_archive_is_of_nobody_and_every_file_has_its_hash(arm64_archive: Path) -> None:
    with tarfile.open(arm64_archive) as tar:
        members = tar.getmembers()
        files = {m.name.split("/", 1)[1]: tar.extractfile(m).read() for m in members}
    assert {(m.uid, m.gid, m.uname, m.gname, m.type) for m in members} == {
        (0, 0, "", "", tarfile.REGTYPE)
    }
    assert len({m.mtime for m in members}) == 1
    assert [m.name for m in members] == sorted(m.name for m in members)
    sums = dict(
        reversed(line.split("  ")) for line in files.pop("SHA256SUMS").decode().splitlines()
    )
    assert sums == {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
    wheels = [name for name in files if name.endswith(".whl")]
    assert all("aarch64" in name or name.endswith("-none-any.whl") for name in wheels)
    assert b"GLIBC=2.34\n" in files["bundle.env"]


def test_own_wheel_has_what_a_host_needs_and_nothing_else(
    arm64_archive: Path, tmp_path: Path
) -> None:
    with tarfile.open(arm64_archive) as tar:
        name = next(n for n in tar.getnames() if "/wheels/signet_wearable-" in n)
        tar.extract(name, tmp_path, filter="data")
    with zipfile.ZipFile(tmp_path / name) as wheel:
        names = set(wheel.namelist())
        for here, there in (
            ("models/bundles", "firmware_host/bundles"),
            ("firmware_host/board", "firmware_host/board"),
            ("firmware_host/flash/boards", "firmware_host/flash/boards"),
            ("firmware_host/protocol", "firmware_host/protocol"),
            ("packaging/udev", "firmware_host/udev"),
        ):
            listed = subprocess.run(
                ["git", "ls-files", here], cwd=REPO, capture_output=True, text=True, check=True
            ).stdout.split()
            assert listed
            for file in listed:
                inside = there + file.removeprefix(here)
                assert inside in names
                assert wheel.read(inside) == (REPO / file).read_bytes()
    assert {n.split("/")[0].split("-")[0] for n in names} == {"firmware_host", "signet_wearable"}


def test_lock_is_what_pyproject_asks_for() -> None:
    project = tomllib.loads((REPO / "pyproject.toml").read_text())["project"]
    locked = {name: version for name, version in read_lock(LOCK)}
    asked = [Requirement(line) for line in project["dependencies"]]
    here = [r for r in asked if r.marker is None or r.marker.evaluate({"python_version": "3.11"})]
    assert len(here) >= 5
    for requirement in here:
        assert requirement.specifier.contains(locked[requirement.name]), requirement


def test_lock_is_read_as_it_was_written(tmp_path: Path) -> None:
    hashes = {("a-b", "1.0"): {"0" * 64, "f" * 64}, ("c", "2!1.post1"): {"a" * 64}}
    lock = tmp_path / "lock.txt"
    lock.write_text(lock_text(hashes, "What it is."))
    assert read_lock(lock) == hashes
    assert lock.read_text().startswith("# What it is.\n# Written by: ")


def test_wheel_that_is_not_in_the_lock_is_not_taken(tmp_path: Path) -> None:
    folder = tmp_path / "aarch64"
    folder.mkdir()
    made("aarch64", tmp_path / "out")
    for wheel in (CACHE / "aarch64").glob("*.whl"):
        shutil.copy(wheel, folder)
    damaged = next(folder.glob("pyserial-*.whl"))
    damaged.write_bytes(damaged.read_bytes()[:-1] + b"\0")
    found = library_wheels(Target("aarch64"), tmp_path)
    # Fetched anew, or the archive is not made; never the damaged one.
    assert len(found) == len(read_lock(LOCK))
    assert damaged.read_bytes() == (CACHE / "aarch64" / damaged.name).read_bytes()


def test_no_archive_without_its_libraries(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # As on a machine without a network and with an empty cache.
    for key, value in (
        ("PIP_NO_INDEX", "1"),
        ("PIP_FIND_LINKS", str(tmp_path)),
        ("PIP_CONFIG_FILE", "/dev/null"),
    ):
        monkeypatch.setenv(key, value)
    assert main(["--out", str(tmp_path / "out"), "--cache", str(tmp_path / "cache")]) == 1
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1
    assert said[0].startswith("host-bundle: pip download: ERROR: ")
    assert not (tmp_path / "out").exists()
    with pytest.raises(BundleError):
        library_wheels(Target("x86_64"), tmp_path / "cache")


def test_lock_is_written_by_the_python_it_is_for(capsys: pytest.CaptureFixture[str]) -> None:
    if sys.version_info[:2] == (3, 11):
        pytest.skip("this is that Python")
    assert main(["--update-lock"]) == 1
    assert "expected to run in Python 3.11" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("names", "glibc"),
    [
        (["a-1-py3-none-any.whl"], "2.17"),
        (["a-1-cp311-cp311-manylinux_2_17_aarch64.manylinux2014_aarch64.whl"], "2.17"),
        (
            [
                "a-1-cp311-cp311-manylinux2014_aarch64.manylinux_2_17_aarch64.manylinux_2_28_aarch64.whl"
            ],
            "2.17",
        ),
        (["a-1-cp311-cp311-manylinux_2_34_aarch64.whl", "b-1-py3-none-any.whl"], "2.34"),
        (
            [
                "a-1-cp311-cp311-manylinux2014_x86_64.whl",
                "b-1-cp311-cp311-manylinux_2_28_x86_64.whl",
            ],
            "2.28",
        ),
    ],
)
def test_glibc_is_the_oldest_that_every_wheel_runs_on(names: list[str], glibc: str) -> None:
    assert needed_glibc(names) == glibc


def test_names_of_wheels_are_those_of_requirements() -> None:
    wheel = Path("tflite_runtime-2.14.0-cp311-cp311-manylinux_2_34_aarch64.whl")
    assert name_and_version(wheel) == ("tflite-runtime", "2.14.0")
    assert "--platform=manylinux_2_34_aarch64" in Target("aarch64").pip_options()
    assert set(MACHINES) == {"aarch64", "x86_64"}


def test_unit_tries_again_only_where_that_can_help() -> None:
    in_vain = {errors.ConfigError, errors.DataError, errors.ModelError, errors.VaultError}
    said = {int(code) for code in SERVICE["RestartPreventExitStatus"].split()}
    assert said == {kind.exit_code for kind in in_vain}
    helped = {errors.LinkError, errors.StreamSilent, errors.StorageError, errors.SignetError}
    assert not said & {kind.exit_code for kind in helped}
    assert SERVICE["Restart"] == "on-failure"


def test_watchdog_and_stop_leave_time_for_the_longest_turn() -> None:
    # Told four times in it: a quarter may pass before a turn begins.
    assert 0.75 * int(SERVICE["WatchdogSec"]) > 2 * PROBE_S
    assert int(SERVICE["TimeoutStopSec"]) > 2 * _PAUSE_S


def test_unit_starts_a_command_line_that_there_is_and_shows_nobody_what_is_seen() -> None:
    words = SERVICE["ExecStart"].split()
    assert words[0] == "@PREFIX@/current/venv/bin/signet"
    args = build_parser().parse_args(words[1:])
    assert args.wait
    assert args.json
    assert SERVICE["StandardOutput"] == "null"


def test_settings_of_the_service_are_valid_and_name_the_only_board() -> None:
    config = load_config(REPO / "packaging/host-bundle/signet.toml")
    assert config.device.url == "auto:"


def test_units_keys_and_values_are_systemds(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("no systemd-analyze here: apt-get install systemd")
    unit = tmp_path / "signet.service"
    text = UNIT.read_text().replace("@PREFIX@", "/opt/signet")
    unit.write_text(
        re.sub(r"^ExecStart=\S+", f"ExecStart={sys.executable}", text, flags=re.MULTILINE)
    )
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", unit], capture_output=True, text=True, check=False
    )
    mine = [line for line in done.stderr.splitlines() if "signet" in line]
    assert (done.returncode, mine) == (0, [])
    # Tenths of its scale of exposure, 0 to 10; 0.7 was measured, an ordinary service has 9.
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=yes", "--threshold=10", unit],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
