"""One clear line and a documented exit code for each way it can go wrong; nothing lost."""

from __future__ import annotations

import os
import pty
import shutil
import struct
import threading
from contextlib import closing
from pathlib import Path

import pytest
from command import REPO, Wearer, one_line, signet

from firmware_host.protocol import frame

E4 = "stress-predict/e4"


def test_no_device_said(wearer: Wearer) -> None:
    done = wearer.signet("run")
    assert done.code == 2
    assert "--device" in one_line(done)


@pytest.mark.parametrize(
    "said",
    [
        (),
        ("nap",),
        ("revert", "abc"),
        ("learn", "--budget-s", "0"),
        ("prefer", "--remove", "x"),
        ("status", "--jsom"),
    ],
)
def test_what_the_parser_refuses_is_one_line(said: tuple[str, ...]) -> None:
    done = signet(*said)
    assert done.code == 2
    assert " --help)" in one_line(done)


def test_no_such_port(wearer: Wearer) -> None:
    done = wearer.signet("run", "--device", "/dev/ttyNOPE")
    assert done.code == 3
    assert "/dev/ttyNOPE" in one_line(done)


def test_no_permission_names_the_group_and_the_rule(wearer: Wearer, tmp_path: Path) -> None:
    if os.geteuid() == 0:
        # Root may open anything: what the line says is tested in tests/unit/transport.
        from firmware_host.transport.port_files import UDEV_RULE_NAME

        assert UDEV_RULE_NAME.endswith(".rules")
        return
    port = tmp_path / "port"
    port.touch(mode=0o000)
    done = wearer.signet("run", "--device", port)
    assert done.code == 3
    assert "udev" in one_line(done)


def test_unknown_scheme_lists_the_known_ones(wearer: Wearer) -> None:
    done = wearer.signet("run", "--device", "bluetooth:AA:BB")
    assert done.code == 2
    assert "synthetic" in one_line(done)


@pytest.mark.parametrize("option", ["seed=abc", "hours=1e300", "scenario=nigth", "fault=melt"])
def test_simulator_option_that_cannot_be(wearer: Wearer, option: str) -> None:
    done = wearer.signet("run", "--device", f"synthetic:?{option}")
    assert done.code == 2
    assert option.partition("=")[0] in one_line(done)


@pytest.mark.parametrize("verb", ["doctor", "status", "learn"])
def test_wrong_host_root_is_refused(wearer: Wearer, tmp_path: Path, verb: str) -> None:
    wearer.signet("label", "rest", "--last", "5m").check()
    done = wearer.signet(verb, env={"SIGNET_HOST_ROOT": str(tmp_path / "nope")})
    assert done.code == 2
    assert "SIGNET_HOST_ROOT: expected a folder" in one_line(done)


def _chatter(master: int, text: bytes, stop: threading.Event) -> None:
    while not stop.wait(0.05):
        os.write(master, text)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (b"temp=21.5\r\n", "prints text"),
        (bytes(range(1, 200)), "no valid frame"),
        (frame.encode(frame.HELLO, 0, 1, 0, 0, 0, b"\x07rest"), "wire protocol 7"),
    ],
)
def test_not_our_board_on_the_port(wearer: Wearer, text: bytes, says: str) -> None:
    master, slave = pty.openpty()
    stop = threading.Event()
    thread = threading.Thread(target=_chatter, args=(master, text, stop))
    thread.start()
    try:
        done = wearer.signet("run", "--device", os.ttyname(slave))
    finally:
        stop.set()
        thread.join()
        os.close(master)
        os.close(slave)
    assert done.code == 3
    assert says in one_line(done)


def test_missing_channel_is_named(wearer: Wearer, tmp_path: Path) -> None:
    folder = tmp_path / "e4"
    folder.mkdir()
    for name, text in {
        "TEMP": "1700000000.0\n4.0\n" + "33.1\n" * 400,
        "EDA": "1700000000.0\n4.0\n" + "0.5\n" * 400,
    }.items():
        (folder / f"{name}.csv").write_text(text)
    done = signet("replay", folder)
    assert done.code in (4, 5)
    assert "bvp" in one_line(done).lower()


@pytest.mark.parametrize("keep", [0, 10, 200])
def test_truncated_archive(tmp_path: Path, keep: int) -> None:
    path = tmp_path / "cut.zip"
    path.write_bytes(b"PK\x03\x04" + bytes(keep))
    done = signet("replay", path)
    assert done.code == 4
    assert "cut.zip" in one_line(done)


@pytest.mark.parametrize("verb", ["replay", "run"])
def test_cut_recording_is_read_and_said_to_be_cut(
    wearer: Wearer, recording: Path, tmp_path: Path, verb: str
) -> None:
    path = tmp_path / "cut.mcap"
    content = recording.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    if verb == "replay":
        done = signet("replay", path)
    else:
        done = wearer.signet("run", "--device", f"replay:{path}", "--no-learn")
    assert done.code == 0
    told = [line for line in done.err.splitlines() if "cut at the end; read up to 00:0" in line]
    assert len(told) == 1


