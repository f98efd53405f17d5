"""A machine in a folder: ``/dev``, ``/sys`` and ``/proc`` as the kernel lays them out."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass
class FakeMachine:
    root: Path

    def write(self, path: str, text: str) -> Path:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text + "\n")
        return file

    def add_usb_port(
        self, name: str, usb_id: str, *, product: str = "", by_id: str = "", bridge: bool = False
    ) -> None:
        """A CDC port, or with ``bridge`` one behind a bridge driver, which adds a level."""
        device = f"sys/devices/usb1/1-1/{name}-usb"
        vendor, model = usb_id.split(":")
        self.write(f"{device}/idVendor", vendor)
        self.write(f"{device}/idProduct", model)
        if product:
            self.write(f"{device}/product", product)
        port = f"{device}/1-1:1.0" + (f"/{name}" if bridge else "")
        (self.root / port).mkdir(parents=True, exist_ok=True)
        tty = self.root / "sys/class/tty" / name
        tty.mkdir(parents=True)
        (tty / "device").symlink_to(self.root / port)
        self.write(f"dev/{name}", "")
        if by_id:
            folder = self.root / "dev/serial/by-id"
            folder.mkdir(parents=True, exist_ok=True)
            (folder / by_id).symlink_to(f"../../{name}")

    def add_process(self, pid: int, command: str, opens: str) -> None:
        self.write(f"proc/{pid}/comm", command)
        folder = self.root / f"proc/{pid}/fd"
        folder.mkdir()
        os.symlink(self.root / opens, folder / "5")


@pytest.fixture
def fake(tmp_path: Path) -> FakeMachine:
    root = tmp_path / "root"
    root.mkdir()
    return FakeMachine(root.resolve())
