"""What happened when in WESAD, on the E4's clock: the study's schedule, or a label file of ours."""

from __future__ import annotations

from firmware_host.recording.labels import read_labels
from firmware_host.recording.wesad_schedule import HEADER_BYTES, Span, Text, read_schedule
from training.datasets.base import REST, STRESS, UNSCORED, Stage
from training.datasets.members import Member


def stages_of_quest(quest: Member, respiban: Member, span: Span) -> tuple[Stage, ...]:
    """Stages of `SX_quest.csv` within an E4 recording from `span[0]` to `span[1]` (UNIX seconds).

    Raises
    ------
    LabelError
        If the schedule is not complete or not readable.
    RecordingError
        If the RespiBAN's header does not say when it began, or that does not fit the E4's time.
    """
    schedule = Text(quest.place, quest.read())
    header = Text(respiban.place, respiban.read(HEADER_BYTES))
    # What has no label is neither learned nor scored.
    return tuple(
        Stage(c.name, c.label or UNSCORED, c.start_utc, c.end_utc)
        for c in read_schedule(schedule, header, span)
    )


def stages_of_labels(file: Member, span: Span) -> tuple[Stage, ...]:
    """Stages of a label file in our layout, which lies there plainly.

    Raises
    ------
    LabelError
        If it cannot be used.
    """
    labels = read_labels(file.place, participant=None, start_utc=span[0], end_utc=span[1])
    return tuple(
        Stage(f"{x.label}-{i}", STRESS if x.label == STRESS else REST, x.t_start_utc, x.t_end_utc)
        for i, x in enumerate(labels)
    )