def test_empty_recording(tmp_path: Path) -> None:
    path = tmp_path / "empty.mcap"
    path.touch()
    done = signet("replay", path)
    assert done.code == 4
    assert "got an empty file" in one_line(done)


def test_recording_of_an_unknown_format(tmp_path: Path) -> None:
    path = tmp_path / "walk.docx"
    path.touch()
    done = signet("replay", path)
    assert done.code == 4
    assert ".mcap" in one_line(done)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "header"),
        ("a,b,c\n1,2,3\n", "header"),
        ("start_utc,end_utc,label\n1,2,sad\n", "stress"),
    ],
)
def test_bad_label_file(recording: Path, tmp_path: Path, text: str, says: str) -> None:
    labels = tmp_path / "labels.csv"
    labels.write_text(text)
    done = signet("replay", recording, "--labels", labels)
    assert done.code == 4
    assert says in one_line(done)


@pytest.mark.needs_data
def test_label_file_of_another_person(data_dir: Path, tmp_path: Path) -> None:
    everyone = sorted((data_dir / E4).glob("*.zip"))
    stranger = tmp_path / "S99.zip"
    shutil.copy(everyone[0], stranger)
    done = signet("replay", stranger, "--labels", data_dir / "stress-predict" / "labels.csv.gz")
    assert done.code == 4
    assert "only other people's" in one_line(done)


def _copy_bundle(tmp_path: Path) -> Path:
    source = next((REPO / "models" / "bundles").iterdir())
    return Path(shutil.copytree(source, tmp_path / source.name))


def test_bundle_with_a_wrong_hash(recording: Path, tmp_path: Path) -> None:
    bundle = _copy_bundle(tmp_path)
    file = bundle / "stress.tflite"
    content = bytearray(file.read_bytes())
    content[1000] ^= 1
    file.write_bytes(content)
    done = signet("replay", recording, "--bundle", bundle)
    assert done.code == 5
    assert "sha256" in one_line(done)


def test_bundle_without_a_file(recording: Path, tmp_path: Path) -> None:
    bundle = _copy_bundle(tmp_path)
    (bundle / "gait.tflite").unlink()
    done = signet("replay", recording, "--bundle", bundle)
    assert done.code == 5
    assert "gait.tflite" in one_line(done)


def test_bundle_with_a_changed_threshold(recording: Path, tmp_path: Path) -> None:
    bundle = _copy_bundle(tmp_path)
    with (bundle / "bundle.toml").open("a") as file:
        file.write("# a\n")
    done = signet("replay", recording, "--bundle", bundle)
    assert done.code == 5
    assert "bundle.sha256" in one_line(done)


def test_vault_with_a_wrong_key_is_untouched(wearer: Wearer, tmp_path: Path) -> None:
    wearer.signet("label", "stress", "--last", "5m").check()
    files = {p: p.read_bytes() for p in wearer.state.iterdir() if p.is_file()}
    other = Wearer(tmp_path / "other")
    other.folder.mkdir()
    other.signet("label", "rest", "--last", "5m").check()
    done = signet("status", "--state", wearer.state, "--key-file", other.folder / "key")
    assert done.code == 7
    one_line(done)
    for path, content in files.items():
        if path.suffix != "-shm":
            assert path.read_bytes() == content
    assert wearer.signet("label", "--list", "--json").check().json[0]["label"] == "stress"


def test_key_inside_the_state_folder_is_refused(wearer: Wearer) -> None:
    done = signet(
        "label", "rest", "--last", "5m", "--state", wearer.state, "--key-file", wearer.state / "key"
    )
    assert done.code == 2
    assert "outside the state folder" in one_line(done)


def test_nothing_known_yet(wearer: Wearer) -> None:
    for verb in (["status"], ["learn"], ["report"]):
        done = wearer.signet(*verb)
        assert done.code == 7
        assert "signet run" in one_line(done)


def test_learning_without_labels_is_refused_with_what_to_do(wearer: Wearer) -> None:
    wearer.signet("run", "--device", "synthetic:?scenario=walk", "--no-learn").check()
    done = wearer.signet("learn", "--json").check()
    assert done.json["kept"] is False
    assert done.json["reason"] in ("no_data", "one_class")


def test_enrolment_without_walking_says_what_was_the_matter(wearer: Wearer) -> None:
    url = "synthetic:?seed=8&scenario=short&hours=0.03"
    done = wearer.signet("enrol", "gait", "--device", url)
    assert done.code == 6
    assert "usable windows" in done.err


WALK = "synthetic:?seed=7&scenario=walk"


