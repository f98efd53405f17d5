from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import pytest

from firmware_host.host import checks, machine
from firmware_host.host.checks import Check, Status, run_checks, worst
from firmware_host.host.machine import Machine
from firmware_host.host.ports import PortInfo
from firmware_host.host.thermal import THROTTLE_FILE
from firmware_host.transport.port_files import shipped_udev_rule

PORT = PortInfo(
    device="/dev/ttyACM0", by_id=None, usb_id="2e8a:0005", product=None, board_hint="RP2040",
    group="dialout", may_open=True, holders=(),
)  # fmt: skip


@pytest.fixture
def good(fake) -> Machine:
    """A healthy host: everything is there and right."""
    fake.write("sys/class/thermal/thermal_zone0/temp", "51200")
    rule = fake.root / "etc/udev/rules.d" / shipped_udev_rule().name
    rule.parent.mkdir(parents=True)
    rule.write_bytes(shipped_udev_rule().read_bytes())
    return Machine(
        root=fake.root,
        python=(3, 11, 2),
        uid=os.getuid() or 1000,
        session_groups=frozenset({"dialout"}),
        database_groups=frozenset({"dialout"}),
        now_utc=lambda: 1_800_000_000.0,
        package_version={"numpy": "1.26.4", "pyserial": "3.5", "cryptography": "45", "mcap": "1.3",
                         "tflite-runtime": "2.14.0"}.get,
        load_module=lambda _module: "",
        free_bytes=lambda _folder: 20_000_000_000,
        clock_synchronised=lambda: True,
        ports=lambda: [PORT],
    )  # fmt: skip


def but(good: Machine, **changes) -> Machine:
    return dataclasses.replace(good, **changes)


def test_a_healthy_host_has_nothing_to_fix(good, tmp_path: Path) -> None:
    found = run_checks(state_dir=tmp_path / "state", key_file=tmp_path / "key", machine=good)
    assert [(c.name, c.status) for c in found if c.status is not Status.OK] == []
    assert worst(found) is Status.OK
    assert len({c.name for c in found}) == len(found) == 11


def test_a_check_that_cannot_look_leaves_the_others_alone(good, tmp_path: Path) -> None:
    def closed(_folder: Path) -> int:
        raise PermissionError(13, "Permission denied", "/closed")

    def gone() -> list[PortInfo]:
        raise FileNotFoundError(2, "No such file", "/dev/ttyACM0")

    host = but(good, free_bytes=closed, ports=gone)
    found = run_checks(state_dir=tmp_path, key_file=tmp_path.parent / "key", machine=host)
    by_name = {check.name: check for check in found}
    assert len(by_name) == 11
    assert (by_name["disk"].status, "/closed" in by_name["disk"].text) == (Status.FAIL, True)
    assert by_name["ports"].text == "no USB serial port"
    assert by_name["heat"].status is Status.OK


def test_this_machine_can_be_checked(tmp_path: Path) -> None:
    here = Machine(load_module=lambda _module: "")
    found = run_checks(state_dir=tmp_path, key_file=tmp_path.parent / "key", machine=here)
    for check in found:
        assert check.text
        assert "\n" not in check.text + check.fix
        assert "sudo" not in check.fix
        assert check.status is not Status.OK or not check.fix


def test_worst_is_fail_before_warn() -> None:
    found = [Check("a", Status.OK, ""), Check("b", Status.FAIL, ""), Check("c", Status.WARN, "")]
    assert worst(found) is Status.FAIL
    assert worst(found[::2]) is Status.WARN
    assert worst([]) is Status.OK


@pytest.mark.parametrize(
    ("python", "status"),
    [((3, 10, 9), "fail"), ((3, 11, 0), "ok"), ((3, 13, 1), "ok"), ((3, 14, 0), "warn")],
)
def test_python_versions(good, python, status) -> None:
    assert checks.check_python(but(good, python=python)).status == status


def test_missing_packages_are_named_with_the_command(good) -> None:
    check = checks.check_packages(but(good, package_version={"numpy": "1"}.get))
    assert check.status is Status.FAIL
    assert check.fix == "pip install pyserial cryptography mcap"


