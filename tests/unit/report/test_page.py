"""The whole page: complete, closed in itself, harmless, repeatable, small."""

from __future__ import annotations

import dataclasses
import math
import re
import time
import xml.etree.ElementTree as ET
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_host.report import (
    BeforeAfter,
    Confusion,
    FeatureShift,
    GaitScores,
    HostCost,
    LedgerEntry,
    LedgerScore,
    Privacy,
    ProbabilityTrack,
    ReportData,
    Sent,
    Signal,
    WalkingDay,
    render,
)
from firmware_host.report.model import SECTION_IDS

MakeData = Callable[..., ReportData]
FIGURES = {"days", "timeline", "probability", "outcomes", "gait", "reliability", "baseline"}
HOSTILE = (
    "</title><script>alert(1)</script>\"'&amp; \x00\x1b[31m \u202e\ud800 http://x.example/ ]]>"
)
# What a browser would follow or run. "#id" links inside the page are no fetch.
OUTWARD = re.compile(
    r"<(?:script|iframe|object|embed|link|base|form|img|image|use|audio|video|source)\b"
    r"|\bsrc(?:set|doc)?=|href=\"(?!#)|url\((?!#)|@import|\bon\w+=\"|javascript:",
    re.IGNORECASE,
)


def parsed(page: str) -> ET.Element:
    return ET.fromstring(page.removeprefix("<!DOCTYPE html>\n"))


def figures(page: str) -> list[ET.Element]:
    return [svg for svg in parsed(page).iter("svg") if svg.get("role") == "img"]


def words_of(page: str, section: str) -> str:
    (found,) = (e for e in parsed(page).iter("section") if e.get("id") == section)
    return " ".join("".join(found.itertext()).split())


def rows_of(page: str, section: str) -> set[tuple[str, ...]]:
    (found,) = (e for e in parsed(page).iter("section") if e.get("id") == section)
    return {tuple("".join(cell.itertext()) for cell in row) for row in found.iter("tr")}


def test_every_section_is_there_when_all_is_filled(make_data: MakeData) -> None:
    page = render(make_data())
    assert {e.get("id") for e in parsed(page).iter("section")} == set(SECTION_IDS)
    assert 'class="empty"' not in page


def test_each_empty_section_says_why(make_data: MakeData) -> None:
    page = render(ReportData("t", "w", "s", 0.0, 60.0, empty_reasons={"gait": "No walk today."}))
    for section in parsed(page).iter("section"):
        (line,) = (p for p in section.iter("p") if p.get("class") == "empty")
        assert (line.text or "").endswith(".")
    assert "No walk today." in words_of(page, "gait")


def test_each_figure_is_well_formed_xml_with_title_and_description(make_data: MakeData) -> None:
    found = figures(render(make_data()))
    assert {svg.get("aria-labelledby", "").split("-")[0] for svg in found} == FIGURES
    for svg in found:
        ids = {e.get("id") for e in svg if e.tag in {"title", "desc"} and e.text}
        assert set(svg.get("aria-labelledby", "").split()) == ids


def test_ids_are_unique_and_every_reference_leads_to_one(make_data: MakeData) -> None:
    page = render(make_data())
    ids = [e.get("id") for e in parsed(page).iter() if e.get("id")]
    assert len(ids) == len(set(ids))
    assert set(re.findall(r"(?:url\(|href=\")#([\w-]+)", page)) <= set(ids)


def test_labels_are_counted_in_words(make_data: MakeData) -> None:
    (label,) = make_data().labels
    for n, words in ((0, "; 0 labels by"), (1, "; 1 label by"), (2, "; 2 labels by")):
        page = "".join(parsed(render(make_data(labels=[label] * n))).itertext())
        assert words in page


def test_nothing_points_outside(make_data: MakeData) -> None:
    page = render(make_data())
    assert not OUTWARD.search(page)
    assert "http:" not in page
    assert "https:" not in page
    policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
    assert f'content="{policy.replace(chr(39), "&#39;")}"' in page


