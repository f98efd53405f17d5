"""Targets that are texts and blobs: labels, settings, scenarios, contracts of bundles, packed records, pickles."""

from __future__ import annotations

import gzip
import hashlib
import io
import pickle
import re
import warnings
from pathlib import Path

import numpy as np

from firmware_host.config import parse_config
from firmware_host.inference.bundle import CONTRACT_FILE, SEAL_FILE, load_bundle, seal_text
from firmware_host.recording.labels import read_labels
from firmware_host.vault.pack import pack, unpack
from sim.schedule import load_scenario
from tests.fuzz.targets import Target, nothing_but_ours, scratch
from training.datasets.array_pickle import load_arrays

REPO = Path(__file__).resolve().parents[2]
_T0 = 1_700_000_000


def run_labels(data: bytes) -> bool:
    """A label file about a known stretch of time."""
    path = scratch("labels.csv")
    path.write_bytes(data)
    with nothing_but_ours():
        labels = read_labels(path, participant="5", start_utc=_T0, end_utc=_T0 + 1000.0)
        assert labels
        assert all(_T0 <= x.t_start_utc < x.t_end_utc <= _T0 + 1000 for x in labels)
        return True
    return False


def run_config(data: bytes) -> bool:
    """The host's settings."""
    with nothing_but_ours():
        config = parse_config(data.decode("utf-8", "replace"), source="signet.toml")
        config.state_dir({"HOME": "/h"})
        config.key_file({"HOME": "/h"})
        return True
    return False


def run_scenario(data: bytes) -> bool:
    """A simulated life."""
    path = scratch("life.toml")
    path.write_bytes(data)
    with nothing_but_ours():
        schedule = load_scenario(path)
        assert schedule.duration_s > 0
        if len(schedule.bouts) < 50:
            next(schedule.pieces(), None)
            schedule.dark()
        return True
    return False


def run_bundle(data: bytes) -> bool:
    """A contract whose seal is right, beside files whose hashes are: what a stranger's bundle can say."""
    folder = scratch("bundle")
    folder.mkdir(exist_ok=True)
    for name in _BUNDLE_FILES:
        (folder / name).write_bytes(b"x")
    (folder / CONTRACT_FILE).write_bytes(data)
    (folder / SEAL_FILE).write_text(seal_text(data))
    with nothing_but_ours():
        load_bundle(folder)
        return True
    return False


_BUNDLE_FILES = ("stress.tflite", "gait.tflite", "cohort.npz", "golden.npz", "CARD.md")


def _contract() -> dict[str, bytes]:
    """The shipped contract with the hashes of one-byte files."""
    (shipped,) = (REPO / "models" / "bundles").glob(f"*/{CONTRACT_FILE}")
    text = shipped.read_text()
    text = re.sub(
        r'sha256 = "[0-9a-f]{64}"', f'sha256 = "{hashlib.sha256(b"x").hexdigest()}"', text
    )
    return {"shipped": re.sub(r"bytes = \d+", "bytes = 1", text).encode()}


def run_unpack(data: bytes) -> bool:
    """A record of the vault after its seal was opened."""
    with nothing_but_ours():
        arrays, meta = unpack(data)
        pack(arrays, meta)
        return True
    return False


def run_pickle(data: bytes) -> bool:
    """A WESAD pickle from a stranger: numbers come out, or a refusal, and nothing is run."""
    with nothing_but_ours():
        content = load_arrays(io.BytesIO(data), "S2.pkl")
        with warnings.catch_warnings():
            # What numpy says of odd contents on their way to numbers is the next reader's affair.
            warnings.simplefilter("ignore")
            _numbers(content)
        return True
    return False


def _numbers(content: object, depth: int = 0) -> None:
    """Touch what was loaded as its reader does."""
    if isinstance(content, dict) and depth < 4:
        for value in content.values():
            _numbers(value, depth + 1)
    elif isinstance(content, np.ndarray):
        assert content.dtype.kind in "biufSU", content.dtype
        if content.dtype.kind in "biuf":
            np.asarray(content, dtype=np.float64).sum()


def _pickles() -> dict[str, bytes]:
    content = {
        "signal": {"wrist": {"BVP": np.zeros((4, 1)), "ACC": np.ones((2, 3), np.int16)}},
        "label": np.arange(3, dtype=np.int32),
        "subject": "S2",
        "mean": np.float64(1.5),
    }
    return {f"protocol-{n}": pickle.dumps(content, protocol=n) for n in (2, 4, 5)}


_LABEL_SEEDS = {
    "ours": f"start_utc,end_utc,label,participant\n{_T0},{_T0 + 60},rest,S05\n".encode(),
    "iso": b"start_utc,end_utc,label\n2023-11-14T22:13:20,2023-11-14T23:14:20+01:00,stress\n",
    "seconds": f"Participant,HR,respr,Time(sec),Label\n5,70,15,{_T0},0\n5,70,15,{_T0 + 1},1\n".encode(),
}
_TOML_WORDS = (
    b"[[", b"]]", b"= ", b'"""', b"inf", b"-inf", b"nan", b"1e999", b"true", b"1979-05-27T07:32:00Z",
    b"0001-01-01T00:00:00+23:59", b"9999-12-31T23:59:59-23:59", b"9" * 400, b"[" * 40, b"0x7fffffffffffffff",
)  # fmt: skip


def _scenarios() -> dict[str, bytes]:
    folder = REPO / "sim" / "scenarios"
    return {name: (folder / f"{name}.toml").read_bytes() for name in ("walk", "short", "day")}


TARGETS = (
    Target(
        "labels",
        run_labels,
        lambda: {**_LABEL_SEEDS, "zipped": gzip.compress(_LABEL_SEEDS["ours"], mtime=0)},
        (b"start_utc,end_utc,label", b"stress", b"rest", b"1e308", b"0001-01-01", b"nan", b"S05"),
        runs=2500,
    ),
    Target(
        "config",
        run_config,
        lambda: {"example": (REPO / "signet.example.toml").read_bytes()},
        (*_TOML_WORDS, b"[device]", b"[policy]", b"[recording]", b"[adaptation]", b"[state]"),
        8192,
        runs=500,
    ),
    Target(
        "scenario", run_scenario, _scenarios, (*_TOML_WORDS, b"minutes", b"label"), 8192, runs=500
    ),
    Target(
        "bundle",
        run_bundle,
        _contract,
        (*_TOML_WORDS, b"signatures", b"channels"),
        65_536,
        runs=50,
    ),
    Target(
        "vault-record",
        run_unpack,
        lambda: {"two": pack({"a": np.ones((2, 3), np.float32), "b": np.arange(4)}, {"k": 1})},
        (b"SGP1", b'"arrays":[', b'"meta":{}', b'"<f8"', b"[0,9223372036854775807]", b"-1"),
        runs=5000,
    ),
    Target(
        "wesad-pickle",
        run_pickle,
        _pickles,
        (
            b"cnumpy\n",
            b"ndarray\n",
            b"dtype\n",
            b"_reconstruct\n",
            b"U\x01O",
            b"\x85R",
            b"\x87R",
            b"b.",
        ),
        runs=1500,
    ),
)
