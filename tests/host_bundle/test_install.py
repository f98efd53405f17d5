"""Installing, upgrading and removing below a scratch folder, and what is refused before anything is written."""

from __future__ import annotations

import io
import json
import os
import platform
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

from tools.host_bundle.archive import contents, write_tar

from .conftest import signet, unpacked

OTHER = {"x86_64": "aarch64", "aarch64": "x86_64"}


class Host:
    """A scratch root, and the scripts of an unpacked archive run on it."""

    def __init__(self, root: Path, files: Path) -> None:
        self.root = root
        self.files = files

    def run(
        self, script: str, *words: object, before: str = "", path: str = ""
    ) -> subprocess.CompletedProcess[str]:
        """Run a script; `before` is said to the shell first, `path` is looked in first for programs."""
        command = f'{before}\nexec sh "$0" "$@"'
        return subprocess.run(
            [
                "sh",
                "-c",
                command,
                str(self.files / script),
                "--root",
                str(self.root),
                *map(str, words),
            ],
            capture_output=True,
            text=True,
            check=False,
            env={
                **os.environ,
                "PATH": f"{path}:{os.environ['PATH']}" if path else os.environ["PATH"],
            },
        )

    def install(self, *words: object) -> str:
        done = self.run("install.sh", *words)
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout

    def refused(self, *words: object, before: str = "", path: str = "") -> str:
        """The one line that an installation ends with."""
        done = self.run("install.sh", *words, before=before, path=path)
        lines = done.stderr.splitlines()
        assert done.returncode != 0
        assert len(lines) == 1, done.stderr
        assert lines[0].startswith("install: ")
        return lines[0]

    @property
    def program(self) -> Path:
        return self.root / "opt/signet/current/venv/bin/signet"

    @property
    def vault(self) -> tuple[object, ...]:
        state, key = self.root / "var/lib/signet", self.root / "etc/signet/keys/signet.key"
        return ("--state", state, "--key-file", key)

    def written(self) -> list[str]:
        """Every file below the root."""
        return sorted(str(p.relative_to(self.root)) for p in self.root.rglob("*") if p.is_file())


