"""Results onto the disk: checked before the long work, written whole or not at all."""

from __future__ import annotations

import json
import math
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from firmware_host.errors import ConfigError, StorageError

# What umask 022 gives; a temporary file starts with owner only.
_MODE = 0o644


def require_writable(option: str, path: Path | None) -> None:
    """Refuse a place that could not be written at the end of an hour's work.

    Raises
    ------
    ConfigError
        If the folder does not exist, or the path is no regular file.
    StorageError
        If the folder is not writable.
    """
    if path is None:
        return
    if path.is_dir():
        raise ConfigError(option, "a file to write", f"the folder {path}")
    if path.exists() and not path.is_file():
        raise ConfigError(option, "a regular file", str(path))
    folder = path.absolute().parent
    if not folder.is_dir():
        raise ConfigError(option, "a file in a folder that exists", str(path))
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as err:
        raise StorageError(f"{option} {path}: not writable: {err.strerror or err}") from err


def require_different(places: Mapping[str, Path | None]) -> None:
    """Refuse two results in one file: the second would replace the first.

    Raises
    ------
    ConfigError
        If two options name the same file.
    """
    taken: dict[str, str] = {}
    for option, path in places.items():
        if path is None:
            continue
        first = taken.setdefault(os.path.realpath(path), option)
        if first != option:
            raise ConfigError(option, f"another file than that of {first}", str(path))


def plain(value: Any) -> Any:
    """Values as JSON knows them: what is not known (NaN, infinity) becomes null."""
    if isinstance(value, dict):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def write_json(path: Path, result: dict[str, Any]) -> None:
    """Write the result as JSON; NaN must be gone already.

    Raises
    ------
    StorageError
        If the disk is full or the folder is not writable; what was there before is intact.
    """
    write_text(path, json.dumps(result, indent=2, allow_nan=False) + "\n")


def write_text(path: Path, text: str) -> None:
    """Write a temporary file beside and rename it.

    Raises
    ------
    StorageError
        As `write_json`.
    """
    target = Path(os.path.realpath(path))
    try:
        with tempfile.NamedTemporaryFile(
            "w", encoding="utf-8", dir=target.parent, prefix=f".{target.name}.", delete=False
        ) as file:
            beside = Path(file.name)
            try:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
                beside.chmod(_MODE)
                beside.replace(target)
            except BaseException:
                beside.unlink(missing_ok=True)
                raise
    except OSError as err:
        raise StorageError(f"{path}: not written: {err.strerror or err}") from err
