"""Byte layouts of the payloads, as `struct` knows them. The same as tables: SPEC.md."""

from __future__ import annotations

# What every command and its answer begin with; the arguments and the answer of BACKFILL.
COMMAND, ACK = "<BiI", "<BBI"
RANGE, COMING = "<BI", "<BIIH"
EVENT, TOKEN, RING = "<Bi", "<I", "<I"
CHANNEL = "<fddBB"
UPTIME, COUNTER, PART_FACTS = "<IB", "<BI", "<BI"
# Counters of a STATUS by their number there.
COUNTERS = {
    1: "free_bytes",
    2: "n_boots",
    3: "n_late",
    4: "n_dropped",
    5: "n_overruns",
    6: "n_bad_frames",
    7: "n_failures",
}
