"""``signet label`` as a wearer meets it."""

from __future__ import annotations

from pathlib import Path

import pytest
from command import Wearer, one_line


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--last", "13h"), "12 h"),
        (("--last", "9" * 400 + "h"), "a time"),
        (("--from", "nan"), "a time"),
        (("--from", "inf"), "a time"),
        (("--from", "5"), "2000-01-01"),
        (("--from", "1e15"), "future"),
    ],
)
def test_impossible_time_is_one_line(wearer: Wearer, options: tuple[str, str], says: str) -> None:
    done = wearer.signet("label", "rest", *options)
    assert done.code == 4
    assert says in one_line(done)
    assert not wearer.state.exists()


def test_label_is_listed_and_taken_back(wearer: Wearer) -> None:
    assert "1 label stored" in wearer.signet("label", "rest", "--last", "5m").check().err
    contradiction = wearer.signet("label", "stress", "--last", "2m")
    assert contradiction.code == 4
    assert "contradicts rest" in one_line(contradiction)
    listed = wearer.signet("label", "--list", "--json").check().json
    assert [(row["number"], row["label"]) for row in listed] == [(1, "rest")]
    beyond = wearer.signet("label", "--remove", "2")
    assert beyond.code == 4
    assert "--list" in one_line(beyond)
    assert "1 label removed" in wearer.signet("label", "--remove", "1").check().err
    assert "0 labels" in wearer.signet("label", "--list").check().err
    wearer.signet("label", "stress", "--last", "2m").check()


def test_file_with_one_contradiction_stores_nothing(wearer: Wearer, tmp_path: Path) -> None:
    wearer.signet("label", "stress", "--from", "1700000000", "--to", "1700000600").check()
    file = tmp_path / "labels.csv"
    rows = ["1690000000,1690000600,rest", "1700000500,1700000900,rest"]
    file.write_text("\n".join(["start_utc,end_utc,label", *rows]))
    done = wearer.signet("label", "--file", file)
    assert done.code == 4
    one_line(done)
    assert len(wearer.signet("label", "--list", "--json").check().json) == 1
