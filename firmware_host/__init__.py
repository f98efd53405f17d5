"""Signet: a privacy-first wearable runtime that learns one wearer's signatures on the host.

As a library::

    import firmware_host as signet

    with signet.open("replay:walk.mcap") as device:
        for block in device:
            print(block.channel.name, block.utc, block.values.mean(axis=0))

Everything that goes wrong on purpose is a `SignetError`. Importing this loads no other library.
"""

from __future__ import annotations

import importlib

__version__ = "0.5.0"
__all__ = [
    "Block",
    "Channel",
    "Device",
    "Event",
    "Hello",
    "SignetError",
    "__version__",
    "convert",
    "open",
    "record",
]

# As in typing, which would be most of what importing this costs: a Ctrl-C until then is nobody's.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from os import PathLike
    from typing import Any

    from firmware_host.errors import SignetError
    from firmware_host.events import StreamNoted as Event
    from firmware_host.protocol.messages import Channel, Hello
    from firmware_host.runtime.device import Block, Device
else:
    # Loaded when they are asked for: a command line that only prints its help needs none of them.
    _HOMES = {
        "Block": ("runtime.device", "Block"),
        "Channel": ("protocol.messages", "Channel"),
        "Device": ("runtime.device", "Device"),
        "Event": ("events", "StreamNoted"),
        "Hello": ("protocol.messages", "Hello"),
        "SignetError": ("errors", "SignetError"),
    }

    def __getattr__(name: str) -> Any:
        if name not in _HOMES:
            msg = f"module {__name__!r} has no attribute {name!r}"
            raise AttributeError(msg)
        module, attribute = _HOMES[name]
        return getattr(importlib.import_module(f"{__name__}.{module}"), attribute)


def open(
    device: str | PathLike[str],
    *,
    rates: Mapping[str, float] | None = None,
    silence_s: float = 5.0,
    max_silence_s: float = 0.0,
) -> Device:
    """Open a board, a recording or the simulator; iterate over it for its samples.

    Parameters
    ----------
    device
        ``/dev/serial/by-id/...``, ``socket://host:port``, ``text:/dev/...``, ``synthetic:?seed=7``,
        ``replay:FILE?speed=10&from=10m``, or the path of a recording.
    rates
        Sample rates in Hz by channel that a live board is asked for; a recording has the rates it has.
    silence_s, max_silence_s
        After how many seconds without data a live board's silence is an event, and after how many an error;
        0 waits for a board that is away as long as it takes.

    Raises
    ------
    SignetError
        If it cannot be opened; the text says what to do.
    """
    from firmware_host.runtime.library import open_checked

    return open_checked(device, rates=rates, silence_s=silence_s, max_silence_s=max_silence_s)


def record(
    device: str | PathLike[str],
    target: str | PathLike[str],
    *,
    seconds: float | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> dict[str, Any]:
    """Record a device into a new MCAP file until it ends, ``stop`` says so, or for ``seconds`` of real time.

    Returns what was recorded: ``files``, ``n_messages``, ``stream_s``, ``missing_samples`` and more counts. The
    file is not encrypted; what was written stays readable wherever it ends.

    Raises
    ------
    SignetError
        If there is no board, the file exists, or the disk is full.
    """
    from firmware_host.runtime.library import record_file

    return record_file(device, target, seconds=seconds, stop=stop)


def convert(source: str | PathLike[str], target: str | PathLike[str]) -> dict[str, Any]:
    """Write a recording in another format, by the new file's suffix: .mcap .edf .xdf .csv, or .zip (Empatica E4).

    Returns what was written, and in ``lost``, a line each, what the new format cannot hold.

    Raises
    ------
    SignetError
        If either is of no format we know, ``source`` cannot be read, or ``target`` exists.
    """
    from firmware_host.runtime.library import convert_file

    return convert_file(source, target)
