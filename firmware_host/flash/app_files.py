"""What goes onto a board: the app's files, the codec both sides share, and what this kind of board has."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from firmware_host.errors import FlashError
from firmware_host.flash.values import Battery, Board

_PACKAGE = Path(__file__).resolve().parents[1]
APP_FOLDER = _PACKAGE / "board"
CODEC = _PACKAGE / "protocol" / "frame.py"
CONFIG = "board.json"
# MicroPython runs it at boot: it comes last, so that a half-copied app is never started.
MAIN = "main.py"


@dataclass(frozen=True, slots=True)
class AppFile:
    """One file: its path on the board, without a leading slash, and its bytes."""

    name: str
    data: bytes

    @property
    def sha256(self) -> str:
        """As the board computes it, hexadecimal."""
        return hashlib.sha256(self.data).hexdigest()


def app_files(board: Board, folder: Path = APP_FOLDER) -> list[AppFile]:
    """All files for a board, ``main.py`` last.

    Raises
    ------
    FlashError
        If this installation has no app.
    """
    names = {str(path.relative_to(folder)): path for path in folder.rglob("*.py")}
    if MAIN not in names:
        raise FlashError(f"{folder}: expected the board's app, got no {MAIN}: install Signet again")
    names[CODEC.name] = CODEC
    files = [AppFile(name, path.read_bytes()) for name, path in names.items()]
    files.append(AppFile(CONFIG, config_bytes(board)))
    return sorted(files, key=lambda file: (file.name == MAIN, file.name))


def config_bytes(board: Board) -> bytes:
    """``board.json``: buses, pins and converters; what a board does not have is left out."""
    config: dict[str, Any] = {
        "board": board.key,
        "i2c": [asdict(bus) for bus in board.buses],
        "pins": dict(board.pins),
        "led_lit": board.led_lit,
    }
    if board.eda is not None:
        config["eda"] = asdict(board.eda)
    if board.battery is not None:
        config["battery"] = _battery(board.battery)
    return json.dumps(config, sort_keys=True).encode() + b"\n"


def _battery(battery: Battery) -> dict[str, Any]:
    told = asdict(battery)
    if battery.enable is None:
        del told["enable"], told["enabled_by"]
    return told