@pytest.fixture(scope="module")
def whole(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The unpacked archive; nobody may change it."""
    return unpacked(archive, tmp_path_factory.mktemp("whole"))


@pytest.fixture
def host(whole: Path, tmp_path: Path) -> Host:
    root = tmp_path / "root"
    root.mkdir()
    return Host(root, whole)


@pytest.fixture
def broken(whole: Path, tmp_path: Path, host: Host) -> Host:
    """A host with a copy of the archive that a test may damage."""
    shutil.copytree(whole, tmp_path / "copy")
    return Host(host.root, tmp_path / "copy")


def _next_version(whole: Path, folder: Path) -> Path:
    """The same wheels, said to be of a later version."""
    wheels = sorted((whole / "wheels").glob("*.whl"))
    files = contents(wheels, version="99.0", machine=platform.machine())
    archive = folder / "next.tar"
    write_tar(archive, files, epoch=1_800_000_000)
    return unpacked(archive, folder / "next")


def test_life_of_an_installation(host: Host, recording: Path, tmp_path: Path) -> None:
    said = host.install()
    assert said.startswith("Signet ")
    files = [name for name in host.written() if not name.startswith("opt/")]
    assert files == [
        "etc/signet/signet.toml",
        "etc/systemd/system/signet.service",
        "etc/udev/rules.d/70-signet.rules",
        "usr/local/bin/signet",
    ]
    unit = (host.root / "etc/systemd/system/signet.service").read_text()
    assert "ExecStart=/opt/signet/current/venv/bin/signet run" in unit
    assert "@PREFIX@" not in unit + (host.root / "usr/local/bin/signet").read_text()
    _took_no_more_than_it_asked_for(host)

    # What was installed streams, infers and keeps.
    _stream(host, recording)
    stored = _stored(host)
    assert stored["event"] > 10
    settings = host.root / "etc/signet/signet.toml"
    settings.write_text('[device]\nurl = "/dev/serial/by-id/mine"\n')

    # Again: nothing is unpacked a second time.
    made = host.program.stat()
    host.install()
    assert host.program.stat().st_mtime_ns == made.st_mtime_ns

    # An upgrade that breaks off leaves the old version in force.
    first = os.readlink(host.root / "opt/signet/current")
    later = Host(host.root, _next_version(host.files, tmp_path))
    line = later.refused(before="ulimit -f 2000")
    assert "could not install: " in line
    assert os.readlink(host.root / "opt/signet/current") == first
    assert len(list((host.root / "opt/signet/releases").iterdir())) == 1
    assert _stored(host) == stored

    # One that does not, leaves the wearer's things alone and the old version nowhere.
    assert "Signet 99.0 " in later.install()
    assert os.readlink(host.root / "opt/signet/current") != first
    assert len(list((host.root / "opt/signet/releases").iterdir())) == 1
    assert "mine" in settings.read_text()
    assert _stored(host) == stored

    _goes_off_again(host)


def _goes_off_again(host: Host) -> None:
    """The wearer's things stay until they are asked for."""
    gone = host.run("uninstall.sh")
    assert gone.returncode == 0
    assert f"Kept: {host.root}/var/lib/signet" in gone.stdout
    assert not (host.root / "opt/signet").exists()
    kept = {name.split("/")[0] for name in host.written()}
    assert kept == {"etc", "var"}
    assert "etc/signet/keys/signet.key" in host.written()
    again = host.run("uninstall.sh", "--purge")
    assert (again.returncode, host.written()) == (0, [])
    assert host.run("uninstall.sh").stdout == "Signet is gone.\n"


def _took_no_more_than_it_asked_for(host: Host) -> None:
    for folder in ("var/lib/signet", "etc/signet/keys"):
        assert (host.root / folder).stat().st_mode & 0o777 == 0o700
    facts = dict(line.split("=") for line in (host.files / "bundle.env").read_text().splitlines())
    used = subprocess.run(
        ["du", "-sk", str(host.root)], capture_output=True, text=True, check=True
    ).stdout.split()[0]
    assert 0.6 * int(facts["NEED_KB"]) < int(used) <= int(facts["NEED_KB"])


def _stream(host: Host, recording: Path) -> None:
    words = (
        "run",
        "--device",
        f"replay:{recording}?speed=max",
        "--no-learn",
        "--json",
        *host.vault,
    )
    signet(*words, run=lambda *_: [str(host.program)])


def _stored(host: Host) -> dict[str, int]:
    out = signet("status", "--json", *host.vault, run=lambda *_: [str(host.program)])
    records: dict[str, int] = json.loads(out)["records"]
    return records


FLIPPED = [
    "SHA256SUMS",
    "bundle.env",
    "requirements.txt",
    "uninstall.sh",
    "files/signet.service",
    "wheels/numpy-",
    "wheels/signet_wearable-",
]


@pytest.mark.parametrize("name", FLIPPED)
def test_one_flipped_byte_is_found_before_anything_is_written(
    archive: Path, host: Host, tmp_path: Path, name: str
) -> None:
    data = bytearray(archive.read_bytes())
    with tarfile.open(archive) as tar:
        member = next(m for m in tar if m.name.split("/", 1)[1].startswith(name))
    data[member.offset_data + member.size // 2] ^= 0x10
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        tar.extractall(tmp_path / "damaged", filter="data")
    host.files = tmp_path / "damaged" / archive.stem
    assert "damaged" in host.refused()
    assert host.written() == []


def test_archive_that_was_cut_installs_nothing(archive: Path, host: Host, tmp_path: Path) -> None:
    cut = tmp_path / "cut.tar"
    # All of it but the last file: a copy that broke off.
    cut.write_bytes(archive.read_bytes()[: archive.stat().st_size * 3 // 5])
    subprocess.run(["tar", "-xf", cut, "-C", tmp_path], capture_output=True, check=False)
    host.files = tmp_path / archive.stem
    assert "damaged" in host.refused()
    assert host.written() == []


def test_script_without_the_rest_says_so(broken: Host) -> None:
    (broken.files / "SHA256SUMS").unlink()
    assert "unpack the archive anew" in broken.refused()


def _claim(host: Host, key: str, value: str) -> None:
    """Let the archive be for something else, its hashes right."""
    env = host.files / "bundle.env"
    lines = [line for line in env.read_text().splitlines() if not line.startswith(f"{key}=")]
    env.write_text("\n".join([*lines, f"{key}={value}"]) + "\n")
    names = [str(p.relative_to(host.files)) for p in host.files.rglob("*") if p.is_file()]
    names.remove("SHA256SUMS")
    sums = subprocess.run(
        ["sha256sum", *names], cwd=host.files, capture_output=True, text=True, check=True
    )
    (host.files / "SHA256SUMS").write_text(sums.stdout)


@pytest.mark.parametrize(
    ("key", "value", "line"),
    [
        (
            "MACHINE",
            OTHER.get(platform.machine(), ""),
            f"system, got {platform.machine()} with a 64-bit",
        ),
        ("PYTHON", "3.9", "expected Python 3.9 (Debian 12 has it), got 3.11"),
        ("GLIBC", "9.1", "expected glibc 9.1 or newer, got glibc 2."),
        ("NEED_KB", "900000000000", "expected 900000000 MB free in "),
    ],
)
def test_host_that_does_not_fit_is_refused_in_a_line(
    broken: Host, key: str, value: str, line: str
) -> None:
    _claim(broken, key, value)
    assert line in broken.refused()
    assert broken.written() == []


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["--bare"], "got --bare"),
        (["--prefix"], "expected a value"),
        (["--prefix", "opt"], "an absolute path"),
        (["--prefix", "/"], "an absolute path"),
        (["--prefix", "//"], "an absolute path other than /, got /"),
        (["--prefix", "/opt/.."], "an absolute path other than /, got /"),
        (["--prefix", "/opt/a|b"], "letters, digits"),
        (["--python", "/nonexistent/python"], "expected a Python that runs"),
    ],
)
def test_wrong_option_is_refused_in_a_line(host: Host, words: list[str], line: str) -> None:
    assert line in host.refused(*words)
    assert host.written() == []


def _apart(*words: object) -> subprocess.CompletedProcess[str]:
    """Run something in namespaces of its own; the test is skipped where that is not allowed."""
    if subprocess.run(
        ["unshare", *map(str, words[:2]), "true"], check=False, capture_output=True
    ).returncode:
        pytest.skip("this machine lets nobody make a user and a mount namespace")
    command = ["unshare", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_others_than_root_are_told(host: Host) -> None:
    # Without a map of users everybody is nobody.
    done = _apart("--user", "--mount", "sh", host.files / "install.sh")
    assert done.returncode == 1
    assert done.stderr.startswith("install: expected root")


SMALL_DISK = """#!/bin/sh
# ROOT becomes a disk of 60 MB that nobody else sees; what is on it in the end goes to standard output.
mount -t tmpfs -o size=60m none "$1" || exit 99
sh "$2" --root "$1" >/dev/null
code=$?
find "$1" -type f
exit $code
"""


def _on_small_disk(host: Host, folder: Path, *, df: str = "") -> subprocess.CompletedProcess[str]:
    """Install on a disk that is too small; `df` is a program that says what there is, if not the real one."""
    script = folder / "small-disk.sh"
    script.write_text(SMALL_DISK)
    programs = folder / "bin"
    programs.mkdir()
    if df:
        (programs / "df").write_text(df)
        (programs / "df").chmod(0o755)
    path = f"PATH={programs}:{os.environ['PATH']}"
    words = (
        "--map-root-user",
        "--mount",
        "env",
        path,
        "sh",
        script,
        host.root,
        host.files / "install.sh",
    )
    return _apart(*words)


def test_disk_without_room_is_found_before_it_is_full(host: Host, tmp_path: Path) -> None:
    done = _on_small_disk(host, tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert "MB free in " in done.stderr
    assert int(done.stderr.rpartition("got ")[2].split()[0]) < 63


def test_disk_that_fills_up_leaves_nothing_behind(host: Host, tmp_path: Path) -> None:
    # There was room when it looked; then another program wrote.
    df = "#!/bin/sh\necho Filesystem\necho none 1 1 99999999\n"
    done = _on_small_disk(host, tmp_path, df=df)
    assert (done.returncode, done.stdout) == (1, "")
    assert len(done.stderr.splitlines()) == 1
    assert "No space left" in done.stderr
