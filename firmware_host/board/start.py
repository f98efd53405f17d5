"""What the app begins with: what is kept, or what board.json says, or the usual."""

from config import number
from ring import largest
from settings import why

WARNING = 30
RATES_HZ = {"acc": 100, "gyro": 100, "bvp": 64, "eda": 4, "temp": 4}
_MAX_RING_KIB = 8192


def rate_mhz(source, name, config, kept, log):
    """The rate of a source's channel, one that its sensor can do."""
    said = config.get("rates", {})
    if not isinstance(said, dict):
        log(WARNING, "board.json: rates: expected an object, got %s" % type(said).__name__)
        said = {}
    usual_hz = RATES_HZ.get(name, 1)
    hz = number(said, name, usual_hz, 0.1, 200, log)
    hz = float(kept.get("rate." + name, hz))
    try:
        if source.can_do(round(hz * 1000)):
            return round(hz * 1000)
        log(WARNING, "%s cannot be read at %g Hz" % (name, hz))
    except OSError as err:
        log(WARNING, "%s: %s" % (source.name, why(err)))
    return usual_hz * 1000


def ring_of(config, kept, log):
    """A ring as large as is wanted, or as there is memory for."""
    kib = number(config, "ring", 0, 0, _MAX_RING_KIB, log)
    wanted = int(float(kept.get("ring", kib))) * 1024
    ring = largest(wanted)
    if ring.n_bytes < wanted:
        log(WARNING, "memory for %d of %d bytes of ring" % (ring.n_bytes, wanted))
    return ring
