"""What a printed line is, however it is cut."""

from __future__ import annotations

from dataclasses import asdict
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_host.transport.text_lines import (
    MAX_LINE_BYTES,
    LineCounters,
    LineReader,
    Row,
    Words,
    parse_line,
)


@pytest.mark.parametrize(
    ("text", "values", "decimals"),
    [
        ("1,2,3", (1, 2, 3), (0, 0, 0)),
        ("0.12, 9.81 ,36.50", (0.12, 9.81, 36.5), (2, 2, 2)),
        ("1\t-2.5\t.5", (1, -2.5, 0.5), (0, 1, 1)),
        ("1;2;3;", (1, 2, 3), (0, 0, 0)),
        ("1,5;2,25", (1.5, 2.25), (1, 2)),
        ("1  2   3", (1, 2, 3), (0, 0, 0)),
        ("512", (512,), (0,)),
        ("1.5e-3,-2E2,+7.", (0.0015, -200, 7), (4, 0, 0)),
        ("1,2,", (1, 2), (0, 0)),
    ],
)
def test_numbers_between_separators_are_a_reading(text, values, decimals) -> None:
    assert parse_line(text) == Row((), values, decimals)


@pytest.mark.parametrize("text", ["t:1.5,h:40", "t:1.5 h:40", "t: 1.5\th: 40", "t:1.5;h:40"])
def test_the_plotters_pairs_carry_their_names(text: str) -> None:
    row = parse_line(text)
    assert isinstance(row, Row)
    assert (row.names, row.values) == (("t", "h"), (1.5, 40.0))


@pytest.mark.parametrize("text", ["nan,1", "1,-inf", "1,NaN,2", "t:nan,h:1", "ovf,1", "1e999,2"])
def test_a_line_that_is_not_finite_is_nothing(text: str) -> None:
    assert parse_line(text) is None


@pytest.mark.parametrize(
    "text",
    ["booting", "1,2x", "0x12,3", "1_000,2", "12:34:56,1", "1,,2", "22.5C", "--1,2", "a b c"],
)
def test_whatever_else_is_words_without_names(text: str) -> None:
    assert parse_line(text) == Words(())


@pytest.mark.parametrize("text", ["ax,ay,az", "acc_x[m/s2]; temp (C)", "t_ms\teda@4Hz"])
def test_names_between_separators_may_be_a_header(text: str) -> None:
    line = parse_line(text)
    assert isinstance(line, Words)
    assert len(line.fields) in (2, 3)


def test_each_kind_is_counted() -> None:
    counters = LineCounters()
    reader = LineReader(counters)
    data = b"4,5\nboot\n1,2\r\na,b\n\n1,nan\n\xff\xfe1\n1,\x002\n" + b"9" * 2000 + b"\n3,4\n7,"
    lines = reader.feed(data)
    assert [line.values for line in lines if isinstance(line, Row)] == [(1, 2), (3, 4)]
    found = {name: n for name, n in asdict(counters).items() if n}
    assert found == {"headers": 1, "words": 1, "not_finite": 1, "binary": 2, "overlong": 1}
    assert counters.skipped == 5


def test_the_first_line_is_never_a_reading_but_may_be_names() -> None:
    reader = LineReader(LineCounters())
    assert reader.feed(b"1,2\n3,4\n") == [Row((), (3, 4), (0, 0))]
    assert LineReader(LineCounters()).feed(b"a,b\n") == [Words(("a", "b"))]


_LINES = st.sampled_from(
    [b"1,2\n", b"3.5,4\r\n", b"boot\n", b"\n", b"nan,1\n", b"a,b\r", b"\x00\x80", b"7" * 700]
)


@given(
    st.lists(st.one_of(_LINES, st.binary(max_size=40)), max_size=30),
    st.lists(st.integers(0, 4000), max_size=12),
)
def test_any_bytes_in_any_pieces_give_the_same_lines_and_counts(parts, cuts) -> None:
    data = b"".join(parts)
    whole, cut = LineCounters(), LineCounters()
    expected = LineReader(whole).feed(data)
    reader, got = LineReader(cut), []
    edges = [0, *sorted(min(cut_at, len(data)) for cut_at in cuts), len(data)]
    for start, end in pairwise(edges):
        got += reader.feed(data[start:end])
        assert len(reader._tail) <= MAX_LINE_BYTES
    assert got == expected
    assert cut == whole
