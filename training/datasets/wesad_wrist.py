"""The wrist half of a WESAD pickle."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from firmware_host.errors import RecordingError
from firmware_host.units import E4_ACC_MS2_PER_COUNT
from training.datasets.array_pickle import load_arrays
from training.datasets.array_signals import ArraySignals, Steady
from training.datasets.base import REST, STRESS, UNSCORED, Stage
from training.datasets.members import Member

# The publisher's wesad_readme.pdf: condition numbers at the RespiBAN's rate; 0 is in between,
# 5 to 7 are to be ignored.
LABEL_RATE_HZ = 700.0
CONDITIONS = {
    1: ("baseline", REST),
    2: ("tsst", STRESS),
    3: ("amusement", REST),
    4: ("meditation", UNSCORED),
}
# Name in the pickle -> channel, rate, number of axes, SI value of one count.
_WRIST = {
    "BVP": ("bvp", 64.0, 1, 1.0),
    "EDA": ("eda", 4.0, 1, 1.0),
    "TEMP": ("temp", 4.0, 1, 1.0),
    "ACC": ("acc", 32.0, 3, E4_ACC_MS2_PER_COUNT),
}
# The publisher cut everything to one length; more means a cut or another rate.
_MAX_SPREAD_S = 10.0


# Name, rate and values of each channel.
Wrist = tuple[tuple[str, float, NDArray[np.float64]], ...]


@dataclass(frozen=True)
class WristPickle:
    """A `Source` of signals. The pickle has no clock: time counts from its first sample."""

    file: Member

    def open(self) -> ArraySignals:
        """Read the wrist signals.

        Raises
        ------
        RecordingError
            If the pickle is no WESAD one, cut, or its signals differ in length.
        """
        return ArraySignals({name: Steady(0.0, *rest) for name, *rest in self._content()[0]})

    def stages(self) -> tuple[Stage, ...]:
        """The protocol by its condition numbers, in order of time."""
        return self._content()[1]

    def _content(self) -> tuple[Wrist, tuple[Stage, ...]]:
        return _read(self.file, self.file.container.stat().st_mtime_ns)

    def fingerprint(self) -> str:
        """Hash of the file."""
        digest = hashlib.sha256()
        with self.file.stream() as stream:
            while part := stream.read(1 << 20):
                digest.update(part)
        return digest.hexdigest()


# The chest half is a gigabyte; what is kept of a person is a few megabytes.
@lru_cache(maxsize=32)
def _read(file: Member, mtime_ns: int) -> tuple[Wrist, tuple[Stage, ...]]:  # noqa: ARG001
    with file.stream() as stream:
        content = load_arrays(stream, file.place)
    try:
        wrist, label = content["signal"]["wrist"], content["label"]
        channels = tuple(_channel(file, wrist, name) for name in _WRIST)
        label = np.asarray(label).ravel().astype(np.int64)
    except (KeyError, TypeError, ValueError, IndexError) as err:
        expected = f"signal/wrist/{{{','.join(_WRIST)}}} and label, all numbers"
        raise RecordingError(file.place, expected, f"another content ({err})") from err
    lengths = {name: len(values) / rate_hz for name, rate_hz, values in channels}
    lengths["label"] = len(label) / LABEL_RATE_HZ
    if max(lengths.values()) - min(lengths.values()) > _MAX_SPREAD_S:
        received = ", ".join(f"{name} {seconds:.0f} s" for name, seconds in lengths.items())
        raise RecordingError(file.place, "signals and label of one length", received)
    return channels, tuple(_stages(label))


def _channel(
    file: Member, wrist: Mapping[str, Any], name: str
) -> tuple[str, float, NDArray[np.float64]]:
    channel, rate_hz, n_axes, scale = _WRIST[name]
    values = np.asarray(wrist[name], dtype=np.float64).reshape(-1, n_axes) * scale
    if not np.isfinite(values).all():
        raise RecordingError(file.place, f"finite numbers in {name}", "NaN or infinity")
    return channel, rate_hz, values


def _stages(label: NDArray[np.int64]) -> Iterator[Stage]:
    edges = np.flatnonzero(np.diff(label)) + 1
    for first, last in zip([0, *edges], [*edges, len(label)], strict=True):
        if last > first and int(label[first]) in CONDITIONS:
            name, kind = CONDITIONS[int(label[first])]
            yield Stage(name, kind, first / LABEL_RATE_HZ, last / LABEL_RATE_HZ)
