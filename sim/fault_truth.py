"""What was done to a stream, as a file that a test can hold a host's counts against."""

from __future__ import annotations

import json
import math
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from firmware_host.errors import StorageError

if TYPE_CHECKING:
    from sim.bad_sensors import TroubledBody
    from sim.faults import FaultyBoard


def fault_truth(device: FaultyBoard, body: TroubledBody) -> dict[str, Any]:
    """Plain values: ``struck`` in time, ``counts`` of what was done, ``line`` and ``channels`` of what arrived.

    Times are true seconds after power on; an end that never comes is None.
    """
    board = device.board.counters
    sensors: dict[str, Counter[str]] = {}
    for (kind, channel), n in sorted(body.counts.items()):
        sensors.setdefault(kind, Counter())[channel] = n
    return {
        "struck": [
            [kind, start_s, end_s if end_s < math.inf else None]
            for kind, start_s, end_s in device.struck
        ],
        "host_steps": device.host_steps,
        "counts": asdict(device.counters),
        "board": {"dropped_frames": board.dropped_frames, "reboots": board.reboots},
        "changed_samples": sensors,
        **({} if device.account is None else device.account.as_dict()),
    }


def write_fault_truth(path: Path, device: FaultyBoard, body: TroubledBody) -> None:
    """Write it as JSON.

    Raises
    ------
    StorageError
        If the file cannot be written.
    """
    try:
        path.write_text(json.dumps(fault_truth(device, body)) + "\n", encoding="ascii")
    except OSError as err:
        raise StorageError(f"{path}: cannot write what was done: {err.strerror}") from err
