"""``signet explain`` on a simulated day, of which every answer was really given."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from command import Wearer, one_line


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Wearer:
    wearer = Wearer(tmp_path_factory.mktemp("lived"))
    wearer.signet("run", "--device", "synthetic:?seed=7&scenario=day&hours=2").check()
    return wearer


def test_every_answer_is_scored_again_to_what_was_said(lived: Wearer) -> None:
    stretches = lived.signet("explain", "--list", "--json").check().json
    assert len(stretches) >= 2
    for row in stretches:
        account = lived.signet("explain", str(row["number"]), "--json").check().json
        score = account["score"]
        assert score["is_exact"], account["event"]
        assert account["event"]["utc"] == row["peak_utc"]
        assert score["p_stress"] == pytest.approx(account["event"]["p_personal"], abs=5e-4)


def test_learned_answer_rests_on_the_labels_it_was_learned_from(lived: Wearer) -> None:
    account = lived.signet("explain", "--json").check().json
    assert account["event"]["adapter"] == 1
    support = account["score"]["support"]
    assert support["is_exact"]
    labelled = lived.signet("label", "--list", "--json").check().json
    given = {(row["label"], row["start_utc"]) for row in labelled}
    told = [(row["label"], row["start_utc"]) for row in support["labels"]]
    assert set(told) <= given
    assert len(told) >= 4
    effects = [abs(row["effect"]) for row in support["labels"]]
    assert effects == sorted(effects, reverse=True)
    assert effects[0] > 0.05
    assert all(0 <= row["alike"] <= 1 for row in support["labels"])
    told = lived.signet("explain").check().out
    assert "labels of yours" in told
    assert "log-odds that the answer would lose" in told


def test_label_taken_back_is_noticed(lived: Wearer) -> None:
    lived.signet("label", "--remove", "1").check()
    assert not lived.signet("explain", "--json").check().json["score"]["support"]["is_exact"]
    assert "labels have changed since" in lived.signet("explain").check().out


def test_latest_stress_is_told_in_words(lived: Wearer) -> None:
    told = lived.signet("explain").check().out
    assert "above the line" in told
    for signal in ("pulse", "skin", "temperature", "movement", "Single measures"):
        assert signal in told


def test_window_without_an_answer_says_why(lived: Wearer) -> None:
    first = lived.signet("explain", "--list", "--json").check().json[0]
    # The first minutes of the day, before there was anything to compare with.
    morning = str(first["start_utc"] - 330)
    assert "no baseline" in lived.signet("explain", morning).check().out


def test_clock_time_is_of_the_newest_day_that_has_it(lived: Wearer) -> None:
    first = lived.signet("explain", "--list", "--json").check().json[0]
    peak = datetime.fromtimestamp(first["peak_utc"])
    done = lived.signet("explain", f"{peak:%H:%M:%S}", "--json").check()
    assert done.json["event"]["utc"] == pytest.approx(first["peak_utc"], abs=1.5)
    assert f"the newest day with one is {peak:%Y-%m-%d}" in done.err
    night = (peak + timedelta(hours=12)).strftime("%H:%M")
    none = lived.signet("explain", night)
    assert none.code == 4
    assert f"{datetime.now():%Y-%m-%d}T{night}" in one_line(none)


def test_impossible_moments_are_one_line(
    lived: Wearer, tmp_path_factory: pytest.TempPathFactory
) -> None:
    for asked, code, says in (
        ("999", 2, "--list"),
        ("yesterday", 2, "ISO 8601"),
        ("1e300", 4, "got 1e+300"),
        ("2020-01-01T00:00:00Z", 4, "--list"),
    ):
        done = lived.signet("explain", asked)
        assert done.code == code
        assert says in one_line(done)
    both = lived.signet("explain", "--list", "3")
    assert both.code == 2
    assert "either EVENT or --list" in one_line(both)
    nobody = Wearer(tmp_path_factory.mktemp("nobody"))
    assert nobody.signet("explain").code == 7
    nobody.signet("label", "rest", "--last", "5m").check()
    assert "nothing was scored yet" in one_line(nobody.signet("explain"))
