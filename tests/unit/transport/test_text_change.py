"""A board that prints other columns while it runs: it is said, and taken up when it lasts."""

from __future__ import annotations

import pytest

from firmware_host.transport.text_layout import Column, Wishes
from tests.unit.transport.printing import START_UTC, Delivery, Heard, hear, plain, printed


def three(_t_s: float, n: int) -> str:
    return f"{n},{n}.5,7"


def changing(
    for_s: float = 10.0, *, before=plain, after=three, rate_hz: float = 50.0
) -> list[Delivery]:
    """Ten seconds of one kind of lines, then others."""
    first = round(10 * rate_hz)
    return [
        *printed(rate_hz, 10.0, before),
        *printed(rate_hz, for_s, after, start_s=10.0, first=first),
    ]


def told(heard: Heard) -> list[tuple[float, str]]:
    return [(note.utc - START_UTC, note.text) for note in heard.receiver.take_notes()]


@pytest.mark.parametrize("rate_hz", [1.0, 50.0, 400.0])
def test_other_columns_that_last_are_a_new_session_and_no_line_of_them_is_lost(rate_hz) -> None:
    for_s = max(10.0, 40.0 / rate_hz)
    heard = hear(changing(for_s, rate_hz=rate_hz))
    (first_s, first), (second_s, second) = told(heard)
    assert first == "the board prints 3 columns now, 2 were expected: its lines are skipped"
    assert first_s - 10.0 < max(2.0, 3.0 / rate_hz)
    assert second == "the board's 3 columns are taken up as a new session"
    assert second_s - 10.0 < max(3.0, 21.0 / rate_hz)
    one, two = heard.hellos
    assert one.session != two.session
    assert [channel.name for channel in two.channels] == ["ch1", "ch2", "ch3"]
    assert two.channels[0].rate_hz == pytest.approx(rate_hz, rel=0.01)
    assert len(heard.told("reboot")) == 1
    n_all = round(rate_hz * (10.0 + for_s))
    assert heard.values("ch3") == [7.0] * round(rate_hz * for_s)
    assert heard.receiver.counters.columns == 0
    assert heard.receiver.counters.readings == n_all - 1
    assert heard.receiver.trouble == ""


def test_columns_of_the_url_stay_and_it_is_said_why_nothing_comes() -> None:
    heard = hear(changing(70.0), Wishes((Column("a"), Column("b"))))
    assert len(heard.hellos) == 1
    assert heard.receiver.counters.columns == 70 * 50
    texts = told(heard)
    # And once more after a minute.
    assert [text for _, text in texts] == [
        "the board prints 3 columns now, 2 were asked for: its lines are skipped"
    ] * 2
    why = "lines come but none has the columns that were asked for"
    assert heard.receiver.trouble == why
    assert heard.receiver.feed(b"1.5,7\n", START_UTC + 80.1) == []
    assert len(heard.receiver.flush(START_UTC + 80.3)) == 1
    assert heard.receiver.trouble == ""


def test_a_new_header_names_the_new_columns() -> None:
    after = lambda t, n: "acc[g],eda[uS],temp[degC]" if n == 500 else three(t, n)  # noqa: E731
    heard = hear(changing(after=after))
    found = [(channel.name, channel.unit) for channel in heard.hellos[-1].channels]
    assert found == [("acc", "g"), ("eda", "uS"), ("temp", "degC")]


def test_units_that_the_new_columns_do_not_have_leave_it_at_the_old_ones() -> None:
    heard = hear(
        changing(before=lambda _, n: f"a:{n} b:2", after=lambda _, n: f"c:{n} d:2 e:3"),
        Wishes(units={"b": "uS"}),
    )
    assert len(heard.hellos) == 1
    assert heard.receiver.counters.columns == 500
    assert told(heard)[-1][1].startswith(
        "the board's lines are skipped: the URL gives a unit of b, the board has c, d, e"
    )


def test_a_table_of_a_few_lines_is_a_message() -> None:
    line = lambda t, n: "1,2,3" if 300 <= n < 320 else plain(t, n)  # noqa: E731
    heard = hear(printed(50, 12, line))
    assert len(heard.hellos) == 1
    assert heard.receiver.counters.columns == 20
    assert told(heard) == []


def test_other_names_in_as_many_pairs_are_other_columns() -> None:
    heard = hear(changing(before=lambda _, n: f"a:{n} b:2", after=lambda _, n: f"a:{n} c:2"))
    assert told(heard)[0][1] == "the board prints a,c now, a,b were expected: its lines are skipped"
    assert [channel.name for channel in heard.hellos[-1].channels] == ["a", "c"]


def test_pairs_come_in_any_order() -> None:
    def line(_t_s: float, n: int) -> str:
        return f"temp:{n}.25,acc:{n}" if n % 3 else f"acc:{n},temp:{n}.25"

    heard = hear(printed(50, 10, line))
    assert heard.receiver.counters.columns == 0
    assert heard.values("acc") == [float(n) for n in range(1, 500)]
    assert heard.values("temp") == [n + 0.25 for n in range(1, 500)]
    # The same after a replug that begins the other way round.
    again = hear(printed(50, 2, line, start_s=100.0, first=3), before=heard.receiver)
    assert again.values("temp") == [n + 0.25 for n in range(4, 103)]
