"""E4 archives: both header styles, both containers, and what is refused."""

from __future__ import annotations

import zipfile

import numpy as np
import pytest

from firmware_host.errors import RecordingError
from firmware_host.recording.e4 import FILES, E4Archive
from firmware_host.recording.e4_reader import E4Reader
from firmware_host.units import STANDARD_GRAVITY_MS2

UNIX_START = "1644829925.000000"
DATE_START = "2022-02-14 09:12:05"


def session_files(start: str = UNIX_START, newline: str = "\n") -> dict[str, str]:
    rows = {
        "BVP.csv": [start, "64.000000", "-0.00", "1.37", "-2.05"],
        "EDA.csv": [start, "4.000000", "0.830302", "1.176529"],
        "TEMP.csv": [start, "4.000000", "29.53", "29.49"],
        "ACC.csv": [f"{start}, {start}, {start}", "32.0, 32.0, 32.0", "-2,3,64", "0.0,-64.0,1"],
        "tags.csv": ["1644830599", "1644830945.25"],
    }
    return {name: newline.join(lines) + newline for name, lines in rows.items()}


def write_folder(folder, files):
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text)
    return folder


def write_zip(path, files, compression=zipfile.ZIP_DEFLATED, prefix=""):
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, text in files.items():
            archive.writestr(prefix + name, text)
    return path


def test_channels_have_si_values_when_units_are_known(tmp_path):
    archive = E4Archive(write_folder(tmp_path / "s", session_files()))
    assert sorted(archive.channels) == ["acc", "bvp", "eda", "temp"]
    bvp = archive.channels["bvp"]
    assert bvp.raw[:, 0].tolist() == [0, 137, -205]
    np.testing.assert_array_equal(bvp.values, bvp.raw * 0.01)
    assert bvp.rate_hz == 64.0
    acc = archive.channels["acc"].values
    np.testing.assert_allclose(acc[0, 2], STANDARD_GRAVITY_MS2)
    np.testing.assert_allclose(acc[1, 1], -STANDARD_GRAVITY_MS2)
    np.testing.assert_allclose(archive.channels["eda"].values[:, 0], [0.830302, 1.176529])
    assert archive.tags_utc.tolist() == [1644830599.0, 1644830945.25]


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_both_header_styles_agree_when_they_name_the_same_instant(tmp_path, newline):
    unix = E4Archive(write_folder(tmp_path / "a", session_files(UNIX_START, newline)))
    date = E4Archive(write_folder(tmp_path / "b", session_files(DATE_START, newline)))
    assert unix.start_utc == date.start_utc == 1644829925.0
    assert unix.content_sha256() == date.content_sha256()
    assert date.end_utc == unix.end_utc == 1644829925.0 + 0.5


@pytest.mark.parametrize(
    "compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA]
)
@pytest.mark.parametrize("prefix", ["", "day1/S05/"])
def test_zip_equals_folder_when_packed_any_way(tmp_path, compression, prefix):
    folder = E4Archive(write_folder(tmp_path / "s", session_files()))
    packed = E4Archive(write_zip(tmp_path / "s.zip", session_files(), compression, prefix))
    for name, channel in folder.channels.items():
        np.testing.assert_array_equal(channel.raw, packed.channels[name].raw)
    assert packed.content_sha256() == folder.content_sha256()


def test_hash_changes_when_one_sample_changes(tmp_path):
    files = session_files()
    first = E4Archive(write_folder(tmp_path / "a", files)).content_sha256()
    files["BVP.csv"] = files["BVP.csv"].replace("1.37", "1.38")
    assert E4Archive(write_folder(tmp_path / "b", files)).content_sha256() != first


@pytest.mark.parametrize("name", sorted(FILES))
def test_missing_file_is_named_when_absent(tmp_path, name):
    files = session_files()
    del files[name]
    with pytest.raises(RecordingError, match=name):
        E4Archive(write_folder(tmp_path / "s", files))


