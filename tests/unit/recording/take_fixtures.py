"""A short recording with everything in it: several rates, gaps of one and of all channels, labels, notes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from firmware_host.protocol.messages import Channel, EventKind
from firmware_host.recording.labels import Label
from firmware_host.recording.take import Piece, Take, Track
from firmware_host.units import E4_ACC_MS2_PER_COUNT

START_UTC = 1_700_000_000.25
CHANNELS = (
    Channel(0, "bvp", "au", 64.0, 0.01, 0.0, "i16", 1),
    Channel(1, "eda", "uS", 4.0, 1e-6, 0.0, "i32", 1),
    Channel(2, "temp", "degC", 4.0, 0.01, 0.0, "i16", 1),
    Channel(3, "acc", "m/s2", 32.0, E4_ACC_MS2_PER_COUNT, 0.0, "i8", 3),
)
LABELS = (
    Label(START_UTC + 2.5, START_UTC + 8.0, "rest", "file"),
    Label(START_UTC + 8.0, START_UTC + 35.125, "stress", "file"),
)
EVENTS = (
    (START_UTC + 0.5, EventKind.WEAR, 1),
    (START_UTC + 3.0, EventKind.BUTTON, 0),
    (START_UTC + 6.0, EventKind.BATTERY, 87),
    (START_UTC + 9.5, EventKind.BUTTON, 3),
)
MARKERS = ((START_UTC + 4.0, 'coffee, "black"'), (START_UTC + 33.0, "Tür auf"))
# From-to in seconds: one channel misses a little; all of them miss twelve seconds.
_SPANS = {
    "bvp": [(0, 6), (6.5, 16), (28, 40)],
    "eda": [(1, 16), (28, 40)],
    "temp": [(0, 16), (28, 40)],
    "acc": [(0, 16), (28, 37)],
}


def make_take(spans: dict[str, list[tuple[float, float]]] | None = None) -> Take:
    """The recording; ``spans`` are where each channel has samples."""
    rng = np.random.default_rng(7)
    tracks = []
    for channel in CHANNELS:
        low, high = {"eda": (900_000, 4_000_000), "acc": (-70, 70)}.get(channel.name, (-3000, 3400))
        pieces = []
        for start_s, end_s in (spans or _SPANS)[channel.name]:
            n = round((end_s - start_s) * channel.rate_hz)
            raw = rng.integers(low, high, (n, channel.axes)).astype(np.int32)
            pieces.append(Piece(START_UTC + start_s, raw, channel.rate_hz))
        tracks.append(Track(channel, tuple(pieces)))
    return Take("board", "1.0", tuple(tracks), LABELS, EVENTS, MARKERS)


def whole_take() -> Take:
    """The same without a gap, all channels from the start."""
    return make_take({name: [(0, 40)] for name in _SPANS})


def bare_take() -> Take:
    """Samples only."""
    return replace(whole_take(), labels=(), events=(), markers=())


def assert_same_signals(a: Take, b: Take, *, tolerance: dict[str, float], start_s: float) -> None:
    """Same channels, rates, units, gaps and values, up to a tolerance by channel."""
    assert [t.channel.name for t in a.tracks] == [t.channel.name for t in b.tracks]
    for x, y in zip(a.tracks, b.tracks, strict=True):
        name = x.channel.name
        assert (x.channel.unit, x.channel.axes) == (y.channel.unit, y.channel.axes)
        assert x.channel.rate_hz == y.channel.rate_hz
        assert [len(p.raw) for p in x.pieces] == [len(p.raw) for p in y.pieces], name
        for p, q in zip(x.pieces, y.pieces, strict=True):
            assert abs(p.start_utc - q.start_utc) <= start_s, name
            worst = np.abs(x.values(p) - y.values(q)).max()
            assert worst <= tolerance.get(name, 1e-9), name
