"""What the learner reads from the vault: scored windows, labels and the wearer's baseline."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from firmware_host.adaptation.episodes import LabelSpan
from firmware_host.signals.normalise import Baseline, normalise
from firmware_host.signals.stress import CHANNELS, FEATURE_NAMES, StressWindow
from firmware_host.vault.pack import pack, unpack
from firmware_host.vault.records import Vault

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
    worn (n,) bool.
    """

    t_end_utc: FloatArray
    features: NDArray[np.float32]
    quality: FloatArray
    motion: FloatArray
    missing: FloatArray
    worn: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.t_end_utc)

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
    )


def load_windows(vault: Vault, spans: Iterable[LabelSpan]) -> WindowTable:
    """Load the stored windows that end inside a label; unlabelled days never reach the RAM.

    Windows of another release's features are left out: nothing can be learned from them any more.
    """
    bounds = [(span.start_utc, span.end_utc) for span in spans]
    if not bounds:
        return table_of([])
    first, last = min(b[0] for b in bounds), max(b[1] for b in bounds)
    found: list[tuple[float, StressWindow]] = []
    for record in vault.iterate(WINDOW_KIND, since_utc=first, skip_damaged=True):
        if record.t_utc <= last and any(a <= record.t_utc <= b for a, b in bounds):
            arrays, meta = unpack(record.payload)
            if has_these_features(meta):
                found.append((record.t_utc, _window(arrays)))
    return table_of(found)


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


def baseline_payload(baseline: Baseline) -> bytes:
    """Bytes of a baseline for the vault."""
    # NaN, an unknown centre, is welcome in arrays.
    arrays = {"center": baseline.center, "scale": baseline.scale}
    return pack(arrays, {"n_windows": baseline.n_windows, "features": _FEATURES_ID})


def put_baseline(vault: Vault, baseline: Baseline, *, now_utc: float) -> int:
    """Store a baseline and make it the one in force."""
    with vault.transaction():
        record_id = vault.put(BASELINE_KIND, baseline_payload(baseline), now_utc)
        vault.set_pointer(BASELINE_POINTER, record_id)
    return record_id


def load_baseline(vault: Vault) -> tuple[int, Baseline] | None:
    """Return the baseline in force with its record id; None if it is of other features."""
    record_id = vault.pointer(BASELINE_POINTER)
    if record_id is None:
        return None
    arrays, meta = unpack(vault.get(record_id).payload)
    if not has_these_features(meta):
        return None
    return record_id, Baseline(arrays["center"], arrays["scale"], int(meta["n_windows"]))


def load_baselines(vault: Vault) -> list[tuple[float, Baseline]]:
    """Every stored baseline of these features with its time, oldest first."""
    found = []
    for record in vault.iterate(BASELINE_KIND, skip_damaged=True):
        arrays, meta = unpack(record.payload)
        if has_these_features(meta):
            baseline = Baseline(arrays["center"], arrays["scale"], int(meta["n_windows"]))
            found.append((record.t_utc, baseline))
    return found


def model_inputs(table: WindowTable, baseline: Baseline, spread: FloatArray) -> NDArray[np.float32]:
    """Normalise every window: (n, 26), as the live path does one by one."""
    rows = [
        normalise(table.features[i], table.quality_of(i), baseline, spread)
        for i in range(len(table))
    ]
    return np.array(rows, np.float32).reshape(len(table), len(FEATURE_NAMES))