def test_worn_where_nobody_enrolled_goes_on_with_one_warning(wearer: Wearer) -> None:
    wearer.signet("enrol", "gait", "--device", WALK).check()
    run = ("run", "--device", WALK, "--no-learn", "--json")
    done = wearer.signet(*run, "--placement", "pocket").check()
    assert done.err.count("who walks is not told") == 1
    assert "signet enrol gait --placement pocket" in done.err
    kinds = {event["kind"] for event in done.events}
    assert "activity" in kinds
    assert not kinds & {"wearer", "stress"}
    wearer.signet("enrol", "gait", "--device", WALK, "--placement", "pocket").check()
    assert "enrolled for pocket, wrist" in wearer.signet("status").check().out
    for placement in ("pocket", "wrist"):
        done = wearer.signet(*run, "--placement", placement).check()
        assert "who walks is not told" not in done.err
        assert "wearer" in {event["kind"] for event in done.events}


def test_baseline_away_from_the_wrist_is_refused(wearer: Wearer) -> None:
    done = wearer.signet("enrol", "baseline", "--device", WALK, "--placement", "pocket")
    assert done.code == 6
    assert "--placement wrist" in one_line(done)


@pytest.mark.parametrize(
    ("what", "columns", "lacks"),
    [
        ("gait", ["eda[uS]@50Hz"], "acc is missing"),
        ("baseline", [f"acc_{axis}[m/s2]@50Hz" for axis in "xyz"], "bvp is missing"),
    ],
)
def test_enrolment_on_a_board_without_the_channels_ends_at_once(
    wearer: Wearer, tmp_path: Path, what: str, columns: list[str], lacks: str
) -> None:
    recording = tmp_path / "few.csv"
    readings = [[f"{1.7e9 + k / 50:.3f}", *("1.0" for _ in columns)] for k in range(500)]
    rows = [["time_utc", *columns], *readings]
    recording.write_text("".join(",".join(row) + "\n" for row in rows))
    done = wearer.signet("enrol", what, "--device", f"replay:{recording}?speed=max")
    assert done.code == 5, done.err
    assert lacks in done.err.splitlines()[-1]


def test_config_with_an_unknown_key(tmp_path: Path) -> None:
    config = tmp_path / "signet.toml"
    config.write_text("[device]\nbaud = 9600\n")
    done = signet("ports", "--config", config)
    assert done.code == 2
    assert "device.baud" in one_line(done)


@pytest.fixture
def tiny_disk(tmp_path: Path):
    """A file system of one megabyte, if this machine lets us make one."""
    import subprocess

    folder = tmp_path / "tiny"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m,mode=0700", "tmpfs", str(folder)]
    if subprocess.run(mount, check=False, capture_output=True).returncode != 0:
        pytest.skip("needs the right to mount a small tmpfs")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_full_disk_while_recording_keeps_what_was_written(tiny_disk: Path) -> None:
    file = tiny_disk / "day.mcap"
    done = signet("record", "--device", "synthetic:?seed=8&scenario=short", "--out", file)
    assert done.code == 8
    one_line(done)
    replayed = signet("replay", file, "--json").check()
    assert len(replayed.events) > 10


def test_full_disk_while_running_keeps_the_vault_readable(tiny_disk: Path, tmp_path: Path) -> None:
    state, key = tiny_disk / "state", tmp_path / "key"
    options = ["--state", state, "--key-file", key]
    done = signet("run", "--device", "synthetic:?seed=8&scenario=day&hours=0.5", "--json", *options)
    assert done.code == 8
    # It says so when it happens, goes on, and fails in the end if there never was room again.
    warned, failed = done.err.strip().splitlines()
    assert "full disk: free some space; the run goes on" in warned
    assert failed.startswith("signet: ")
    assert done.events[-1]["t_s"] > 1800 - 60
    assert [e["what"] for e in done.events if e.get("what", "").startswith("disk")] == ["disk_full"]
    shown = signet("status", "--json", *options).check()
    assert shown.json["records"]["event"] > 10


def test_damaged_label_is_left_out_and_said(wearer: Wearer) -> None:
    wearer.signet("label", "stress", "--last", "5m").check()
    import sqlite3

    with closing(sqlite3.connect(wearer.state / "vault.sqlite3")) as db, db:
        (sealed,) = db.execute("SELECT sealed FROM records").fetchone()
        broken = sealed[:-1] + struct.pack("B", sealed[-1] ^ 1)
        db.execute("UPDATE records SET sealed = ?", (broken,))
    done = wearer.signet("label", "--list").check()
    assert done.out == ""
    assert "0 labels, 1 damaged record left out" in done.err


def test_baseline_is_not_learned_from_somebody_who_walks(wearer: Wearer) -> None:
    done = wearer.signet("enrol", "baseline", "--device", "synthetic:?seed=7&scenario=walk")
    assert done.code == 6
    assert "sit still" in done.err
    assert wearer.signet("status", "--json").check().json["baseline"] is None


@pytest.mark.parametrize("seconds", ["-1", "0", "nan", "soon"])
def test_seconds_must_be_a_number_above_zero(wearer: Wearer, seconds: str) -> None:
    done = wearer.signet("run", "--device", "synthetic:", "--seconds", seconds)
    assert done.code == 2
    assert "above zero" in done.err