def test_tags_are_empty_when_the_file_is_absent_or_empty(tmp_path):
    files = session_files()
    files["tags.csv"] = ""
    assert len(E4Archive(write_folder(tmp_path / "a", files)).tags_utc) == 0
    del files["tags.csv"]
    assert len(E4Archive(write_folder(tmp_path / "b", files)).tags_utc) == 0


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("BVP.csv", ""),
        ("BVP.csv", f"{UNIX_START}\n64.0\n"),
        ("BVP.csv", f"{UNIX_START}\n64.0\n1.0\nx\n"),
        ("BVP.csv", f"{UNIX_START}\n64.0\n1.0\n\n2.0\n"),
        ("BVP.csv", f"{UNIX_START}\n64.0\nnan\n"),
        ("BVP.csv", f"{UNIX_START}\n0\n1.0\n"),
        ("BVP.csv", "yesterday\n64.0\n1.0\n"),
        ("BVP.csv", f"{UNIX_START}\nfast\n1.0\n"),
        ("ACC.csv", f"{UNIX_START}\n32.0\n1,2,3\n4,5\n"),
        ("tags.csv", "1644830599\nbutton\n"),
    ],
)
def test_broken_file_is_refused_when_read(tmp_path, name, text):
    files = session_files()
    files[name] = text
    with pytest.raises(RecordingError, match=name):
        E4Archive(write_folder(tmp_path / "s", files))


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("cell", ["1e300", "-1e308", "1e17"])
def test_huge_value_is_one_clear_line_when_read(tmp_path, cell):
    files = session_files()
    files["BVP.csv"] += f"{cell}\n"
    with pytest.raises(RecordingError, match=r"expected bvp within .* values beyond"):
        E4Reader(write_folder(tmp_path / "s", files))


def test_cut_zip_is_refused_when_opened(tmp_path):
    path = write_zip(tmp_path / "s.zip", session_files())
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(RecordingError, match="complete zip"):
        E4Archive(path)


def test_damaged_member_is_refused_when_read(tmp_path):
    path = write_zip(tmp_path / "s.zip", session_files())
    data = bytearray(path.read_bytes())
    data[60] ^= 0xFF
    path.write_bytes(bytes(data))
    with pytest.raises(RecordingError):
        E4Archive(path)


def test_two_sessions_are_refused_when_in_one_folder(tmp_path):
    write_folder(tmp_path / "a", session_files())
    write_folder(tmp_path / "b", session_files())
    with pytest.raises(RecordingError, match="twice"):
        E4Archive(tmp_path)


def test_absent_path_is_refused_when_opened(tmp_path):
    with pytest.raises(RecordingError, match="nothing there"):
        E4Archive(tmp_path / "none.zip")


@pytest.mark.needs_data
def test_published_sessions_read_completely_when_present(data_dir):
    paths = [
        sorted((data_dir / "stress-predict" / "e4").glob("*.zip"))[0],
        sorted((data_dir / "physionet-stress-exercise" / "stress").glob("*.zip"))[0],
    ]
    for path in paths:
        archive = E4Archive(path)
        rates = {name: c.rate_hz for name, c in archive.channels.items()}
        assert rates == {"bvp": 64.0, "eda": 4.0, "temp": 4.0, "acc": 32.0}
        assert archive.end_utc - archive.start_utc > 600
        assert np.abs(np.diff([c.end_utc for c in archive.channels.values()])).max() < 10


def test_zip_of_a_later_version_is_refused_in_one_line(tmp_path):
    path = write_zip(tmp_path / "S01.zip", session_files())
    data = bytearray(path.read_bytes())
    # Central directory header, field "version needed to extract" (APPNOTE 4.3.12).
    data[data.index(b"PK\x01\x02") + 6] = 200
    path.write_bytes(data)
    with pytest.raises(RecordingError, match="one that does not open"):
        E4Archive(path)


def test_member_whose_name_is_no_text_is_refused_in_one_line(tmp_path):
    path = write_zip(tmp_path / "S01.zip", session_files())
    data = bytearray(path.read_bytes())
    # The first local file header says UTF-8 (APPNOTE 4.4.4, bit 11), and its name is none.
    data[7] |= 0x08
    data[30] = 0x92
    path.write_bytes(data)
    with pytest.raises(RecordingError, match="a damaged or encrypted member"):
        E4Archive(path)
