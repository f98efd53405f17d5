"""What a report is made of: plain frozen values, no vault, no event log, no model.

Every section is optional. A section without data is replaced by one sentence that says why; give
your own sentence in ``ReportData.empty_reasons`` (section id -> sentence), else a general one is
printed. Section ids: ``privacy``, ``days``, ``timeline``, ``probability``, ``outcomes``, ``gait``,
``confusion``, ``baseline``, ``ledger``, ``stream``, ``costs``.

Times are ``_utc`` UNIX seconds; only the printed clock uses ``tz_offset_s``. A span is
``(t_start_utc, t_end_utc, name)``. Arrays may be lists. NaN and infinity mean "not known" and are
left out of pictures and statistics.

Example
-------
>>> data = ReportData(
...     title="Tuesday at the desk", wearer="wearer-1", source="desk.mcap",
...     start_utc=1_790_000_000.0, end_utc=1_790_001_800.0, tz_offset_s=7200,
...     signals=[Signal("Heart rate", "bpm", t_utc=[1_790_000_010.0], values=[61.0])],
...     states=[(1_790_000_000.0, 1_790_000_060.0, "rest")],
...     labels=[(1_790_000_600.0, 1_790_000_900.0, "stress")],
...     privacy=Privacy(sent=[], evidence=["The runtime counts sockets, and counted 0."]),
... )
>>> from firmware_host.report import render, write_report
>>> page = render(data)            # str, the same bytes for the same data
>>> write_report(data, "report.html")  # doctest: +SKIP

Waveforms of many hours need not be held in memory: ``EnvelopeBuilder``
(``firmware_host.report.envelope``) takes blocks as they come and gives a `Signal` with one
minimum, mean and maximum per bucket, gaps included.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from firmware_host.report.day import DayStory, WalkingDay

FloatArray = npt.NDArray[np.float64]
Span = tuple[float, float, str]
Gap = tuple[float, float]

SECTION_IDS = (
    "privacy",
    "days",
    "timeline",
    "probability",
    "outcomes",
    "gait",
    "confusion",
    "baseline",
    "ledger",
    "stream",
    "costs",
)

# datetime ends at year 9999; two days are kept free for the local time offset.
_MAX_UTC = 253_402_300_799.0 - 172_800.0
_MAX_TZ_OFFSET_S = 86_399.0


def _check_same_length(owner: str, **columns: npt.ArrayLike | None) -> None:
    sizes = {name: np.size(column) for name, column in columns.items() if column is not None}
    if len(set(sizes.values())) > 1:
        raise ValueError(f"{owner}: columns of one length expected, got {sizes}")


@dataclass(frozen=True, slots=True, eq=False)
class Signal:
    """One curve of the time line.

    Parameters
    ----------
    name, unit
        As printed: "Skin conductance", "µS".
    t_utc, values
        (n,) UNIX seconds and SI values. Irregular times are fine.
    low, high
        (n,) smallest and largest value behind each entry, when `values` are already means.
    gaps
        (t_start_utc, t_end_utc) without samples. None: found from the spacing of finite values.
    note
        Few words after the name: "from BVP beats, median of 60 s".
    """

    name: str
    unit: str
    t_utc: npt.ArrayLike
    values: npt.ArrayLike
    low: npt.ArrayLike | None = None
    high: npt.ArrayLike | None = None
    gaps: Sequence[Gap] | None = None
    note: str = ""

    def __post_init__(self) -> None:
        """Refuse columns of different length."""
        _check_same_length(
            f"signal {self.name!r}",
            t_utc=self.t_utc,
            values=self.values,
            low=self.low,
            high=self.high,
        )


@dataclass(frozen=True, slots=True, eq=False)
class ProbabilityTrack:
    """Stress probability (0..1) of every window, without and with what was learned.

    Parameters
    ----------
    t_utc
        (n,) end of each window.
    generic, personal
        (n,) probabilities; `personal` may be None when nothing was learned.
    threshold
        Probability above which the runtime says "stress".
    learned
        (t_utc, words): the instants at which a new adapter was taken into use.
    """

    t_utc: npt.ArrayLike
    generic: npt.ArrayLike
    personal: npt.ArrayLike | None = None
    threshold: float = 0.5
    learned: Sequence[tuple[float, str]] = ()

    def __post_init__(self) -> None:
        """Refuse columns of different length."""
        _check_same_length(
            "probability track", t_utc=self.t_utc, generic=self.generic, personal=self.personal
        )


@dataclass(frozen=True, slots=True)
class BeforeAfter:
    """One score before and after adaptation, on the same held-back data.

    Parameters
    ----------
    before, after
        The score, in `unit` ("" for a share of 0..1).
    before_interval, after_interval
        (low, high) in the same unit, or None.
    gain_interval
        (low, high) of after minus before over the same resampled data, or None. The change is
        called better or worse only if zero is outside.
    control
        The score of the control (for stress: time in session only), or None.
    n
        What was counted, in words: "212 windows, 3 episodes".
    """

    name: str
    before: float
    after: float
    before_interval: tuple[float, float] | None = None
    after_interval: tuple[float, float] | None = None
    unit: str = ""
    higher_is_better: bool = True
    control: float | None = None
    n: str = ""
    gain_interval: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class GaitScores:
    """Verification scores: this wearer's walking against other people's.

    Parameters
    ----------
    wearer, others
        (n,) and (m,) similarity scores where it is known who walked; dimensionless, larger is
        more alike.
    threshold, margin
        At or above threshold + margin it is taken for the wearer, below threshold - margin for
        another; between, the answer is "not sure".
    unknown
        (k,) scores of which nobody said who walked: decisions, not figures of merit.
    truth_from
        Whose word it is who walked.
    probe
        What one score is: "mean of 6 windows, 15 s".
    """

    wearer: npt.ArrayLike
    others: npt.ArrayLike
    threshold: float
    margin: float = 0.0
    unknown: npt.ArrayLike = ()
    truth_from: str = ""
    probe: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Confusion:
    """Truth against decision, and how far a probability can be taken at its word.

    Parameters
    ----------
    names
        (k,) class names.
    counts
        (k, k) windows; rows are the truth, columns the decision.
    reliability
        (mean predicted probability, observed share, n windows) per bin; may be empty.
    truth_from
        Whose truth: "labels by the wearer", "protocol of the recording".
    """

    names: Sequence[str]
    counts: npt.ArrayLike
    reliability: Sequence[tuple[float, float, int]] = ()
    truth_from: str = ""

    def __post_init__(self) -> None:
        """Refuse a table that is not square over the names."""
        shape, expected = np.shape(self.counts), (len(self.names), len(self.names))
        if shape != expected:
            raise ValueError(f"confusion counts: shape {expected} expected, got {shape}")


@dataclass(frozen=True, slots=True)
class FeatureShift:
    """How far this wearer's resting value lies from the population's.

    Parameters
    ----------
    shift
        (wearer centre - population centre) / typical deviation within a person, dimensionless.
    wearer, population, unit
        The two centres in a unit that people know, when worth printing.
    """

    name: str
    shift: float
    wearer: float = math.nan
    population: float = math.nan
    unit: str = ""


@dataclass(frozen=True, slots=True)
class LedgerScore:
    """One score of a learning job, on windows that it did not train on.

    Parameters
    ----------
    generic, before, candidate
        The model as shipped, what was in force before, and what was tried.
    """

    name: str
    generic: float
    before: float
    candidate: float


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """One learning job: from what, how, with what effect, and what was decided.

    Parameters
    ----------
    t_utc
        End of the job.
    what
        "stress adapter", "gait enrolment", "baseline".
    learned_from
        In words: "3 stress and 4 rest episodes, 212 windows".
    data_hash, adapter_hash
        Hexadecimal; the first 12 digits are printed.
    scores
        What the gate saw; empty when nothing was scored.
    decision
        "kept", "not kept", "rolled back", "refused", "deferred", "failed" or your own words.
    reason
        Why, in words.
    """

    t_utc: float
    what: str
    learned_from: str
    decision: str
    reason: str = ""
    method: str = ""
    scores: Sequence[LedgerScore] = ()
    data_hash: str = ""
    adapter_hash: str = ""
    seed: int | None = None
    steps: int | None = None
    seconds: float = math.nan


@dataclass(frozen=True, slots=True)
class Sent:
    """Something that left the host.

    Parameters
    ----------
    n_bytes
        Payload bytes in all.
    """

    destination: str
    what: str
    n_bytes: int
    n_messages: int
    consent: str = ""


@dataclass(frozen=True, slots=True)
class Privacy:
    """What left the host, and how that is known.

    Parameters
    ----------
    sent
        Empty means "nothing left". It is printed as a fact only beside at least one line of
        evidence.
    evidence
        Sentences: what was counted, which test guards it.
    uncounted
        One sentence on what nobody counted; with it, nothing is claimed of the whole.
    stored
        (what, how it is kept): ("31 windows", "encrypted, key outside the folder").
    """

    sent: Sequence[Sent] = ()
    evidence: Sequence[str] = ()
    uncounted: str = ""
    stored: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True, slots=True)
class ChannelHealth:
    """One channel of the stream.

    Parameters
    ----------
    declared_hz, measured_hz
        From HELLO, and samples over board time; NaN when not measured.
    n_dropped
        Samples the board says it dropped itself; None when not counted.
    rate_tolerance
        Relative difference of the two rates above which the row is marked.
    """

    channel: str
    unit: str
    declared_hz: float
    measured_hz: float
    n_samples: int
    n_gaps: int = 0
    gap_s: float = 0.0
    n_dropped: int | None = None
    rate_tolerance: float = 0.02


@dataclass(frozen=True, slots=True)
class HostCost:
    """One measured cost of the host: ("Resident memory, peak", 58.2, "MB", limit=64).

    Parameters
    ----------
    value, limit
        In `unit`; above `limit` the row is marked.
    """

    name: str
    value: float
    unit: str
    limit: float = math.nan
    note: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class ReportData:
    """Everything on the page.

    Parameters
    ----------
    start_utc, end_utc
        Limits of every time axis, UNIX seconds.
    tz_offset_s
        Local time minus UTC, seconds east.
    recorded_s
        Time with data inside the limits; NaN: all of it.
    made_utc
        When the page was made; None leaves the line out. An argument, so that the page is
        repeatable.
    made_by
        Program and version.
    facts
        (name, value) lines under the title: board, firmware, bundle.
    not_worn
        (t_start_utc, t_end_utc) off the wrist.
    states
        What the model said, one span per hop (not per overlapping window): rest, stress, moving,
        unsure, poor_signal, not_worn, learning_baseline.
    labels, truth, activities
        Spans: the wearer's own labels; ground truth when there is one; still, walk, run, stairs,
        other.
    walking
        Steps and cadence, one entry a day with walking or running in it.
    days
        Oldest first; a page shows them from two on.
    events
        (t_utc, words): button, battery, reboot, clock jump.
    section_notes
        Section id -> a sentence or two under its heading, in place of the general one.
    link
        (counter, count) of the whole link: bad CRC, oversize, skipped bytes, reboots. A frame
        with a bad CRC
        cannot be given to a channel.
    """

    title: str
    wearer: str
    source: str
    start_utc: float
    end_utc: float
    tz_offset_s: float = 0.0
    recorded_s: float = math.nan
    made_utc: float | None = None
    made_by: str = ""
    facts: Sequence[tuple[str, str]] = ()
    signals: Sequence[Signal] = ()
    not_worn: Sequence[Gap] = ()
    states: Sequence[Span] = ()
    labels: Sequence[Span] = ()
    truth: Sequence[Span] = ()
    activities: Sequence[Span] = ()
    walking: Sequence[WalkingDay] = ()
    days: Sequence[DayStory] = ()
    events: Sequence[tuple[float, str]] = ()
    probability: ProbabilityTrack | None = None
    outcomes: Sequence[BeforeAfter] = ()
    outcomes_note: str = ""
    gait: GaitScores | None = None
    confusion: Confusion | None = None
    baseline: Sequence[FeatureShift] = ()
    ledger: Sequence[LedgerEntry] = ()
    privacy: Privacy | None = None
    stream: Sequence[ChannelHealth] = ()
    link: Sequence[tuple[str, int]] = ()
    costs: Sequence[HostCost] = ()
    empty_reasons: Mapping[str, str] = field(default_factory=dict)
    section_notes: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse a time range or offset that no calendar has, and unknown section ids."""
        if not 0.0 <= self.start_utc <= self.end_utc <= _MAX_UTC:
            raise ValueError(
                "report times: 0 <= start_utc <= end_utc before the year 9999 expected, "
                f"got {self.start_utc!r} and {self.end_utc!r}"
            )
        if not abs(self.tz_offset_s) <= _MAX_TZ_OFFSET_S:
            raise ValueError(f"tz_offset_s: within a day expected, got {self.tz_offset_s!r}")
        named = {"empty_reasons": self.empty_reasons, "section_notes": self.section_notes}
        for name, texts in named.items():
            unknown = sorted(set(texts) - set(SECTION_IDS))
            if unknown:
                raise ValueError(f"{name}: keys of {SECTION_IDS} expected, got {unknown}")
