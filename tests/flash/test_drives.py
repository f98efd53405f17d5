from __future__ import annotations

from pathlib import Path

import pytest

from firmware_host.errors import FlashError
from firmware_host.flash.drives import Drive, explain_no_drive, find_drives, read_drive, write_image
from sim.flash.uf2_drive import Uf2Drive, as_bytes, encode

FAMILY = 0xE48BFF56
IMAGE = bytes((i * 31) & 0xFF for i in range(100_000))
FILE = encode(IMAGE, address=0x1000_0000, family=FAMILY)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "media" / "RPI RP2"


def chip(folder: Path, vanish_after: int | None = None) -> Uf2Drive:
    return Uf2Drive(folder, family=FAMILY, board_id="RPI-RP2", vanish_after=vanish_after)


def write(folder: Path, data: bytes, simulated: Uf2Drive) -> list[int]:
    drive = read_drive(folder)
    assert drive is not None
    seen = []

    def progress(done: int, _total: int) -> None:
        seen.append(done)
        if folder.is_dir():
            simulated.look()

    now = [0.0]

    def sleep(seconds: float) -> None:
        now[0] += seconds

    write_image(drive, data, progress=progress, sleep=sleep, monotonic=lambda: now[0])
    return seen


def test_image_arrives_byte_for_byte_and_the_drive_goes(folder) -> None:
    simulated = chip(folder)
    seen = write(folder, FILE, simulated)
    assert as_bytes(simulated.memory) == (0x1000_0000, IMAGE)
    assert simulated.is_done
    assert seen[-1] == len(FILE)
    assert seen == sorted(seen)
    assert len(seen) > 3


def test_drive_that_goes_in_the_middle_is_said_with_how_to_go_on(folder) -> None:
    simulated = chip(folder, vanish_after=len(FILE) // 2)
    with pytest.raises(
        FlashError, match=r"went away at (4|5|6)\d %; .* plug the board in again.*same command"
    ):
        write(folder, FILE, simulated)
    assert not simulated.is_done


def test_drive_that_stays_has_not_taken_it(folder) -> None:
    simulated = chip(folder)
    other = encode(IMAGE, address=0, family=0xADA52840)
    with pytest.raises(FlashError, match="does not restart"):
        write(folder, other, simulated)
    assert sorted(file.name for file in folder.iterdir()) == ["INFO_UF2.TXT"]
    assert not simulated.memory


def test_full_or_write_protected_drive_is_left_as_it_was(folder, monkeypatch) -> None:
    simulated = chip(folder)

    def full(_fd: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("firmware_host.flash.drives.os.fsync", full)
    with pytest.raises(FlashError, match=r"cannot be written .No space left"):
        write(folder, FILE, simulated)
    assert [file.name for file in folder.iterdir()] == ["INFO_UF2.TXT"]


def test_mounted_drives_are_found_by_what_is_on_them(folder, tmp_path) -> None:
    chip(folder)
    microbit = tmp_path / "media" / "MICROBIT"
    microbit.mkdir()
    (microbit / "DETAILS.TXT").write_text("# DAPLink Firmware\r\nUnique ID: 9904360254974e45\r\n")
    (tmp_path / "media" / "stick").mkdir()
    Uf2Drive(tmp_path / "media/server", family=FAMILY, board_id="RPI-RP2")
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/mounts").write_text(
        "/dev/sda1 / ext4 rw 0 0\n"
        "/dev/sdb1 /media/RPI\\040RP2 vfat rw 0 0\n"
        "/dev/sdc /media/MICROBIT vfat rw 0 0\n/dev/sdd /media/stick vfat rw 0 0\nbad\n"
        "there:/ /media/server nfs4 rw 0 0\n"
    )
    assert find_drives(tmp_path) == [
        Drive(folder, "RPI-RP2"),
        Drive(microbit, "9904360254974e45"),
    ]
    text = str(explain_no_drive("hold BOOTSEL", tmp_path))
    assert "RPI-RP2" in text
    assert "hold BOOTSEL" in text
    assert "--drive" in text


def test_no_mounts_no_drives(tmp_path) -> None:
    assert find_drives(tmp_path) == []
