"""What the learner reads from the vault: scored windows, labels and the wearer's baseline."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from firmware_host.adaptation.coverage import WindowEnds, host_spans
from firmware_host.adaptation.episodes import LabelSpan
from firmware_host.adaptation.replay import replay_set
from firmware_host.errors import VaultError
from firmware_host.signals.normalise import Baseline, normalise_rows
from firmware_host.signals.stress import CHANNELS, FEATURE_NAMES, WINDOW_S, StressWindow
from firmware_host.vault.pack import pack, unpack
from firmware_host.vault.records import Record, Vault

WINDOW_KIND = "stress_window"
BASELINE_KIND = "baseline"
BASELINE_POINTER = "baseline/stress"
# Stored beside every feature vector: another release's features may be as many and mean others.
_FEATURES_ID = hashlib.sha256(" ".join(FEATURE_NAMES).encode()).hexdigest()[:8]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class WindowTable:
    """Stress windows as columns, by increasing time.

    t_end_utc (n,), features (n, 26), quality (n, 4) by `CHANNELS`, motion (n,) m/s², missing (n,),
    worn (n,) bool, contested (n,) bool: another pass of the clock claims the same time. Nothing is
    contested unless it is said. session (n,) and t_end_s (n,), the ends on the board's clock, are -1 and
    NaN unless they are said.
    """

    t_end_utc: FloatArray
    features: NDArray[np.float32]
    quality: FloatArray
    motion: FloatArray
    missing: FloatArray
    worn: NDArray[np.bool_]
    contested: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, np.bool_))
    session: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    t_end_s: FloatArray = field(default_factory=lambda: np.zeros(0))

    def __post_init__(self) -> None:
        n = len(self)
        unsaid = {
            "contested": np.zeros(n, np.bool_),
            "session": np.full(n, -1),
            "t_end_s": np.full(n, np.nan),
        }
        for name, values in unsaid.items():
            if len(getattr(self, name)) != n:
                object.__setattr__(self, name, values)

    def __len__(self) -> int:
        return len(self.t_end_utc)

    @property
    def ends(self) -> WindowEnds:
        """When the windows ended, on both clocks."""
        return WindowEnds(self.t_end_utc, self.session, self.t_end_s)

    def quality_of(self, idx: int) -> dict[str, float]:
        """Quality of one window by channel name."""
        return {name: float(self.quality[idx, i]) for i, name in enumerate(CHANNELS)}

    def rows(self, idx: NDArray[np.int64]) -> WindowTable:
        """Some of the windows, as a table."""
        return WindowTable(*(getattr(self, column.name)[idx] for column in fields(self)))


def window_payload(window: StressWindow, *, session: int) -> bytes:
    """Bytes of a window for the vault; its record's time is the window's end in UTC.

    Raw features, not the model's input: a new baseline must be able to reach old windows.
    """
    arrays: dict[str, NDArray[Any]] = {
        "features": np.asarray(window.features, np.float32),
        "quality": np.array([window.quality.get(name, 0.0) for name in CHANNELS]),
        "facts": np.array([window.t_end_s, window.motion, window.missing]),
        "worn": np.array(window.worn),
    }
    return pack(arrays, {"session": session, "features": _FEATURES_ID})


def has_these_features(meta: Mapping[str, Any]) -> bool:
    """Whether a stored window or baseline is made of the features that this release computes."""
    return meta.get("features") == _FEATURES_ID


def table_of(windows: Sequence[tuple[float, StressWindow]]) -> WindowTable:
    """Columns of windows with their end in UTC."""
    ordered = sorted(windows, key=lambda pair: pair[0])
    n = len(ordered)
    return WindowTable(
        np.array([t for t, _ in ordered], np.float64),
        np.array([w.features for _, w in ordered], np.float32).reshape(n, len(FEATURE_NAMES)),
        np.array(
            [[w.quality.get(c, 0.0) for c in CHANNELS] for _, w in ordered], np.float64
        ).reshape(n, len(CHANNELS)),
        np.array([w.motion for _, w in ordered], np.float64),
        np.array([w.missing for _, w in ordered], np.float64),
        np.array([w.worn for _, w in ordered], np.bool_),
        t_end_s=np.array([w.t_end_s for _, w in ordered], np.float64),
    )


def load_windows(vault: Vault, spans: Iterable[LabelSpan]) -> WindowTable:
    """Load the replay set of some labels; unlabelled days are not even opened.

    Windows of another release's features are left out: nothing can be learned from them any more.
    """
    spans = _in_host_time(spans)
    times = _times_of(vault, spans)
    chosen = replay_set(spans, times)
    contested = contested_times(np.array([t_utc for _, t_utc in times]))
    found: list[tuple[float, StressWindow]] = []
    marks: list[tuple[float, bool, int]] = []
    for (record_id, t_utc), is_contested in zip(times, contested.tolist(), strict=True):
        opened = _open(vault, record_id) if record_id in chosen else None
        if opened is not None:
            window, session = opened
            found.append((t_utc, window))
            marks.append((t_utc, is_contested, session))
    marks.sort(key=lambda mark: mark[0])
    return replace(
        table_of(found),
        contested=np.array([mark[1] for mark in marks], np.bool_),
        session=np.array([mark[2] for mark in marks], np.int64),
    )


def replay_ids(vault: Vault, spans: Iterable[LabelSpan]) -> set[int]:
    """Records of the windows that learning still needs, however old they are."""
    spans = _in_host_time(spans)
    return replay_set(spans, _times_of(vault, spans))


def _in_host_time(spans: Iterable[LabelSpan]) -> list[LabelSpan]:
    """Stretches of host time that hold every window of some labels."""
    return [
        LabelSpan(span.label, start_utc, end_utc)
        for span in spans
        for start_utc, end_utc in host_spans(span)
    ]


def _times_of(vault: Vault, spans: Sequence[LabelSpan]) -> list[tuple[int, float]]:
    """Windows that end inside a label, by id and end, in the order they were stored."""
    found = {
        pair
        for span in spans
        for pair in vault.times(WINDOW_KIND, since_utc=span.start_utc, until_utc=span.end_utc)
    }
    return sorted(found)


def _open(vault: Vault, record_id: int) -> tuple[StressWindow, int] | None:
    """A window and its session; None if it is damaged or of other features."""
    try:
        arrays, meta = unpack(vault.get(record_id).payload)
    except VaultError:
        vault.damaged.add(f"record {record_id}")
        return None
    return (_window(arrays), int(meta.get("session", -1))) if has_these_features(meta) else None


def contested_times(t_end_utc: FloatArray) -> NDArray[np.bool_]:
    """Mark (n,) windows, in the order they were stored, that overlap windows of another pass.

    A pass ends where time runs backwards: the clock was set back, and what was worn then and what is
    worn now claim the same minutes. Which of the two a label meant, nobody can tell.
    """
    passes = np.concatenate([[0], np.cumsum(np.diff(t_end_utc) < 0)])[: len(t_end_utc)]
    order = np.argsort(t_end_utc, kind="stable")
    marked = np.zeros(len(t_end_utc), np.bool_)
    for apart in range(1, len(order)):
        earlier, later = order[:-apart], order[apart:]
        close = t_end_utc[later] - t_end_utc[earlier] < WINDOW_S
        if not close.any():
            break
        clash = close & (passes[earlier] != passes[later])
        marked[earlier[clash]] = marked[later[clash]] = True
    return marked


def load_windows_between(vault: Vault, start_utc: float, end_utc: float) -> WindowTable:
    """Load the stored windows that end within a stretch of time, labelled or not."""
    found: list[tuple[float, StressWindow]] = []
    for record in vault.iterate(
        WINDOW_KIND, since_utc=start_utc, until_utc=end_utc, skip_damaged=True
    ):
        arrays, meta = unpack(record.payload)
        if has_these_features(meta):
            found.append((record.t_utc, _window(arrays)))
    return table_of(found)


def _window(arrays: Mapping[str, NDArray[Any]]) -> StressWindow:
    t_end_s, motion, missing = arrays["facts"].tolist()
    return StressWindow(
        t_end_s,
        arrays["features"],
        dict(zip(CHANNELS, arrays["quality"].tolist(), strict=True)),
        motion,
        bool(arrays["worn"]),
        missing,
    )


@dataclass(frozen=True, slots=True)
class Rest:
    """A stored baseline, and from when on windows are seen from it.

    `line_id` is the record that its line began with: rest of each day goes on with the line, and
    what was learned on one day holds on the next; rest enrolled by hand begins a new one.
    """

    id: int
    line_id: int
    since_utc: float
    taken_utc: float
    baseline: Baseline


def baseline_payload(
    baseline: Baseline, *, since_utc: float | None = None, line_id: int | None = None
) -> bytes:
    """Bytes of a baseline for the vault; without ``line_id`` it begins a line of its own."""
    # NaN, an unknown centre, is welcome in arrays.
    arrays = {"center": baseline.center, "scale": baseline.scale}
    meta = {"n_windows": baseline.n_windows, "features": _FEATURES_ID}
    links = {"since_utc": since_utc, "line_id": line_id}
    return pack(arrays, meta | {name: v for name, v in links.items() if v is not None})


def put_baseline(
    vault: Vault,
    baseline: Baseline,
    *,
    now_utc: float,
    since_utc: float | None = None,
    line_id: int | None = None,
) -> int:
    """Store a baseline and make it the one in force."""
    with vault.transaction():
        payload = baseline_payload(baseline, since_utc=since_utc, line_id=line_id)
        record_id = vault.put(BASELINE_KIND, payload, now_utc)
        vault.set_pointer(BASELINE_POINTER, record_id)
    return record_id


def rest_in_force(vault: Vault) -> Rest | None:
    """The baseline in force as it is stored; None if it is of other features."""
    record_id = vault.pointer(BASELINE_POINTER)
    return None if record_id is None else _rest(vault.get(record_id))


def load_baseline(vault: Vault) -> tuple[int, Baseline] | None:
    """Return the baseline in force with the id of its line; None if it is of other features."""
    rest = rest_in_force(vault)
    return None if rest is None else (rest.line_id, rest.baseline)


def load_rests(vault: Vault) -> list[Rest]:
    """Every stored baseline of these features, oldest record first."""
    found = (_rest(record) for record in vault.iterate(BASELINE_KIND, skip_damaged=True))
    return [rest for rest in found if rest is not None]


def load_baselines(vault: Vault) -> list[tuple[float, Baseline]]:
    """Every stored baseline of these features with its time, oldest first."""
    return [(rest.taken_utc, rest.baseline) for rest in load_rests(vault)]


def _rest(record: Record) -> Rest | None:
    arrays, meta = unpack(record.payload)
    if not has_these_features(meta):
        return None
    return Rest(
        record.id,
        int(meta.get("line_id", record.id)),
        float(meta.get("since_utc", record.t_utc)),
        record.t_utc,
        Baseline(arrays["center"], arrays["scale"], int(meta["n_windows"])),
    )


def model_inputs(table: WindowTable, baseline: Baseline, spread: FloatArray) -> NDArray[np.float32]:
    """Normalise every window: (n, 26), as the live path does one by one."""
    return normalise_rows(table.features, table.quality, baseline, spread)


def inputs_by_day(
    table: WindowTable, rests: Sequence[Rest], spread: FloatArray
) -> NDArray[np.float32]:
    """The same with every window seen from the rest of its own day; (n, 26).

    That is the last one stored of those that count since before the window's end, else the first.
    """
    ordered = sorted(rests, key=lambda rest: (rest.since_utc, rest.id))
    since_utc = np.array([rest.since_utc for rest in ordered])
    of_window = np.maximum(np.searchsorted(since_utc, table.t_end_utc, side="right") - 1, 0)
    inputs = np.zeros((len(table), len(FEATURE_NAMES)), np.float32)
    for i in np.unique(of_window).tolist():
        seen = of_window == i
        inputs[seen] = normalise_rows(
            table.features[seen], table.quality[seen], ordered[i].baseline, spread
        )
    return inputs