def test_hostile_text_stays_text_wherever_it_comes_in(make_data: MakeData) -> None:
    data = make_data()
    span = (data.start_utc, data.end_utc, HOSTILE)
    hostile = dataclasses.replace(
        data,
        title=HOSTILE,
        wearer=HOSTILE,
        source=HOSTILE,
        made_by=HOSTILE,
        facts=[(HOSTILE, HOSTILE)],
        signals=[Signal(HOSTILE, HOSTILE, [data.start_utc], [1.0], note=HOSTILE)],
        labels=[span],
        truth=[span],
        states=[span],
        activities=[span],
        events=[(data.start_utc, HOSTILE)],
        probability=ProbabilityTrack([data.start_utc], [0.5], learned=[(data.start_utc, HOSTILE)]),
        outcomes=[BeforeAfter(HOSTILE, 0.1, 0.2, unit=HOSTILE, n=HOSTILE)],
        outcomes_note=HOSTILE,
        gait=GaitScores([0.5], [0.1], 0.3, truth_from=HOSTILE, probe=HOSTILE),
        confusion=Confusion([HOSTILE], [[1]], [(0.1, 0.2, 3)], HOSTILE),
        baseline=[FeatureShift(HOSTILE, 1.0, unit=HOSTILE)],
        ledger=[
            LedgerEntry(
                0.0,
                HOSTILE,
                HOSTILE,
                HOSTILE,
                HOSTILE,
                HOSTILE,
                [LedgerScore(HOSTILE, 0.1, 0.2, 0.3)],
                data_hash=HOSTILE,
            )
        ],
        privacy=Privacy(
            [Sent(HOSTILE, HOSTILE, 1, 1, HOSTILE)], [HOSTILE], HOSTILE, [(HOSTILE, HOSTILE)]
        ),
        section_notes=dict.fromkeys(SECTION_IDS, HOSTILE),
        link=[(HOSTILE, 1)],
        costs=[HostCost(HOSTILE, 1.0, HOSTILE, note=HOSTILE)],
    )
    page = render(hostile)
    tags = {e.tag for e in parsed(page).iter()}
    assert "script" not in tags
    assert not re.search(r"[\x00-\x08\x0b-\x1f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", page)
    assert "<script" not in page
    page.encode("utf-8")


def test_same_data_gives_the_same_page(make_data: MakeData) -> None:
    data = make_data()
    assert render(data) == render(data)


@pytest.mark.parametrize("hours", [8.0, 24.0])
def test_long_recording_stays_small_and_quick(make_data: MakeData, hours: float) -> None:
    data = make_data(hours=hours)
    start = time.process_time()
    page = render(data)
    assert time.process_time() - start < 1.0
    assert len(page.encode()) < 1_500_000


def test_page_stays_small_when_everything_is_overlong(make_data: MakeData) -> None:
    many = 20_000
    t = [1_790_000_000.0 + 0.09 * i for i in range(many)]
    page = render(
        make_data(
            labels=[(a, a + 0.05, f"label {i} " + "x" * 1000) for i, a in enumerate(t[:2000])],
            events=[(a, "y" * 1000) for a in t],
            not_worn=[(a, a + 0.01) for a in t],
            baseline=[FeatureShift(f"f{i}", 1.0 / (i + 1)) for i in range(2000)],
            ledger=[LedgerEntry(a, "z" * 1000, "z" * 1000, "kept", "z" * 1000) for a in t],
            probability=ProbabilityTrack(t, np.zeros(many), learned=[(a, "n") for a in t]),
        )
    )
    assert len(page.encode()) < 1_500_000
    assert "more rows are not printed" in page


