"""How much of a small board's heap the app takes: ``python -m sim.micropython.memory``.

Numbers and pointers have 32 bits in this build as on the boards, and memory comes in the same blocks of
16 bytes, so the same objects take about the same room there. What compiling a file takes for a moment at boot
is not in it.
"""

from __future__ import annotations

import re
import sys
import tempfile
from pathlib import Path

from firmware_host.errors import LinkError, SignetError
from sim.body import SyntheticBody
from sim.micropython.process import board_json, put_app, run_virtually
from sim.micropython.worn import Hardware, Worn
from sim.person import Wearer
from sim.schedule import load_scenario

RINGS_KIB = (0, 32, 64)
# The prompt, raw mode, a line, its end; this build collects garbage between two lines.
_ASK = b"\r\x03\r\x01import gc; gc.collect()\x04print('heap', gc.mem_alloc())\x04"
_TOLD = re.compile(rb"heap (\d+)")
# Every kind of block has been sent by then, and the ring has turned round.
_STREAM_S = 40
# The app, which at the prompt would have been forgotten.
_MAIN = f"""from time import ticks_ms
from settings import State
import app
board = app.Board(State(), "")
while ticks_ms() < {1000 * _STREAM_S}:
    board.step()
"""


def heap_bytes(ring_kib: int | None) -> int:
    """Bytes in use with an app that has streamed for a minute, all sensors there; None is without an app.

    Raises
    ------
    LinkError
        If the build does not say.
    """
    body = SyntheticBody(Wearer(load_scenario("short").lasting(0.03), seed=7))
    at_s = 1.0 if ring_kib is None else _STREAM_S + 1.0
    hardware = Hardware(say=((at_s, _ASK),))
    with tempfile.TemporaryDirectory(prefix="signet-flash-") as folder:
        flash = Path(folder)
        if ring_kib is not None:
            put_app(flash, board_json(Worn(body, hardware).rates_hz, ring=ring_kib))
            (flash / "main.py").write_text(_MAIN, encoding="ascii")
        told = _TOLD.search(run_virtually(body, hardware, seconds=at_s + 5.0, flash=flash))
    if told is None:
        raise LinkError("memory", "expected the board's prompt to tell its heap, got no number")
    return int(told[1])


def main() -> int:
    """Print what the app takes with rings of several sizes."""
    try:
        bare = heap_bytes(None)
        for ring_kib in RINGS_KIB:
            print(
                f"ring {ring_kib:3d} KiB  app takes {(heap_bytes(ring_kib) - bare) / 1000:6.1f} kB"
            )
    except SignetError as err:
        print(f"sim: {err}", file=sys.stderr)
        return err.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
