"""EDF+ as other readers see it, and files that other writers made."""

from __future__ import annotations

import sys
from dataclasses import replace
from datetime import datetime, time
from pathlib import Path

import edfio
import numpy as np
import pyedflib
import pytest

from firmware_host.errors import ConfigError, RecordingError
from firmware_host.recording.edf_reader import EdfReader
from firmware_host.recording.edf_writer import write_edf
from firmware_host.recording.take import Take
from tests.unit.recording.take_fixtures import START_UTC, bare_take, make_take, whole_take


def _write(take: Take, path: Path) -> list[str]:
    return write_edf(take, path, lambda _: None).lost


def test_who_was_recorded_is_x(tmp_path: Path) -> None:
    _write(make_take(), tmp_path / "a.edf")
    head = (tmp_path / "a.edf").read_bytes()
    assert head[8:88].decode().strip() == "X X X X"
    assert head[88:168].decode().strip() == "Startdate 14-NOV-2023 X X X"


def test_continuous_recording_is_edf_c_and_reads_the_same_elsewhere(tmp_path: Path) -> None:
    take, path = whole_take(), tmp_path / "a.edf"
    _write(take, path)
    ours = EdfReader(path).take
    theirs = edfio.read_edf(path)
    assert theirs.reserved == "EDF+C"
    assert theirs.is_continuous
    assert theirs.startdatetime == datetime(2023, 11, 14, 22, 13, 20, 250_000)
    with pyedflib.EdfReader(str(path)) as other:
        assert other.getSignalLabels() == ["bvp", "eda", "temp", "acc_x", "acc_y", "acc_z"]
        assert other.getSampleFrequencies().tolist() == [64, 4, 4, 32, 32, 32]
        # In units of 100 ns; getStartdatetime of version 0.1.42 takes them for another unit.
        assert other.starttime_subsecond == 2_500_000
        assert other.getPhysicalDimension(5) == "m/s2"
        values = [
            track.values(track.pieces[0])[:, axis]
            for track in ours.tracks
            for axis in range(track.channel.axes)
        ]
        for i, mine in enumerate(values):
            assert np.allclose(mine, other.readSignal(i), atol=1e-9)
            assert np.allclose(mine, theirs.signals[i].data, atol=1e-9)
        onsets, durations, texts = other.readAnnotations()
    assert texts.tolist() == [a.text for a in theirs.annotations]
    assert onsets == pytest.approx([a.onset for a in theirs.annotations])
    assert durations[texts.tolist().index("stress")] == pytest.approx(27.125)


def test_recording_with_a_hole_is_edf_d_and_edfio_says_so(tmp_path: Path) -> None:
    _write(make_take(), tmp_path / "a.edf")
    theirs = edfio.read_edf(tmp_path / "a.edf")
    assert theirs.reserved == "EDF+D"
    assert not theirs.is_continuous
    # 0-16 s and 28-40 s are there.
    assert theirs.num_data_records == 28
    gaps = [a for a in theirs.annotations if a.text == "gap bvp"]
    assert [(a.onset, a.duration) for a in gaps] == [(6.0, 0.5)]


def test_missing_samples_stand_at_the_lowest_value(tmp_path: Path) -> None:
    _write(make_take(), tmp_path / "a.edf")
    bvp = edfio.read_edf(tmp_path / "a.edf").get_signal("bvp")
    assert set(bvp.digital[6 * 64 : 6 * 64 + 32].tolist()) == {bvp.digital_min}
    assert (bvp.digital[: 6 * 64] > bvp.digital_min).all()


def test_what_sixteen_bits_cannot_hold_is_said(tmp_path: Path) -> None:
    lost = _write(whole_take(), tmp_path / "a.edf")
    assert any(
        line.startswith("eda: 16 bits hold steps of 4.56e-05 uS, the recording has 1e-06")
        for line in lost
    ), lost
    assert not any(line.startswith(("bvp", "temp", "acc")) for line in lost)


def test_odd_rate_gets_records_of_several_seconds(tmp_path: Path) -> None:
    take = bare_take()
    bvp = take.tracks[0]
    odd = replace(
        bvp,
        channel=replace(bvp.channel, rate_hz=31.2),
        pieces=(replace(bvp.pieces[0], rate_hz=31.2),),
    )
    _write(replace(take, tracks=(odd, *take.tracks[1:])), tmp_path / "a.edf")
    back = EdfReader(tmp_path / "a.edf").take
    assert back.tracks[0].channel.rate_hz == pytest.approx(31.2)
    assert back.tracks[0].n_samples == odd.n_samples