@settings(deadline=None, max_examples=60)
@given(
    values=st.lists(st.floats(), min_size=0, max_size=40),
    numbers=st.lists(st.floats(), min_size=12, max_size=12),
    length_s=st.floats(0.0, 1e6),
)
def test_any_float_anywhere_still_gives_a_readable_page(
    values: list[float], numbers: list[float], length_s: float
) -> None:
    t_utc = [1_790_000_000.0 + 7.0 * i for i in range(len(values))]
    a, b, c, d, e, f, *rest = numbers
    page = render(
        ReportData(
            title="t",
            wearer="w",
            source="s",
            start_utc=1_790_000_000.0,
            end_utc=1_790_000_000.0 + length_s,
            signals=[
                Signal("one", "au", t_utc, values),
                Signal("two", "au", t_utc, values, values, values[::-1]),
                Signal("three", "au", values, values, gaps=[(a, b), (c, d)]),
            ],
            not_worn=[(a, b)],
            labels=[(a, b, "stress"), (1_790_000_000.0, c, "rest")],
            states=[(c, d, "rest")],
            events=[(a, "x"), (1_790_000_000.0, "y")],
            probability=ProbabilityTrack(t_utc, values, values[::-1], a, [(b, "x")]),
            outcomes=[BeforeAfter("x", a, b, (c, d), (e, f), control=c)],
            gait=GaitScores(values, rest, a),
            confusion=Confusion(["r", "s"], [[a, b], [c, d]], [(a, b, 3), (0.1, c, 2)]),
            baseline=[FeatureShift("x", v, a, b) for v in rest],
            ledger=[
                LedgerEntry(1e9, "x", "y", "kept", scores=[LedgerScore("s", a, b, c)], seconds=c)
            ],
            costs=[HostCost("x", a, "MB", b)],
        )
    )
    drawn = " ".join(
        value
        for svg in figures(page)
        for e in svg.iter()
        for key, value in e.items()
        if key != "class"
    )
    assert not re.search(r"\b(?:nan|inf)\b", drawn)


def test_privacy_says_nothing_left_only_beside_evidence(make_data: MakeData) -> None:
    proven = words_of(render(make_data(privacy=Privacy(evidence=["0 sockets"]))), "privacy")
    bare = words_of(render(make_data(privacy=Privacy())), "privacy")
    unknown = words_of(render(make_data(privacy=None)), "privacy")
    assert "Nothing left this host." in proven
    assert "Nothing left this host." not in bare + unknown
    assert "no evidence" in bare
    assert "Not known" in unknown


def test_privacy_counts_what_was_sent(make_data: MakeData) -> None:
    sent = [
        Sent("mqtt://hub", "states", 1200, 3, "2026-09-01"),
        Sent("mqtt://hub", "health", 34, 1),
    ]
    said = words_of(render(make_data(privacy=Privacy(sent, ["counted"]))), "privacy")
    assert "1\u202f234 bytes left this host, to 1 destination." in render(
        make_data(privacy=Privacy(sent))
    )
    assert "none recorded" in said


def test_error_rates_are_counted_at_the_threshold(make_data: MakeData) -> None:
    scores = GaitScores([0.2, 0.5, 0.9, 0.9], [0.1, 0.5, 0.4, 0.3, math.nan], 0.5)
    assert rows_of(render(make_data(gait=scores)), "gait") >= {
        ("Scores", "4", "4"),
        ("Taken for the wearer", "75.0\u202f%", "25.0\u202f%"),
        ("Taken for another", "25.0\u202f%", "75.0\u202f%"),
    }


def test_error_rates_are_not_known_without_a_threshold(make_data: MakeData) -> None:
    rows = rows_of(render(make_data(gait=GaitScores([0.2], [0.1], math.nan))), "gait")
    assert rows >= {("Taken for the wearer", "–", "–"), ("Taken for another", "–", "–")}


def test_scores_of_unknown_walkers_are_decisions_and_nothing_more(make_data: MakeData) -> None:
    scores = GaitScores([], [], 0.5, margin=0.1, unknown=[0.2, 0.45, 0.9, 0.9])
    page = render(make_data(gait=scores))
    assert rows_of(page, "gait") >= {
        ("Decision", "Not known who"),
        ("Taken for the wearer", "50.0\u202f%"),
        ("Not sure", "25.0\u202f%"),
        ("Taken for another", "25.0\u202f%"),
    }
    assert "other people, downwards" not in words_of(page, "gait")
    assert "not checked" in page


