"""Results onto the disk: refused early, written whole, and as strict JSON."""

from __future__ import annotations

import argparse
import json

import numpy as np
import pytest

from firmware_host.errors import ConfigError
from training.evaluation.command import add_common, check_output, finish
from training.evaluation.output import plain, write_json, write_text


def _arguments(*words):
    parser = argparse.ArgumentParser()
    add_common(parser)
    return parser.parse_args([str(word) for word in words])


@pytest.mark.parametrize("option", ["--json", "--html"])
def test_place_is_refused_before_the_work_when_its_folder_is_missing(tmp_path, option):
    with pytest.raises(ConfigError, match=f"{option}: expected a file in a folder that exists"):
        check_output(_arguments(option, tmp_path / "no" / "out"))


def test_place_is_refused_when_it_is_a_folder(tmp_path):
    with pytest.raises(ConfigError, match="a file to write"):
        check_output(_arguments("--json", tmp_path))


def test_what_is_not_known_is_null_when_written(tmp_path):
    result = {"a": np.float64("nan"), "b": np.array([1.0, np.inf]), "c": (np.int64(3), None)}
    write_json(tmp_path / "out.json", plain(result))
    assert json.loads((tmp_path / "out.json").read_text()) == {
        "a": None,
        "b": [1.0, None],
        "c": [3, None],
    }


def test_old_result_stays_when_the_new_one_cannot_be_written(tmp_path):
    path = tmp_path / "out.json"
    write_text(path, "old")
    with pytest.raises(ValueError, match="JSON compliant"):
        write_json(path, {"a": float("nan")})
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["out.json"]


def test_link_stays_and_its_target_is_written_when_the_path_is_a_link(tmp_path):
    (tmp_path / "real.json").write_text("old")
    (tmp_path / "out.json").symlink_to(tmp_path / "real.json")
    write_text(tmp_path / "out.json", "new")
    assert (tmp_path / "out.json").is_symlink()
    assert (tmp_path / "real.json").read_text() == "new"


def test_standard_output_leaves_the_people_out_when_there_is_a_file(tmp_path):
    result = {"balanced_accuracy": 0.7, "participants": [{"id": "a"}]}
    arguments = _arguments("--json", tmp_path / "o.json", "--html", tmp_path / "o.html")
    shown = finish(arguments, result, lambda known: f"page of {known['balanced_accuracy']}")
    assert shown == {"balanced_accuracy": 0.7}
    assert json.loads((tmp_path / "o.json").read_text()) == result
    assert (tmp_path / "o.html").read_text() == "page of 0.7"
    assert finish(_arguments(), result, lambda _: "") == result
