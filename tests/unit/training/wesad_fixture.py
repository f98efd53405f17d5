"""A made-up WESAD person in the published layout: the simulator's signals in both forms."""

from __future__ import annotations

import json
import pickle
import zipfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from firmware_host.units import E4_ACC_MS2_PER_COUNT
from sim.person import Wearer
from sim.schedule import build_schedule

# Condition, name in the schedule, number in the pickle, minutes; None is in between.
PROTOCOL = (
    (None, "", 0, 1.0),
    ("rest", "Base", 1, 4.0),
    (None, "", 0, 0.5),
    ("stress", "TSST", 2, 3.5),
    ("rest", "Fun", 3, 2.0),
    ("rest", "Medi 1", 4, 2.0),
    (None, "", 0, 0.5),
)
# The E4 was switched on this long before the RespiBAN.
E4_AHEAD_S = 600
START = datetime(2017, 5, 22, 7, 15, 25, tzinfo=UTC).timestamp()
LABEL_HZ = 700
_RATES = {"BVP": ("bvp", 64), "EDA": ("eda", 4), "TEMP": ("temp", 4), "ACC": ("acc", 32)}


@dataclass(frozen=True)
class Stay:
    """Signals by the vendor's names from the RespiBAN's start on, and the condition numbers."""

    signals: dict[str, np.ndarray]
    label: np.ndarray


def live(seed: int) -> Stay:
    """Let a simulated wearer go through the protocol."""
    bouts = [{"label": label or "rest", "minutes": m} for label, _, _, m in PROTOCOL]
    table = {"start_utc": datetime.fromtimestamp(START, UTC), "bout": bouts}
    pieces = list(Wearer(build_schedule(table, name="wesad"), seed=seed))
    signals = {}
    for name, (channel, rate_hz) in _RATES.items():
        values = np.concatenate([piece.channel(channel) for piece in pieces])
        if name == "ACC":
            grid = np.arange(len(values) * rate_hz // 50) / rate_hz
            at = np.arange(len(values)) / 50.0
            values = np.stack([np.interp(grid, at, axis) for axis in values.T], axis=1)
            values = np.rint(values / E4_ACC_MS2_PER_COUNT)
        signals[name] = values
    label = np.concatenate([np.full(round(m * 60 * LABEL_HZ), n) for _, _, n, m in PROTOCOL])
    return Stay(signals, label.astype(np.int32))


def write_pickle(folder: Path, stay: Stay, *, protocol: int = 2) -> Path:
    """`S2.pkl` as the publisher's, chest and all."""
    folder.mkdir(parents=True, exist_ok=True)
    chest = {"ECG": np.zeros((len(stay.label), 1), np.float32)}
    content = {
        "signal": {"chest": chest, "wrist": stay.signals},
        "label": stay.label,
        "subject": folder.name,
    }
    path = folder / f"{folder.name}.pkl"
    path.write_bytes(pickle.dumps(content, protocol=protocol))
    return path


def write_e4(folder: Path, stay: Stay, *, is_packed: bool = True) -> None:
    """`S2_E4_Data.zip` that began before the RespiBAN, the schedule, and the RespiBAN's header."""
    folder.mkdir(parents=True, exist_ok=True)
    files = {f"{name}.csv": _csv(name, values) for name, values in stay.signals.items()}
    target = folder / f"{folder.name}_E4_Data"
    if is_packed:
        with zipfile.ZipFile(f"{target}.zip", "w") as archive:
            for name, text in files.items():
                archive.writestr(name, text)
    else:
        target.mkdir()
        for name, text in files.items():
            (target / name).write_text(text)
    (folder / f"{folder.name}_quest.csv").write_text(quest(folder.name))
    (folder / f"{folder.name}_respiban.txt").write_text(respiban())


def quest(subject: str) -> str:
    """The schedule, with a spreadsheet's missing zeros, and some answers."""
    at_s, rows = 0.0, []
    for _, name, _, minutes in PROTOCOL:
        if name:
            # The publisher's condition numbers leave out ten seconds at both ends.
            rows.append((name, _cell(at_s - 10), _cell(at_s + 60 * minutes + 10)))
        at_s += 60 * minutes
    order, start, end = (";".join(column) for column in zip(*rows, strict=True))
    return (
        f"# Subj;{subject};;\n# ORDER;{order};sRead;;\n# START;{start};13.1;;\n"
        f"# END;{end};13.2;;\n;;;\n# PANAS;1;2;3;;\n"
    )


def respiban() -> str:
    """The head of the chest's file: local summer time, two hours ahead of UTC."""
    began = datetime.fromtimestamp(START + E4_AHEAD_S, UTC)
    device = {
        "device name": "RespiBan",
        "time": f"{began.hour + 2}:{began.minute}:{began.second}.0",
        "date": f"{began.year}-{began.month}-{began.day}",
        "sampling rate": 700,
    }
    header = json.dumps({"00:07:80:D8:AB:58": device})
    return f"# OpenSignals Text File Format\n# {header}\n# EndOfHeader\n0\t1\t2\n"


def _cell(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}.{rest:02d}".rstrip("0").rstrip(".")


def _csv(name: str, values: np.ndarray) -> str:
    _, rate_hz = _RATES[name]
    n_axes = values.shape[1]
    before = np.repeat(values[:1], E4_AHEAD_S * rate_hz, axis=0)
    rows = [",".join([f"{START:.6f}"] * n_axes), ",".join([f"{rate_hz}.000000"] * n_axes)]
    digits = 0 if name == "ACC" else 6
    rows += [",".join(f"{v:.{digits}f}" for v in row) for row in np.concatenate([before, values])]
    return "\n".join(rows) + "\n"
