"""Every bad input of `evaluate` and `loso` is one line and an exit code, before any long work."""

from __future__ import annotations

import zipfile

import pytest

from tests.bundles import seal, write_bundle
from training.cli import main

STRESS = ["--task", "stress", "--dataset", "stress-predict"]
GAIT = ["--task", "gait", "--dataset", "wisdm-watch"]


@pytest.fixture
def bundle(tmp_path):
    return write_bundle(tmp_path / "bundles")


def _error(capsys, *words):
    """Exit code, and the one line that was printed."""
    code = main([str(word) for word in words])
    out, err = capsys.readouterr()
    assert out == ""
    lines = err.strip().splitlines()
    assert len(lines) == 1, err
    assert lines[0].startswith("error: ")
    return code, lines[0]


@pytest.mark.parametrize("task", [STRESS, GAIT], ids=["stress", "gait"])
def test_folder_is_named_when_it_does_not_exist(capsys, tmp_path, bundle, task):
    missing = tmp_path / "nowhere"
    code, line = _error(capsys, "evaluate", *task, "--data", missing, "--bundle", bundle)
    assert code == 4
    assert str(missing) in line


@pytest.mark.parametrize("task", [STRESS, GAIT], ids=["stress", "gait"])
def test_folder_is_refused_when_it_is_empty(capsys, tmp_path, bundle, task):
    empty = tmp_path / "empty"
    empty.mkdir()
    code, line = _error(capsys, "evaluate", *task, "--data", empty, "--bundle", bundle)
    assert code == 4
    assert "expected" in line


def test_folder_is_refused_when_it_holds_another_data_set(capsys, tmp_path, bundle):
    (tmp_path / "wisdm").mkdir()
    with zipfile.ZipFile(tmp_path / "wisdm" / "1600.zip", "w") as archive:
        archive.writestr("raw/watch/accel/data_1600_accel_watch.txt", "1600,A,1,0,0,0;")
    words = ["--task", "stress", "--dataset", "physionet-stress-exercise"]
    code, line = _error(
        capsys, "evaluate", *words, "--data", tmp_path / "wisdm", "--bundle", bundle
    )
    assert code == 4
    assert "stress" in line


@pytest.mark.parametrize("task", [STRESS, GAIT], ids=["stress", "gait"])
def test_bundle_is_refused_when_nobody_knows_it(capsys, tmp_path, task):
    code, line = _error(capsys, "evaluate", *task, "--data", tmp_path, "--bundle", tmp_path / "no")
    assert code == 5
    assert "bundle" in line


def test_bundle_is_refused_when_it_is_for_another_place_on_the_body(capsys, tmp_path, bundle):
    contract = bundle / "bundle.toml"
    text = contract.read_text()
    assert '["wrist", "pocket"]' in text
    contract.write_text(text.replace('["wrist", "pocket"]', '["wrist"]'))
    seal(bundle)
    words = ["--task", "gait", "--dataset", "motionsense"]
    code, line = _error(capsys, "evaluate", *words, "--data", tmp_path, "--bundle", bundle)
    assert code == 5
    assert "pocket" in line
    assert "wrist" in line


@pytest.mark.parametrize("verb", ["evaluate", "loso"])
@pytest.mark.parametrize("option", ["--json", "--html"])
def test_result_place_is_refused_before_anything_is_read(capsys, tmp_path, verb, option):
    place = tmp_path / "no" / "out"
    code, line = _error(capsys, verb, *STRESS, "--data", tmp_path / "nowhere", option, place)
    assert code == 2
    assert option in line


def test_recording_is_named_when_it_is_cut(capsys, tmp_path, bundle):
    folder = tmp_path / "stress-predict"
    (folder / "e4").mkdir(parents=True)
    (folder / "labels.csv").write_text("Participant,Time(sec),Label\n")
    (folder / "e4" / "S02.zip").write_bytes(b"PK\x03\x04 cut")
    code, line = _error(capsys, "evaluate", *STRESS, "--data", folder, "--bundle", bundle)
    assert code == 4
    assert "S02" in line


def test_watch_file_is_named_when_it_is_cut(capsys, tmp_path, bundle):
    for sensor in ("accel", "gyro"):
        text = "1600,A,1000000000,0.1,0.2,0.3;\n1600,A,10"
        (tmp_path / f"data_1600_{sensor}_watch.txt").write_text(text)
    code, line = _error(capsys, "evaluate", *GAIT, "--data", tmp_path, "--bundle", bundle)
    assert code == 4
    assert "1600" in line


@pytest.mark.parametrize("verb", ["evaluate", "loso"])
def test_option_is_refused_when_it_is_unknown_or_missing(capsys, verb):
    for words in ([*STRESS], [*STRESS, "--data", "x", "--protocol", "later"], ["--task", "sleep"]):
        with pytest.raises(SystemExit) as left:
            main([verb, *words])
        assert left.value.code == 2
    capsys.readouterr()


@pytest.mark.parametrize("window_s", ["0", "-60", "nan", "5"])
def test_window_is_refused_when_no_feature_fits_in_it(capsys, tmp_path, bundle, window_s):
    words = ["--data", tmp_path, "--bundle", bundle, "--window-s", window_s]
    code, line = _error(capsys, "evaluate", *STRESS, *words)
    assert code == 2
    assert "--window-s" in line