def test_no_runtime_says_which_one_to_install(good) -> None:
    nothing = but(good, package_version=lambda _name: None)
    assert checks.check_runtime(nothing).fix == "pip install tflite-runtime"
    assert checks.check_runtime(but(nothing, python=(3, 12, 0))).fix == "pip install ai-edge-litert"


def test_a_runtime_that_does_not_load_is_a_failure_with_its_reason(good) -> None:
    check = checks.check_runtime(but(good, load_module=lambda _m: "ImportError: numpy.core"))
    assert check.status is Status.FAIL
    assert "tflite-runtime 2.14.0 does not load: ImportError: numpy.core" in check.text


def test_the_second_runtime_serves_when_the_first_does_not_load(good) -> None:
    both = {"tflite-runtime": "2.14.0", "ai-edge-litert": "2.3.1"}.get
    load = {"tflite_runtime.interpreter": "broken", "ai_edge_litert.interpreter": ""}.__getitem__
    check = checks.check_runtime(but(good, package_version=both, load_module=load))
    assert (check.status, check.text) == (Status.OK, "ai-edge-litert 2.3.1 loads")


def test_loading_happens_in_another_process() -> None:
    assert machine.load_module("json") == ""
    assert "No module named 'no_such_module'" in machine.load_module("no_such_module")


def test_a_module_that_kills_python_is_reported_not_fatal(tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "illegal.py").write_text("import os, signal; os.kill(os.getpid(), signal.SIGILL)")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert machine.load_module("illegal") == "process ended with -4"


def test_ports(good) -> None:
    def check(*ports: PortInfo) -> Check:
        return checks.check_ports(ports)

    on_board = dataclasses.replace(PORT, usb_id=None)
    assert check(on_board).text == "no USB serial port"
    closed = check(PORT, dataclasses.replace(PORT, device="/dev/ttyACM1", may_open=False))
    assert closed.status is Status.FAIL
    assert "/dev/ttyACM1 (RP2040) may not be opened" in closed.text
    assert "usermod -aG dialout" in closed.fix
    busy = check(dataclasses.replace(PORT, holders=("screen (9)",)))
    assert (busy.status, busy.text) == (Status.WARN, "/dev/ttyACM0 is held by screen (9)")
    assert check(PORT).text == "/dev/ttyACM0 (RP2040)"


def test_groups_of_the_database_need_a_new_session(good) -> None:
    check = checks.check_groups(but(good, session_groups=frozenset()), [PORT])
    assert (check.status, check.fix) == (Status.WARN, "log out and in again")


def test_groups_the_user_lacks_are_named(good) -> None:
    nobody = but(good, session_groups=frozenset(), database_groups=frozenset())
    closed = dataclasses.replace(PORT, group="uucp", may_open=False)
    check = checks.check_groups(nobody, [closed])
    assert "not a member of uucp" in check.text
    assert "usermod -aG uucp" in check.fix
    assert "dialout" in checks.check_groups(nobody, []).text


def test_no_group_is_needed_when_the_boards_open_without(good) -> None:
    nobody = but(good, session_groups=frozenset(), database_groups=frozenset())
    assert checks.check_groups(nobody, [PORT]).status is Status.OK


def test_root_is_told_not_to_be(good) -> None:
    assert checks.check_groups(but(good, uid=0), [PORT]).text == "running as root"


def test_udev_rule_missing_or_old(good, fake) -> None:
    (fake.root / "etc/udev/rules.d/70-signet.rules").write_text("# version of last year\n")
    old = checks.check_udev_rule(good)
    assert (old.status, old.text) == (Status.WARN, "/etc/udev/rules.d/70-signet.rules differs")
    (fake.root / "etc/udev/rules.d/70-signet.rules").unlink()
    missing = checks.check_udev_rule(good)
    assert missing.status is Status.WARN
    assert str(shipped_udev_rule()) in missing.fix


