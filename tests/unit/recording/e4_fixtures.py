"""A small E4 session made by rule, written as the vendor or as a publisher would."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np

START_UTC = 1_644_829_925.0
_DATE = "2022-02-14 09:12:05"
_NEXT_DATE = "2022-02-14 09:12:06"


def session_files(n_s: int = 20, *, dates: bool = False, acc_high: int = 60) -> dict[str, str]:
    """CSV texts; BVP starts one second after the other channels, as happens in real archives."""
    starts = (_DATE, _NEXT_DATE) if dates else (f"{START_UTC:.2f}", f"{START_UTC + 1:.2f}")
    rng = np.random.default_rng(5)
    bvp = np.round(rng.normal(0, 40, (n_s - 1) * 64), 2)
    acc = rng.integers(-60, acc_high, (n_s * 32, 3))
    return {
        "BVP.csv": "\n".join([starts[1], "64.0", *(f"{v:.2f}" for v in bvp)]),
        "EDA.csv": "\n".join([starts[0], "4.0", *(f"{1 + i / 1e3:.6f}" for i in range(n_s * 4))]),
        "TEMP.csv": "\n".join([starts[0], "4.0", *(f"{33 + i / 50:.2f}" for i in range(n_s * 4))]),
        "ACC.csv": "\n".join(
            [", ".join([starts[0]] * 3), "32.0, 32.0, 32.0", *(",".join(map(str, r)) for r in acc)]
        ),
        "tags.csv": f"{START_UTC + 5.5}\n{START_UTC + 12}\n{START_UTC - 43_200}\n",
    }


def write_zip(path: Path, files: dict[str, str], prefix: str = "") -> Path:
    """The files as one zip."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(prefix + name, text)
    return path


def write_folder(path: Path, files: dict[str, str]) -> Path:
    """The files as a folder."""
    path.mkdir(parents=True)
    for name, text in files.items():
        (path / name).write_text(text)
    return path