def test_file_by_edfio_opens(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    ecg = edfio.EdfSignal(rng.normal(0, 1, 2560), 256, label="ECG", physical_dimension="mV")
    resp = edfio.EdfSignal(rng.normal(0, 1, 250), 25, label="Resp chest", physical_dimension="%")
    notes = [edfio.EdfAnnotation(1.5, None, "Lights off"), edfio.EdfAnnotation(2, 3, "stress")]
    edf = edfio.Edf([ecg, resp], annotations=notes, starttime=time(1, 2, 3))
    edf.recording = edfio.Recording(startdate=datetime(2020, 1, 2).date())
    edf.write(tmp_path / "a.edf")
    take = EdfReader(tmp_path / "a.edf").take
    assert take.start_utc == 1577926923.0
    assert [(t.channel.name, t.channel.unit, t.channel.rate_hz) for t in take.tracks] == [
        ("ECG", "mV", 256.0),
        ("Resp chest", "%", 25.0),
    ]
    assert np.allclose(take.tracks[0].values(take.tracks[0].pieces[0])[:, 0], ecg.data, atol=1e-6)
    assert take.markers == ((1577926924.5, "Lights off"),)
    assert [(x.t_start_utc, x.t_end_utc, x.label) for x in take.labels] == [
        (1577926925.0, 1577926928.0, "stress")
    ]


def test_plain_edf_by_pyedflib_opens(tmp_path: Path) -> None:
    path = tmp_path / "a.edf"
    writer = pyedflib.EdfWriter(str(path), 1, file_type=pyedflib.FILETYPE_EDF)
    writer.setSignalHeader(
        0,
        {
            "label": "EMG", "dimension": "uV", "sample_frequency": 100, "physical_max": 100.0,
            "physical_min": -100.0, "digital_max": 32767, "digital_min": -32768,
            "transducer": "", "prefilter": "",
        },
    )  # fmt: skip
    writer.setStartdatetime(datetime(2021, 5, 6, 7, 8, 9))
    samples = np.linspace(-90, 90, 1000)
    writer.writeSamples([samples])
    writer.close()
    take = EdfReader(path).take
    assert take.start_utc == 1620284889.0
    assert np.abs(take.tracks[0].values(take.tracks[0].pieces[0])[:, 0] - samples).max() < 0.01


def test_date_taken_away_with_the_name_counts_from_1985(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    signal = edfio.EdfSignal(np.arange(100.0), 10, label="x")
    edf = edfio.Edf([signal], starttime=time(0, 0, 5), annotations=[])
    edf.write(tmp_path / "a.edf")
    assert EdfReader(tmp_path / "a.edf").start_utc == 473385605.0
    assert "no start date" in caplog.text


def test_missing_library_is_named_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _write(whole_take(), tmp_path / "a.edf")
    monkeypatch.setitem(sys.modules, "edfio", None)
    with pytest.raises(ConfigError, match=r"pip install 'signet-wearable\[formats\]'"):
        EdfReader(tmp_path / "a.edf")


def test_record_larger_than_the_standard_allows_is_refused(tmp_path: Path) -> None:
    take = bare_take()
    bvp = take.tracks[0]
    fast = replace(
        bvp,
        channel=replace(bvp.channel, rate_hz=40_000.0),
        pieces=(replace(bvp.pieces[0], rate_hz=40_000.0),),
    )
    with pytest.raises(
        RecordingError, match="at most 61440 bytes of samples and notes in 1 s, got"
    ):
        _write(replace(take, tracks=(fast,)), tmp_path / "a.edf")


def test_first_record_begins_where_the_recording_does(tmp_path: Path) -> None:
    _write(bare_take(), tmp_path / "a.edf")
    assert EdfReader(tmp_path / "a.edf").start_utc == pytest.approx(START_UTC, abs=1e-6)


def _of_notes(notes: list[tuple[float, str]], n_s: int = 360) -> Take:
    """Minutes of one slow channel, with texts at seconds since the start."""
    take = whole_take()
    temp = take.tracks[2]
    raw = np.resize(temp.pieces[0].raw, (4 * n_s, 1))
    track = replace(temp, pieces=(replace(temp.pieces[0], raw=raw),))
    markers = tuple((START_UTC + at_s, text) for at_s, text in notes)
    return replace(take, tracks=(track,), labels=(), events=(), markers=markers)


def _assert_opens_elsewhere(path: Path, n_texts: int) -> None:
    theirs = edfio.read_edf(path)
    assert len(theirs.annotations) == n_texts
    assert theirs.is_continuous
    with pyedflib.EdfReader(str(path)) as other:
        onsets, _, texts = other.readAnnotations()
    assert len(texts) == n_texts
    assert sorted(onsets) == pytest.approx([a.onset for a in theirs.annotations], abs=1e-6)


@pytest.mark.parametrize("at_s", [10.0, 180.0, 359.9])
def test_many_notes_of_one_second_are_spread_over_the_records(at_s: float, tmp_path: Path) -> None:
    notes = [(at_s + n * 1e-4, f"note {n:03d}{'.' * 70}") for n in range(200)]
    _write(_of_notes([]), tmp_path / "none.edf")
    _write(_of_notes(notes), tmp_path / "a.edf")
    texts_bytes = sum(len(text) + 20 for _, text in notes)
    # A list in each record is as long as the longest text; all in one record: 360 times all texts.
    more = (tmp_path / "a.edf").stat().st_size - (tmp_path / "none.edf").stat().st_size
    assert more < 2.5 * max(texts_bytes, 360 * 100)
    back = EdfReader(tmp_path / "a.edf").take
    assert [text for _, text in back.markers] == [text for _, text in notes]
    assert [t - START_UTC for t, _ in back.markers] == pytest.approx(
        [t for t, _ in notes], abs=1e-5
    )
    _assert_opens_elsewhere(tmp_path / "a.edf", 200)


def test_long_notes_go_in_parts_and_come_back_whole(tmp_path: Path) -> None:
    long = "".join(f"Wörter {n} " for n in range(400))
    assert len(long) > 4000
    # Two of one moment, one that looks like a part, and short ones around them.
    notes = [(5.0, "before"), (7.0, long), (7.0, long[::-1]), (8.0, "(1/2) of it"), (9.0, "after")]
    _write(_of_notes([]), tmp_path / "none.edf")
    _write(_of_notes(notes), tmp_path / "a.edf")
    more = (tmp_path / "a.edf").stat().st_size - (tmp_path / "none.edf").stat().st_size
    assert more < 360 * 150
    back = EdfReader(tmp_path / "a.edf").take.markers
    assert sorted(text for _, text in back) == sorted(text for _, text in notes)
    assert [t - START_UTC for t, _ in back] == pytest.approx([t for t, _ in notes], abs=1e-5)
    n_parts = sum(-(-len(text.encode()) // 100) for text in (long, long[::-1]))
    found = [a.text for a in edfio.read_edf(tmp_path / "a.edf").annotations]
    assert n_parts <= len(found) - 3 <= n_parts + 2
    assert found[1].startswith("(1/")
    _assert_opens_elsewhere(tmp_path / "a.edf", len(found))


def test_two_texts_that_say_they_are_one_part_are_both_kept(tmp_path: Path) -> None:
    notes = [(5.0, "(1/2) a"), (5.0, "(1/2) b"), (5.0, "(2/2) c")]
    _write(_of_notes(notes), tmp_path / "a.edf")
    found = " ".join(text for _, text in EdfReader(tmp_path / "a.edf").take.markers)
    assert sorted(c for c in found if c in "abc") == ["a", "b", "c"]


def test_notes_that_fill_a_record_beyond_the_standard_are_refused(tmp_path: Path) -> None:
    notes = [(0.1, "x" * 90)] * 2000
    with pytest.raises(RecordingError, match="61440 bytes of samples and notes in 1 s, got"):
        _write(_of_notes(notes, n_s=2), tmp_path / "a.edf")
    assert not (tmp_path / "a.edf").exists()


def test_fast_sensor_runs_into_the_next_piece_and_overwrites_nothing(tmp_path: Path) -> None:
    take = bare_take()
    temp = take.tracks[2]
    # At 4.4 Hz instead of 4: 88 samples in the first 20 s, which are places for 80.
    first = replace(temp.pieces[0], raw=temp.pieces[0].raw[:88], rate_hz=4.4)
    second = replace(temp.pieces[0], raw=temp.pieces[0].raw[88:], start_utc=START_UTC + 20.5)
    fast = replace(temp, pieces=(first, second))
    lost = _write(replace(take, tracks=(fast,)), tmp_path / "a.edf")
    (track,) = EdfReader(tmp_path / "a.edf").take.tracks
    found = np.concatenate([track.values(piece) for piece in track.pieces])
    assert np.abs(found - temp.values(temp.pieces[0])).max() < 1e-9
    assert "temp: moved by up to 1500 ms onto the grid of records" in lost


def test_step_of_a_channel_counted_downwards_is_said_without_its_sign(tmp_path: Path) -> None:
    take = bare_take()
    bvp = take.tracks[0]
    raw = bvp.pieces[0].raw * 60
    down = replace(
        bvp,
        channel=replace(bvp.channel, scale=-1 / 64),
        pieces=(replace(bvp.pieces[0], raw=raw),),
    )
    lost = _write(replace(take, tracks=(down,)), tmp_path / "a.edf")
    (line,) = [line for line in lost if line.startswith("bvp: 16 bits")]
    assert line.endswith("the recording has 0.0156")
