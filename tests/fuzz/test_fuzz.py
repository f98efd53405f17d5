"""A few seconds of fuzzing for every reader of foreign bytes; the long run is ``make fuzz``."""

from __future__ import annotations

import platform
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from firmware_host.recording.registry import READERS
from tests.fuzz.runner import NO_GUIDE, fuzz, has_guide
from tests.fuzz.targets import CORPUS, corpus_of, nothing_but_ours, scratch, targets

NAMES = sorted(targets())
_HAS_WHEEL = sys.platform == "linux" and platform.machine() == "x86_64"


def test_every_importer_has_a_target() -> None:
    files = {f".{name.partition('-')[2] or name}" for name in NAMES} | {".zip"}
    assert set(READERS) <= files
    assert {folder.name for folder in CORPUS.iterdir()} == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_seeds_are_accepted_and_the_committed_ones_are_those_of_today(name: str) -> None:
    target = targets()[name]
    committed = {p.name.removeprefix("seed-") for p in corpus_of(target) if p.name[:5] == "seed-"}
    assert committed == set(target.seeds())
    for path in (CORPUS / name).glob("seed-*"):
        assert target.run(path.read_bytes()), path
    assert all(len(seed) <= target.max_bytes for seed in target.seeds().values())


@pytest.mark.parametrize("name", NAMES)
def test_what_once_escaped_does_so_no_more(name: str) -> None:
    target = targets()[name]
    for path in corpus_of(target):
        target.run(path.read_bytes())


@pytest.mark.parametrize("name", NAMES)
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_damaged_input_is_taken_or_refused(name: str, data: st.DataObject) -> None:
    target = targets()[name]
    whole = bytearray(data.draw(st.sampled_from(sorted(target.seeds().items())))[1])
    # Headers decide most, and lie at the front.
    near = st.integers(0, min(4000, len(whole) - 1))
    for _ in range(data.draw(st.integers(1, 5))):
        start = data.draw(st.one_of(near, st.integers(0, len(whole))))
        new = st.one_of(st.binary(max_size=8), st.sampled_from([b"", *target.words]))
        whole[start : start + data.draw(st.integers(0, 6))] = data.draw(new)
    target.run(bytes(whole))


@pytest.mark.parametrize("group", range(2))
def test_coverage_guided_fuzzing_lets_nothing_out(group: int, tmp_path: Path) -> None:
    if not has_guide():
        # Where there is no wheel the tests above are all there is; where there is one, it must be installed.
        assert not _HAS_WHEEL, NO_GUIDE
        return
    chosen = [targets()[name] for name in NAMES[group::2]]
    done = {outcome.name: outcome for outcome in fuzz(chosen, keep=tmp_path)}
    assert set(done) == {target.name for target in chosen}
    for target in chosen:
        outcome = done[target.name]
        assert not outcome.escaped, (tmp_path / f"{target.name}.txt").read_text()[-3000:]
        # The corpus alone reaches a good part: a target that reaches nothing tests nothing.
        assert outcome.runs >= target.runs
        assert outcome.branches > 20, outcome


def test_escapes_are_seen() -> None:
    """A fuzzer that finds nothing may be blind: errors, warnings, endless memory and a second line must show."""
    import warnings

    from firmware_host.errors import RecordingError

    with pytest.raises(KeyError), nothing_but_ours():
        raise KeyError("x")
    with pytest.raises(UserWarning), nothing_but_ours():
        warnings.warn("x", stacklevel=1)
    with pytest.raises(AssertionError, match="more memory"), nothing_but_ours():
        raise RecordingError("x", "a file", "none") from MemoryError()
    with nothing_but_ours():
        raise RecordingError("x", "a file", "two\nlines and a \x1b[31m bell\a")
    assert scratch("x").parent.is_dir()
