"""STATUS and why the board booted (SPEC.md)."""

import gc
from struct import pack

import frame
import machine
from hello import string

# Why it booted, by what the boot before wanted of this one.
_CAUSES = {"asked": 3, "safe": 3, "failed": 4}
_UNKNOWN, _POWER, _WATCHDOG, _ASKED = 0, 1, 2, 3


def cause(wish):
    """SPEC.md's number for why the board booted."""
    if wish in _CAUSES:
        return _CAUSES[wish]
    try:
        told = machine.reset_cause()
    except AttributeError:
        # Some ports do not tell.
        return _UNKNOWN
    if told == machine.PWRON_RESET:
        return _POWER
    if wish == "prompt":
        # An RP2040 calls every reset by its program one of the watchdog's.
        return _ASKED
    return _WATCHDOG if told == machine.WDT_RESET else _UNKNOWN


def payload(board, uptime_s, cause):
    """A STATUS of a board; parts that no longer fit are left out."""
    state, decoder = board.state, board.decoder
    counters = (gc.mem_free(), state.n_boots, board.n_late, board.n_dropped, board.n_overruns())
    counters += (decoder.bad_frames + decoder.oversize, state.n_failures)
    data = pack("<IBB", uptime_s, cause, len(counters))
    for i in range(len(counters)):
        data += pack("<BI", i + 1, counters[i])
    told = b""
    n = 0
    for name, how, n_errors in board.parts():
        each = string(name) + pack("<BI", how, n_errors)
        if len(data) + 1 + len(told) + len(each) > frame.MAX_PAYLOAD_BYTES:
            break
        told += each
        n += 1
    return data + bytes([n]) + told