@pytest.mark.parametrize(
    ("free_bytes", "status"), [(50_000_000, "fail"), (500_000_000, "warn"), (5_000_000_000, "ok")]
)
def test_disk_space_of_a_folder_that_does_not_exist_yet(good, tmp_path, free_bytes, status) -> None:
    seen = []

    def free(folder: Path) -> int:
        seen.append(folder)
        return free_bytes

    check = checks.check_disk(but(good, free_bytes=free), tmp_path / "a/b")
    assert check.status == status
    assert seen == [tmp_path]


def test_a_folder_that_cannot_be_written_is_a_failure(good, monkeypatch, tmp_path) -> None:
    # Root may write everywhere, so the answer of the kernel is given here.
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert "not writable" in checks.check_disk(good, tmp_path).text


def test_key_file(good, tmp_path: Path) -> None:
    state = tmp_path / "state"
    key = tmp_path / "key"
    good = but(good, uid=os.getuid())
    assert "made on first use" in checks.check_key_file(good, key, state).text
    key.write_bytes(bytes(32))
    key.chmod(0o600)
    assert checks.check_key_file(good, key, state).status is Status.OK
    key.chmod(0o400)
    assert checks.check_key_file(good, key, state).status is Status.OK
    key.chmod(0o640)
    open_key = checks.check_key_file(good, key, state)
    assert (open_key.status, "mode 0640" in open_key.text) == (Status.FAIL, True)
    key.chmod(0o600)
    foreign = checks.check_key_file(but(good, uid=os.getuid() + 1), key, state)
    assert "belongs to user" in foreign.text
    assert "is no file" in checks.check_key_file(good, tmp_path, state).text
    inside = checks.check_key_file(good, state / "deep/key", state)
    assert (inside.status, "whoever copies one has both" in inside.text) == (Status.FAIL, True)


@pytest.mark.parametrize(
    ("now_utc", "synchronised", "status"),
    [(0.0, True, "fail"), (1.8e9, True, "ok"), (1.8e9, False, "warn"), (1.8e9, None, "warn")],
)
def test_clock(good, now_utc, synchronised, status) -> None:
    host = but(good, now_utc=lambda: now_utc, clock_synchronised=lambda: synchronised)
    assert checks.check_clock(host).status == status


def test_the_kernel_can_be_asked_about_its_clock() -> None:
    assert machine.clock_is_synchronised() in (True, False, None)


def test_heat(good, fake) -> None:
    assert checks.check_heat(good).text == "51 degC"
    fake.write("sys/class/thermal/thermal_zone1/temp", "84000")
    fake.write("sys/class/thermal/thermal_zone2/temp", "asleep")
    assert checks.check_heat(good).status is Status.WARN
    # Bit 16 and up are history and no reason to warn now.
    fake.write(THROTTLE_FILE, "50005")
    assert checks.check_heat(good).text == "under-voltage, throttled"
    fake.write("sys/class/thermal/thermal_zone1/temp", "40000")
    fake.write(THROTTLE_FILE, "50000")
    assert checks.check_heat(good).status is Status.OK


def test_host_tells_what_learning_is_decided_by(good, fake, tmp_path) -> None:
    found = checks.check_host(good, tmp_path / "a/b")
    assert found.status is Status.OK
    assert "51 degC" in found.text
    battery = "sys/class/power_supply/battery"
    fake.write(f"{battery}/type", "Battery")
    fake.write(f"{battery}/status", "Discharging")
    fake.write(f"{battery}/capacity", "42")
    found = checks.check_host(good, tmp_path)
    assert found.status is Status.WARN
    assert found.text.startswith("on battery (battery 42 %)")
    elsewhere = but(good, host_root=tmp_path / "other")
    found = checks.check_host(elsewhere, tmp_path)
    assert found.status is Status.WARN
    assert found.text.startswith("no readings of power, heat or load")


def test_no_temperature_is_a_warning(good, fake) -> None:
    (fake.root / "sys/class/thermal/thermal_zone0/temp").unlink()
    assert "no temperature" in checks.check_heat(good).text
