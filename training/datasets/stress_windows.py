"""Windows of stress recordings, made by the extractor that ships, and a cache of them.

The cache key holds the recording's content, the extractor's source and the window's length, so a
changed feature, file or length is never served from an old cache.
"""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
import zipfile
import zlib
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

import firmware_host.signals
from firmware_host.errors import StorageError
from firmware_host.signals.stress import CHANNELS, HOP_S, WINDOW_S, StressFeatures
from training.datasets.bad_people import attempt

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from numpy.typing import NDArray

    from training.datasets.base import Session, Signals

# Samples are fed as a live stream would bring them, not whole recordings at once.
FEED_S = 5.0
_FIELDS = {
    "t_end_s", "features", "quality", "motion", "worn", "missing", "start_utc", "content_sha256",
}  # fmt: skip
_SOURCES = (
    "bvp.py",
    "eda.py",
    "filters.py",
    "ibi.py",
    "imu.py",
    "pulse_modulation.py",
    "quality.py",
    "stress.py",
    "timeline.py",
)


@dataclass(frozen=True)
class SessionWindows:
    """All windows of one session on the 10-s grid from its start.

    Shapes: t_end_s (n,) stream seconds; features (n, 26); quality (n, 4) by `CHANNELS`; motion,
    worn, missing (n,); stage (n,) index into `session.stages`, -1 where the window does not lie
    wholly inside one.
    """

    session: Session
    content_sha256: str
    t_end_s: NDArray[np.float64]
    features: NDArray[np.float32]
    quality: NDArray[np.float64]
    motion: NDArray[np.float64]
    worn: NDArray[np.bool_]
    missing: NDArray[np.float64]
    stage: NDArray[np.int64]
    window_s: float = WINDOW_S

    @property
    def label(self) -> NDArray[np.str_]:
        """(n,) label of each window's stage, "" where there is none."""
        names = np.array([*(s.label for s in self.session.stages), ""])
        return names[self.stage]


def default_cache_dir() -> Path:
    """A folder of this user's outside the checkout."""
    base = os.environ.get("XDG_CACHE_HOME")
    root = Path(base) if base else Path(tempfile.gettempdir()) / f"signet-{os.getuid()}"
    return root / "signet-windows"


def load_windows(
    sessions: Iterable[Session], *, cache_dir: Path | None = None, window_s: float = WINDOW_S
) -> list[SessionWindows]:
    """Windows of each session, computed at most once for a given content, extractor and length.

    A session that cannot be read raises, or is named and left out within `skipping_bad`.

    Raises
    ------
    StorageError
        If the cache cannot be made or written.
    """
    cache = cache_dir or default_cache_dir()
    prepare_cache(cache)
    found = (
        attempt(session.person, partial(_load, session, cache, window_s))
        for session in _progress(list(sessions))
    )
    return [windows for windows in found if windows is not None]


def prepare_cache(folder: Path) -> None:
    """Make the folder for computed windows.

    Raises
    ------
    StorageError
        If it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as err:
        raise _not_a_cache(folder, err) from err


def _not_a_cache(folder: Path, err: OSError) -> StorageError:
    return StorageError(
        f"expected a folder for computed windows, got {folder}: {err.strerror or err}"
    )


def stage_of_windows(
    session: Session, start_utc: float, t_end_s: NDArray[np.float64], window_s: float = WINDOW_S
) -> NDArray:
    """(n,) index of the stage a window lies wholly inside, or -1."""
    stage = np.full(len(t_end_s), -1)
    for i, part in enumerate(session.stages):
        first, last = part.start_utc - start_utc, part.end_utc - start_utc
        stage[(t_end_s - window_s >= first) & (t_end_s <= last)] = i
    return stage


def extract(
    recording: Signals,
    on_time: Callable[[float], None] | None = None,
    *,
    window_s: float = WINDOW_S,
) -> dict:
    """Arrays of every window of a recording, by field name of `SessionWindows`.

    A channel that the recording lacks has quality 0 throughout, as on a board without it.
    """
    channels = {n: recording.channels[n] for n in CHANNELS if n in recording.channels}
    extractor = StressFeatures({name: c.rate_hz for name, c in channels.items()}, window_s=window_s)
    duration_s = recording.end_utc - recording.start_utc
    windows, fed_s, due_s = [], 0.0, float(window_s)
    while due_s <= duration_s:
        while fed_s < due_s:
            for name, channel in channels.items():
                offset_s = channel.start_utc - recording.start_utc
                lo, hi = (
                    max(0, round((t - offset_s) * channel.rate_hz)) for t in (fed_s, fed_s + FEED_S)
                )
                extractor.feed(name, offset_s + lo / channel.rate_hz, channel.values[lo:hi])
            fed_s += FEED_S
        windows.append(extractor.compute(due_s))
        due_s += HOP_S
        if on_time:
            on_time(fed_s)
    return {
        "t_end_s": np.array([w.t_end_s for w in windows]),
        "features": np.array([w.features for w in windows], np.float32).reshape(len(windows), -1),
        "quality": np.array([[w.quality[c] for c in CHANNELS] for w in windows]).reshape(-1, 4),
        "motion": np.array([w.motion for w in windows]),
        "worn": np.array([w.worn for w in windows], bool),
        "missing": np.array([w.missing for w in windows]),
    }


def _load(session: Session, cache: Path, window_s: float) -> SessionWindows:
    path = cache / f"{session.source.fingerprint()[:32]}-{_extractor_hash()[:16]}-{window_s:g}s.npz"
    arrays = _stored(path)
    if arrays is None:
        recording = session.source.open()
        arrays = extract(recording, window_s=window_s)
        arrays["start_utc"] = np.array(recording.start_utc)
        arrays["content_sha256"] = np.array(recording.content_sha256())
        _store(path, arrays)
    start_utc, content = float(arrays.pop("start_utc")), str(arrays.pop("content_sha256"))
    stage = stage_of_windows(session, start_utc, arrays["t_end_s"], window_s)
    return SessionWindows(session, content, stage=stage, window_s=float(window_s), **arrays)


def _stored(path: Path) -> dict | None:
    """What the cache has; None if there is nothing, or a damaged file, which is made anew."""
    try:
        with path.open("rb") as file, np.load(file) as stored:
            arrays = {name: stored[name] for name in stored.files}
    except (OSError, EOFError, ValueError, zipfile.BadZipFile, zlib.error):
        return None
    return arrays if set(arrays) == _FIELDS else None


def _store(path: Path, arrays: dict) -> None:
    """Write whole or not at all: an interrupted run leaves no half file behind."""
    try:
        with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".npz", delete=False) as handle:
            beside = Path(handle.name)
            try:
                np.savez(handle, **arrays)
                handle.flush()
                beside.replace(path)
            except BaseException:
                beside.unlink(missing_ok=True)
                raise
    except OSError as err:
        raise _not_a_cache(path.parent, err) from err


def _extractor_hash() -> str:
    folder = Path(firmware_host.signals.__file__).parent
    digest = hashlib.sha256(Path(__file__).read_bytes())
    for name in _SOURCES:
        digest.update((folder / name).read_bytes())
    return digest.hexdigest()


def _progress(items: list) -> Iterable:
    """The items, with a progress bar only where somebody watches."""
    if not sys.stderr.isatty():
        return items
    try:
        from tqdm import tqdm
    except ImportError:
        return items
    return tqdm(items, desc="windows", unit="session")
