"""Printed lines to samples: rates, bursts, columns, clocks, damage."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from firmware_host.errors import LinkError
from firmware_host.transport import text_layout, text_receiver
from firmware_host.transport.text_layout import Column, Wishes
from tests.unit.transport.printing import START_UTC, hear, plain, printed, stamped

MILLIS_WRAP = 1 << 32


@pytest.mark.parametrize("rate_hz", [0.2, 0.5, 1.0, 2.0, 10.0, 25.0, 50.0, 52.0, 104.0, 1000.0])
@pytest.mark.parametrize("burst_s", [0.0, 0.016, 0.25, 1.0])
def test_rate_is_found_and_every_line_gets_its_time(rate_hz: float, burst_s: float) -> None:
    for_s = max(20.0, 40.0 / rate_hz) if rate_hz < 100 else 15.0
    heard = hear(printed(rate_hz, for_s, burst_s=burst_s))
    assert heard.hellos[0].channels[0].rate_hz == pytest.approx(rate_hz, rel=0.005)
    # All but the first, of which the port may have seen the end only.
    numbers = heard.values("ch2")
    assert numbers == [float(n) for n in range(1, round(rate_hz * for_s))]
    errors_s = [t - (n - 1) / rate_hz for t, n in zip(heard.times_s("ch2"), numbers, strict=True)]
    # A grid in steps of the bursts is all that bursts of a line or two tell.
    assert max(map(abs, errors_s)) < 0.03 + 0.25 * burst_s / max(1.0, burst_s * rate_hz)
    assert not heard.told("pause")
    assert not heard.told("gap")


def test_first_lines_keep_their_own_arrival_and_blocks_wait_for_nothing() -> None:
    deliveries = printed(1.0, 12.0, jitter_s=0.0)
    heard = hear(deliveries)
    assert [c.arrival_utc for c in heard.chunks] == [at for at, _ in deliveries[1:]]
    assert heard.assembler.utc(0.0) == pytest.approx(START_UTC + 1.0, abs=0.01)


def test_a_delivery_is_handed_on_a_tenth_of_a_second_after_its_first_line() -> None:
    heard = hear(printed(1.0, 10.0, jitter_s=0.0))
    receiver = heard.receiver
    assert receiver.feed(b"0.5,77\n", START_UTC + 100.0) == []
    assert receiver.flush(START_UTC + 100.09) == []
    assert len(receiver.flush(START_UTC + 100.11)) == 1


@given(st.data())
def test_any_cut_of_the_bytes_gives_the_same_chunks(data) -> None:
    lines = st.sampled_from(
        ["{t},{n}", "{t},{n},", "boot", "{t},nan", "a,b", "{t},{n},{n}", "\x01"]
    )
    texts = data.draw(st.lists(lines, min_size=40, max_size=60))
    deliveries = printed(10.0, len(texts) / 10, lambda t, n: texts[n].format(t=round(t, 3), n=n))
    wishes = Wishes((Column("t_s"), Column("x")) if data.draw(st.booleans()) else ())
    cut = []
    for arrival_utc, piece in deliveries:
        at = sorted(data.draw(st.lists(st.integers(0, len(piece)), max_size=3)))
        edges = [0, *at, len(piece)]
        cut += [(arrival_utc, piece[a:b]) for a, b in itertools.pairwise(edges)]
    try:
        expected = hear(deliveries, wishes)
    except LinkError as err:
        with pytest.raises(LinkError, match=str(err)):
            hear(cut, wishes)
        return
    got = hear(cut, wishes)
    assert got.chunks == expected.chunks
    assert got.receiver.counters == expected.receiver.counters


def test_names_and_units_come_from_the_url_before_header_before_pairs() -> None:
    said = Wishes(
        (Column("t_ms"), Column("acc.x"), Column("acc.y"), Column("acc.z"), Column("-")),
        {"acc": "m/s2"},
    )
    line = lambda t, n: f"{t * 1000:.0f},{n},{n + 1},{n + 2},7"  # noqa: E731
    channels = hear(printed(50, 5, line), said).hellos[0].channels
    assert [(c.name, c.unit, c.axes) for c in channels] == [("acc", "m/s2", 3)]

    lines = ["a_x[g],a_y[g],a_z[g],eda (uS)", *["1,2,3,4"] * 100]
    deliveries = printed(20, 5, lambda _, n: lines[n])
    found = [(c.name, c.unit, c.axes) for c in hear(deliveries).hellos[0].channels]
    assert found == [("a", "g", 3), ("eda", "uS", 1)]

    deliveries = printed(20, 5, lambda _, n: f"temp:{n} hum:{n}")
    found = [(c.name, c.unit) for c in hear(deliveries).hellos[0].channels]
    assert found == [("temp", "unknown"), ("hum", "unknown")]

    deliveries = printed(20, 5, lambda _, n: f"{n};{n};{n}")
    assert [c.name for c in hear(deliveries).hellos[0].channels] == ["ch1", "ch2", "ch3"]


def test_two_columns_of_one_name_are_told_apart() -> None:
    lines = ["v,v", *["1,2"] * 100]
    channels = hear(printed(20, 5, lambda _, n: lines[n])).hellos[0].channels
    assert [c.name for c in channels] == ["1-v", "2-v"]


@pytest.mark.parametrize(
    ("wishes", "words"),
    [
        (Wishes((Column("a"),)), "the URL names 1 columns, the board prints 2"),
        (Wishes(units={"acc": "g"}), "the URL gives a unit of acc, the board has ch1, ch2"),
        (Wishes((Column("-"), Column("t_ms"))), "expected 1 to 32 channels, got 0"),
    ],
)
def test_a_url_that_does_not_fit_the_board_is_one_line(wishes: Wishes, words: str) -> None:
    with pytest.raises(LinkError, match=words):
        hear(printed(20, 5), wishes)


def test_values_are_kept_to_the_digit() -> None:
    texts = ["9.80665,-0.00012", "213.12501,3e-4", "-7,2.5", "0.1,100"] * 30
    heard = hear(printed(20, 6, lambda _, n: texts[n]))
    expected = [list(map(float, text.split(","))) for text in texts[1:]]
    assert heard.values("ch1") == pytest.approx([x for x, _ in expected], abs=1e-9)
    assert heard.values("ch2") == pytest.approx([y for _, y in expected], abs=1e-9)


def test_a_number_out_of_all_proportion_is_counted_and_skipped() -> None:
    heard = hear(printed(20, 6, lambda _, n: f"{n / 1000:.6f}" if n != 100 else "9999.5"))
    assert heard.receiver.counters.out_of_range == 1
    assert len(heard.values("ch1")) == 118


def test_a_declared_rate_is_announced_and_checked_against_the_lines() -> None:
    heard = hear(printed(20.0, 70.0), Wishes(rate_hz=25.0))
    assert heard.hellos[0].channels[0].rate_hz == 25.0
    (note,) = heard.told("rate")
    assert note.detail["is_off"] == 1
    assert note.detail["measured_hz"] == pytest.approx(20.0, rel=0.01)
    assert not heard.told("pause")


def test_garbage_is_skipped_and_shows_as_what_the_board_dropped() -> None:
    def line(_t_s: float, n: int) -> str:
        bad = {100: "boot: brown-out", 120: "1", 121: "1,2,3", 140: "nan,1", 160: "\x07\x02"}
        return bad.get(n, plain(_t_s, n))

    heard = hear(printed(50, 10, line))
    assert heard.values("ch2") == [n for n in range(1, 500) if n not in (100, 120, 121, 140, 160)]
    counters = heard.receiver.counters
    assert (counters.words, counters.columns, counters.not_finite, counters.binary) == (1, 2, 1, 1)
    # Those before the first block came before anybody listened.
    assert heard.blocks[-1].dropped == 5


def test_without_a_clock_of_its_own_a_pause_is_known_by_time() -> None:
    before = printed(50, 10)
    after = printed(50, 10, start_s=14.0, first=500)
    heard = hear([*before, *after])
    (pause,) = heard.told("pause")
    assert pause.detail["missing_samples"] == pytest.approx(4 * 50, abs=5)
    assert heard.values("ch2") == [float(n) for n in range(1, 1000)]


def test_a_stall_that_is_delivered_late_is_no_pause() -> None:
    deliveries = printed(50, 20)
    late = [(max(at, START_UTC + 12.0) if at - START_UTC > 9 else at, d) for at, d in deliveries]
    heard = hear(late)
    assert not heard.told("pause")
    assert len(heard.values("ch2")) == 999


def test_the_hosts_clock_set_back_moves_no_sample() -> None:
    deliveries = printed(50, 20)
    stepped = [(at - 3600.0 if at - START_UTC > 10 else at, data) for at, data in deliveries]
    heard = hear(stepped)
    times_s = heard.times_s("ch2")
    assert len(times_s) == 999
    assert max(abs(t - i / 50) for i, t in enumerate(times_s)) < 0.05


def test_the_boards_own_clock_says_exactly_which_lines_are_missing() -> None:
    deliveries = printed(50, 10, stamped(1e-3), burst_s=0.25)
    holes = {200, 201, 202, 300}
    kept = [
        (at, b"".join(x for x in data.splitlines(True) if int(x.split(b",")[1]) not in holes))
        for at, data in deliveries
    ]
    heard = hear(kept, Wishes((Column("t_ms"), Column("x"))))
    assert [gap.detail["missing_samples"] for gap in heard.told("gap")] == [3, 1]
    values = heard.values("x")
    assert values == [n for n in range(1, 500) if n not in holes]
    times_s = heard.times_s("x")
    assert [t - times_s[0] for t in times_s] == pytest.approx([(n - 1) / 50 for n in values])


def test_an_uneven_board_has_no_holes() -> None:
    line = lambda t, n: f"{t * 1000 + 400 * math.sin(7.0 * n):.0f},{n}"  # noqa: E731
    heard = hear(printed(1.0, 60.0, line), Wishes((Column("t_ms"), Column("x"))))
    assert not heard.told("gap")


def test_millis_wrap_and_stream_time_goes_on() -> None:
    start = MILLIS_WRAP - 5000
    line = lambda t, n: f"{(start + round(t * 1000)) % MILLIS_WRAP},{n}"  # noqa: E731
    heard = hear(printed(50, 10, line), Wishes((Column("t_ms"), Column("x"))))
    assert len(heard.hellos) == 1
    assert heard.times_s("x")[-1] == pytest.approx(498 / 50, abs=0.002)
    assert not heard.told("gap")


def test_micros_wrap_with_the_wires_own_ticks() -> None:
    start = MILLIS_WRAP - 5_000_000
    line = lambda t, n: f"{(start + round(t * 1e6)) % MILLIS_WRAP},{n}"  # noqa: E731
    heard = hear(printed(100, 10, line), Wishes((Column("t_us"), Column("x"))))
    assert heard.told("clock_wrap")
    assert heard.times_s("x")[-1] == pytest.approx(998 / 100, abs=0.002)


def test_a_reboot_begins_a_session() -> None:
    before = printed(50, 10, stamped(1e-3))
    after = printed(50, 5, stamped(1e-3), start_s=12.0, first=500)
    heard = hear([*before, *after], Wishes((Column("t_ms"), Column("x"))))
    assert len(heard.hellos) == 2
    assert heard.hellos[0].session != heard.hellos[1].session
    assert heard.hellos[0].channels == heard.hellos[1].channels
    assert heard.told("reboot")
    assert heard.values("x") == [float(n) for n in range(1, 750)]
    assert heard.receiver.counters.bad_time == 0


@pytest.mark.parametrize("wrong", ["7", "9999999999"])
def test_one_damaged_time_is_no_reboot(wrong: str) -> None:
    line = lambda t, n: f"{wrong if n == 300 else round(t * 1000)},{n}"  # noqa: E731
    heard = hear(printed(50, 10, line), Wishes((Column("t_ms"), Column("x"))))
    assert len(heard.hellos) == 1
    assert heard.receiver.counters.bad_time == 1
    assert [gap.detail["missing_samples"] for gap in heard.told("gap")] == [1]


def test_the_next_connection_knows_the_board_at_its_first_line() -> None:
    first = hear(printed(50, 10))
    again = hear(printed(50, 1, start_s=100.0), before=first.receiver)
    assert again.hellos[0].channels == first.hellos[0].channels
    assert len(again.values("ch2")) == 49
    assert again.receiver.counters.readings == 499 + 49

    other = hear(printed(20, 10, lambda _, n: f"{n},1,2", start_s=200.0), before=first.receiver)
    assert [c.rate_hz for c in other.hellos[0].channels] == [20.0] * 3


_TEXT = st.one_of(
    st.binary(max_size=30),
    st.tuples(st.floats(), st.integers(-5, 2**33)).map(lambda x: f"{x[0]},{x[1]}\n".encode()),
    st.tuples(st.integers(-9, 9), st.integers(0, 2**32)).map(lambda x: f"{x[0]},{x[1]}\n".encode()),
)


@given(
    st.lists(st.tuples(st.floats(-2.0, 20.0), _TEXT), max_size=60),
    st.sampled_from([(), ("x", "t_ms"), ("x", "t_us"), ("x", "t_s")]),
)
@example([(0.0, b"\n0,0\n"), (0.0, b"0,0\n"), (1.0, b"0,0\n"), (2.0, b"0,3\n")], ("x", "t_ms"))
@example([(0.0, b"\n0\n0"), (1.0, b"\n"), (2.0, b"1e-310\n")], ())
def test_whatever_comes_whenever_it_ends_in_frames_that_parse_or_in_our_own_error(
    pieces, names
) -> None:
    now_utc, deliveries = START_UTC, []
    for wait_s, data in pieces:
        now_utc += wait_s
        deliveries.append((now_utc, data))
    try:
        heard = hear(deliveries, Wishes(tuple(map(Column, names))))
    except LinkError:
        return
    assert len(heard.values("x" if names else "ch1")) <= heard.receiver.counters.readings
    assert all(chunk.data for chunk in heard.chunks)


@pytest.mark.parametrize(
    "name", ["a" + " " * 900 + "(x[", "a b" * 300 + "(", "a" + " a" * 450 + "(", "a[b" + " " * 900]
)
def test_header_made_to_be_read_in_many_ways_is_read_once(name: str) -> None:
    lines = [f"{name};b", *["1;2"] * 100]
    heard = hear(printed(20, 5, lambda _, n: lines[n]))
    assert [c.name for c in heard.hellos[0].channels][1:] == ["b"]


def test_units_of_a_header_are_printable() -> None:
    lines = ["a[\u202euS],b[\u00b5S]", *["1,2"] * 100]
    channels = hear(printed(20, 5, lambda _, n: lines[n])).hellos[0].channels
    assert [c.unit for c in channels] == ["\\u202euS", "\u00b5S"]


def test_clock_column_with_an_impossible_rate_is_one_line() -> None:
    with pytest.raises(LinkError, match=r"expected lines at 0.001 Hz to 1 MHz by t_s, got 0.0005"):
        hear(printed(50, 30, lambda _, n: f"{n * 2000},{n}"), Wishes((Column("t_s"), Column("x"))))


def test_lines_that_wait_are_bounded_and_those_too_many_are_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(text_receiver, "MOST_WAITING", 400)
    n = 0
    # A clock that stands still says no rate, so that everything waits.
    receiver = text_receiver.TextReceiver("b", Wishes((Column("t_ms"), Column("x"))))
    for k in range(300):
        lines = b"".join(b"7,%d\n" % (n + i) for i in range(20))
        n += 20
        assert receiver.feed(lines, START_UTC + 0.11 * k) == []
    receiver.finish()
    assert receiver.n_rows <= 400
    # The very first line is never a reading.
    assert receiver.n_rows + receiver.counters.early == n - 1
    assert receiver.counters.skipped == receiver.counters.early


def test_fast_board_is_known_as_soon_as_no_more_lines_may_wait(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(text_receiver, "MOST_WAITING", 1000)
    heard = hear(printed(1000.0, 5.0, burst_s=0.02))
    assert heard.hellos[0].channels[0].rate_hz == pytest.approx(1000.0, rel=0.03)
    assert heard.receiver.counters.early == 0
    assert heard.values("ch2") == [float(n) for n in range(1, 5000)]


def test_what_waits_is_not_read_again_with_every_delivery(monkeypatch: pytest.MonkeyPatch) -> None:
    n_read = 0

    def lay_out(rows, *args):
        nonlocal n_read
        n_read += len(rows)
        return text_layout.lay_out(rows, *args)

    monkeypatch.setattr(text_receiver, "lay_out", lay_out)
    # Numbers too uneven to tell a rate from keep it waiting to the end.
    monkeypatch.setattr(text_receiver, "pace_of_arrivals", lambda _: None)
    deliveries = printed(500.0, 30.0, burst_s=0.02)
    heard = hear(deliveries)
    assert not heard.chunks
    assert n_read < 40 * heard.receiver.n_rows
