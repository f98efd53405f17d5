"""Labels that a wearer took out of the vault with `signet vault export`."""

from __future__ import annotations

import json
import zipfile
from functools import lru_cache
from pathlib import Path

from firmware_host.adaptation.labels import LABEL_KIND, LABEL_REMOVED_KIND
from firmware_host.errors import LabelError, RecordingError
from firmware_host.vault.wearer import EXPORT_FORMAT
from training.datasets.members import is_mac_file

_MANIFEST = "manifest.json"


def is_export(path: Path) -> bool:
    """Whether an archive is a vault's export.

    Raises
    ------
    RecordingError
        If it is no complete archive.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return _MANIFEST in archive.namelist()
    except (zipfile.BadZipFile, OSError) as err:
        raise RecordingError(
            path, "a complete zip archive", f"one that does not open ({err})"
        ) from err


def export_labels(folder: Path) -> list[tuple[float, float, str]]:
    """(start_utc, end_utc, label) that hold, of every export in the folder, in order of time.

    Raises
    ------
    LabelError
        If an export is of another format or damaged.
    """
    archives = [path for path in sorted(folder.glob("*.zip")) if not is_mac_file(path.name)]
    exports = [path for path in archives if is_export(path)]
    return sorted({span for path in exports for span in _labels(path, path.stat().st_mtime_ns)})


@lru_cache(maxsize=4)
def _labels(path: Path, mtime_ns: int) -> list[tuple[float, float, str]]:  # noqa: ARG001
    try:
        with zipfile.ZipFile(path) as archive:
            received = json.loads(archive.read(_MANIFEST)).get("format")
            given, removed = (_records(archive, k) for k in (LABEL_KIND, LABEL_REMOVED_KIND))
        taken_back = {record["meta"]["label_id"] for record in removed}
        spans = [
            (float(meta["start_utc"]), float(meta["end_utc"]), str(meta["label"]))
            for meta in (record["meta"] for record in given if record["id"] not in taken_back)
        ]
    except (zipfile.BadZipFile, OSError, ValueError, KeyError, TypeError, AttributeError) as err:
        raise LabelError(f"{path}: expected a vault's export, got a damaged one ({err})") from err
    if received != EXPORT_FORMAT:
        raise LabelError(f"{path}: expected format {EXPORT_FORMAT}, got {received!r}")
    return spans


def _records(archive: zipfile.ZipFile, kind: str) -> list[dict]:
    parts = [n for n in archive.namelist() if n.startswith(f"{kind}/") and n.endswith(".jsonl")]
    return [json.loads(line) for n in parts for line in archive.read(n).splitlines()]