def test_probability_is_summed_up_before_and_after_learning(make_data: MakeData) -> None:
    t = [1_790_000_010.0 + 10.0 * i for i in range(4)]
    track = ProbabilityTrack(t, [0.4, 0.6, 0.2, 0.4], [0.4, 0.6, 0.9, 0.7], learned=[(t[2], "x")])
    page = render(make_data(probability=track, truth=[(t[0] - 10, t[3], "stress")]))
    assert rows_of(page, "probability") >= {
        ("stress", "before learning", "2", "0.5", "0.5", "50.0\u202f%", "50.0\u202f%"),
        ("stress", "after learning", "2", "0.3", "0.8", "0.0\u202f%", "100.0\u202f%"),
    }


@pytest.mark.parametrize(
    ("gain_interval", "words"),
    [
        ((-0.02, 0.3), "+0.16, no clear difference"),
        ((math.nan, math.nan), "+0.16, no clear difference"),
        ((0.05, 0.3), "+0.16 better"),
        (None, "+0.16"),
    ],
)
def test_change_is_called_better_only_when_chance_does_not_do_it(
    make_data: MakeData, gain_interval: tuple[float, float] | None, words: str
) -> None:
    row = BeforeAfter("Balanced accuracy", 0.64, 0.80, gain_interval=gain_interval)
    page = render(make_data(outcomes=[row]))
    cell = re.search(r"\+0\.16[^<]*", page)
    assert cell is not None
    assert cell[0] == words


def test_no_line_is_drawn_across_a_gap(make_data: MakeData) -> None:
    start = 1_790_000_000.0
    t = [start + 10.0 * i for i in range(180) if not 99 <= i < 108]
    values = np.full(len(t), 0.5)
    svgs = figures(render(make_data(probability=ProbabilityTrack(t, values, values))))
    for svg in svgs:
        lines = [e for e in svg.iter("path") if (e.get("class") or "").startswith("c-")]
        assert len(lines) in {0, 4}  # two curves, each in two pieces


def test_rare_state_stays_visible_in_a_long_day(make_data: MakeData) -> None:
    start = 1_790_000_000.0
    states = [(start, start + 86_400, "rest"), (start + 40_000, start + 40_010, "stress")]
    page = render(make_data(hours=24.0, states=states))
    pale = [e for e in parsed(page).iter("rect") if e.get("class") == "f-stress pale"]
    assert len(pale) == 2  # one in each of the two drawings


def test_stream_marks_a_silent_channel_and_a_wrong_rate(make_data: MakeData) -> None:
    said = words_of(render(make_data()), "stream")
    assert "silent" in said
    assert "rate off" in said
    assert "with gaps" in said


def test_clock_is_local(make_data: MakeData) -> None:
    # 1 790 000 000 is 2026-09-21 14:13:20 UTC.
    assert "21 September 2026, 16:13 to 16:43, local time (UTC+02:00)" in render(make_data())
    assert "19:43 to 20:13, local time (UTC+05:30)" in render(make_data(tz_offset_s=19_800.0))


def test_walking_is_a_row_a_day_and_what_is_not_known_a_dash(make_data: MakeData) -> None:
    days = [
        WalkingDay("2026-09-21", 3, 1500.0, 2718, 108.6, 101.0, 115.2),
        WalkingDay("2026-09-22", 1, 20.0, 0),
    ]
    page = render(make_data(walking=days))
    found = rows_of(page, "timeline")
    assert ("2026-09-21", "3", "25 min", "2\u202f718", "109", "101 to 115") in found
    assert ("2026-09-22", "1", "20 s", "0", "–", "– to –") in found
    assert "steps on stairs are not counted" in words_of(page, "timeline")
    assert "steps on stairs" not in render(make_data())


def test_last_update_is_of_learning_and_not_of_the_days_rest(make_data: MakeData) -> None:
    data = make_data()
    later = max(entry.t_utc for entry in data.ledger) + 60.0
    rest = LedgerEntry(later, "rest of the day", "–", "done")
    with_jobs = dataclasses.replace(data, ledger=[*data.ledger, rest])
    only_rest = dataclasses.replace(data, ledger=[rest])
    said = [render(one).count("model as shipped") for one in (data, with_jobs, only_rest)]
    assert said[0] == said[1] == said[2] - 1
