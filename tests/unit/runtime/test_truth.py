"""Label files of any names, and windows inside spans."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_host.errors import LabelError
from firmware_host.runtime.truth import read_truth, span_indices

NAMES = ("rest", "stress")
SPANS = st.lists(
    st.tuples(
        st.integers(0, 300), st.integers(0, 120), st.sampled_from(["rest", "stress", "walk"])
    ),
    max_size=8,
)


def _file(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "truth.csv"
    path.write_text(text)
    return path


def test_labels_of_any_name_are_read(tmp_path: Path) -> None:
    path = _file(tmp_path, "start_utc,end_utc,label\n1.5,2.5,walk\n\n3,4,other_person\n")
    assert read_truth(path) == [(1.5, 2.5, "walk"), (3.0, 4.0, "other_person")]


@pytest.mark.parametrize("row", ["1,2", "1,2,rest,3", "one,2,rest"])
def test_a_damaged_row_is_named(tmp_path: Path, row: str) -> None:
    with pytest.raises(LabelError, match="in row 3"):
        read_truth(_file(tmp_path, f"start_utc,end_utc,label\n1,2,rest\n{row}\n"))


@pytest.mark.parametrize("text", ["", "a,b\n1,2\n"])
def test_another_layout_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(LabelError):
        read_truth(_file(tmp_path, text))


def test_a_missing_file_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(LabelError, match="expected a label file") as caught:
        read_truth(tmp_path / "nowhere.csv")
    assert "\n" not in str(caught.value)


@given(st.lists(st.integers(0, 500), max_size=40), SPANS, st.integers(1, 60))
def test_windows_fall_into_the_first_span_that_holds_them_whole(
    ends: list[int], raw: list[tuple[int, int, str]], length_s: int
) -> None:
    spans = [(float(a), float(a + d), name) for a, d, name in raw]

    def slow(end: float) -> int:
        for idx, (a, b, name) in enumerate(spans):
            if name in NAMES and a <= end - length_s and end <= b:
                return idx
        return -1

    found = span_indices(np.array(ends, dtype=np.float64), float(length_s), spans, NAMES)
    assert found.tolist() == [slow(float(end)) for end in ends]


def test_each_window_may_have_its_own_length() -> None:
    ends, lengths = np.array([100.0, 100.0]), np.array([20.0, 60.0])
    assert span_indices(ends, lengths, [(50.0, 150.0, "rest")], NAMES).tolist() == [0, -1]
