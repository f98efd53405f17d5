"""Recordings as MCAP files."""

from __future__ import annotations

from firmware_host.recording.mcap_reader import McapReader
from firmware_host.recording.mcap_writer import McapWriter

__all__ = ["McapReader", "McapWriter"]
