"""What goes onto a board: the app's files, the codec both sides share, and what this kind of board has."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from firmware_host.errors import FlashError
from firmware_host.flash.values import Board

_PACKAGE = Path(__file__).resolve().parents[1]
APP_FOLDER = _PACKAGE / "board"
CODEC = _PACKAGE / "protocol" / "frame.py"
CONFIG = "board.json"
# MicroPython runs it at boot: it comes last, so that a half-copied app is never started.
MAIN = "main.py"
_VERSION = re.compile(r'^VERSION = "(\d+(?:\.\d+)*)"$', re.MULTILINE)
# Names of the app's drivers, in the order of channels, and what each gives; of two the first that answers.
SENSORS = {
    "lsm6ds3|mpu6050": {"acc", "gyro"},
    "max30102": {"bvp"},
    "tmp117": {"temp"},
}


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


def app_version(folder: Path = APP_FOLDER) -> str:
    """The app's version, as it says it in HELLO after ``signet``; empty if it names none."""
    found = (_VERSION.search(path.read_text()) for path in sorted(folder.glob("*.py")))
    return next((match[1] for match in found if match), "")


def config_bytes(board: Board) -> bytes:
    """``board.json``: buses, pins, sensors to look for; what a board does not have is left out."""
    senses = {*board.onboard, *board.wired}
    buses = [{"bus": bus.id, "hz": bus.hz, "scl": bus.scl, "sda": bus.sda} for bus in board.buses]
    config: dict[str, Any] = {
        "board": board.key,
        "i2c": buses[0] if len(buses) == 1 else buses,
        "sensors": [name for name, gives in SENSORS.items() if senses & gives],
        "ring": board.ring_kib,
    }
    config.update({name: {"pin": pin} for name, pin in board.pins.items()})
    if not board.has_watchdog:
        config["watchdog"] = False
    if "led" in config:
        config["led"]["lit"] = board.led_lit
    for name, part in (("eda", board.eda), ("battery", board.battery)):
        if part is not None:
            told = asdict(part)
            config[name] = {key: value for key, value in told.items() if value is not None}
    return json.dumps(config, sort_keys=True).encode() + b"\n"
