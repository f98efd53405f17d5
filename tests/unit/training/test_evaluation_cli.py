"""Every bad input of `evaluate` and `loso` is one line and an exit code, before any long work."""

from __future__ import annotations

import zipfile

import numpy as np
import pytest

from firmware_host.errors import DataError
from tests.bundles import seal, write_bundle
from training.ablation.gait import require_enough as require_enough_to_ablate
from training.cli import main
from training.gait import evaluate as gait_evaluate
from training.gait.left_out import Plan, require_enough
from training.gait.people import Person

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


SETS = {
    "stress": ["--task", "stress", "--dataset", "stress-predict"],
    "gait": ["--task", "gait", "--dataset", "wisdm-watch"],
}


@pytest.mark.parametrize(
    ("verb", "task", "option", "value"),
    [
        ("evaluate", "gait", "--seed", "-1"),
        ("evaluate", "gait", "--seed", "x"),
        ("loso", "stress", "--seed", "-1"),
        ("loso", "gait", "--seed", str(2**40)),
        ("loso", "gait", "--folds", "0"),
        ("loso", "gait", "--folds", "1"),
        ("loso", "gait", "--partitions", "0"),
    ],
)
def test_number_is_refused_when_nothing_can_be_done_with_it(capsys, verb, task, option, value):
    with pytest.raises(SystemExit) as left:
        main([verb, *SETS[task], "--data", "nowhere", option, value])
    assert left.value.code == 2
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert f"argument {option}: expected a whole number from" in last
    assert value in last


@pytest.mark.parametrize("task", ["stress", "gait"])
def test_ablation_refuses_a_seed_below_zero_and_one_fold(capsys, task):
    for option, value in (("--seed", "-1"), ("--folds", "1")):
        with pytest.raises(SystemExit) as left:
            main(["ablate", "--task", task, "--data", "nowhere", option, value])
        assert left.value.code == 2
        assert f"argument {option}: expected a whole number" in capsys.readouterr().err


@pytest.mark.parametrize("verb", ["evaluate", "loso"])
def test_one_file_for_two_results_is_refused(capsys, tmp_path, verb):
    (tmp_path / "here").mkdir()
    places = ["--json", tmp_path / "out", "--html", tmp_path / "here" / ".." / "out"]
    code, line = _error(capsys, verb, *STRESS, "--data", tmp_path, *places)
    assert code == 2
    assert "--html: expected another file than that of --json" in line


def test_ablation_refuses_one_file_for_two_results(capsys, tmp_path):
    places = ["--markdown", tmp_path / "out", "--html", tmp_path / "out"]
    code, line = _error(capsys, "ablate", "--task", "gait", "--data", tmp_path, *places)
    assert code == 2
    assert "--html: expected another file than that of --markdown" in line


def _walkers(n, n_still=0):
    still = [Person(f"made-up/s{i}", [], None, "") for i in range(n_still)]
    return [*(Person(f"made-up/{i}", [], np.zeros(3), "") for i in range(n)), *still]


@pytest.mark.parametrize(("n", "n_folds", "needed"), [(8, 3, 9), (9, 5, 10), (11, 2, 12)])
def test_people_are_counted_before_anything_is_trained(n, n_folds, needed):
    require_enough(_walkers(needed), Plan(n_folds))
    with pytest.raises(DataError, match=f"expected {needed} or more people who walk.*got {n} "):
        require_enough(_walkers(n, n_still=3), Plan(n_folds))


def test_ablation_counts_people_before_anything_is_trained():
    enough = {"wisdm-watch": _walkers(6), "motionsense": _walkers(6)}
    require_enough_to_ablate(enough, n_folds=3)
    with pytest.raises(DataError, match=r"expected 6 .* in motionsense, .*, got 3"):
        require_enough_to_ablate({**enough, "motionsense": _walkers(3, 4)}, n_folds=3)


@pytest.mark.parametrize(
    ("task", "there", "missing"),
    [
        ("stress", "stress-predict", "physionet-stress-exercise"),
        ("gait", "wisdm-watch", "motionsense"),
    ],
)
def test_ablation_names_the_data_set_that_is_missing(capsys, tmp_path, task, there, missing):
    (tmp_path / there).mkdir()
    code, line = _error(capsys, "ablate", "--task", task, "--data", tmp_path)
    assert code == 4
    assert f"expected both {there} and {missing}" in line
    assert line.endswith(f"got no {missing}")


def test_note_says_where_the_reference_is_when_there_is_none(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr(
        "training.gait.cadence_figures.cadence_figures",
        lambda _dir: {"participants": [], "reasons": {"cadence_mae_spm": "no data.mat"}},
    )
    gait_evaluate.run_evaluate(tmp_path, "mobgap-lab")
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("note: no cadence to compare with: no data.mat")
    assert "docs/studies/cadence.md" in line


@pytest.mark.parametrize("is_filed", [True, False])
def test_standard_output_is_indented_when_it_is_all_there_is(
    capsys, monkeypatch, tmp_path, is_filed
):
    monkeypatch.setattr(gait_evaluate, "run", lambda _arguments: {"eer_5s": 0.1, "n_people": 3})
    more = ["--json", str(tmp_path / "out.json")] if is_filed else []
    assert main(["evaluate", *GAIT, "--data", str(tmp_path), *more]) == 0
    n_lines = len(capsys.readouterr().out.splitlines())
    assert n_lines == (1 if is_filed else 4)
