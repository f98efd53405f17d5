"""A board that is not there yet, awaited."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable

from firmware_host.errors import LinkError
from firmware_host.reconnect import Reconnect
from firmware_host.runtime.link import POLL_S, Link

_LOGGER = logging.getLogger(__name__)


def awaited_link(
    opens: Callable[[], Link],
    told: Callable[[str], None],
    *,
    stop: Callable[[], bool],
    monotonic: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Link:
    """Open a link, as long as it takes for a board to be there.

    Parameters
    ----------
    told
        Is told, again and again while it waits, why there is none yet.
    stop
        Whether nobody waits any more.

    Raises
    ------
    LinkError
        Why there was none, if it was told to stop.
    """
    reconnect = Reconnect(clock=monotonic, rng=random.Random())
    while True:
        reconnect.trying()
        try:
            return opens()
        except LinkError as err:
            reconnect.lost(str(err))
            if reconnect.failures == 1:
                _LOGGER.warning("%s; waiting for it", err)
            while (wait_s := reconnect.wait_s()) > 0 and not stop():
                told(reconnect.reason)
                sleep(min(wait_s, POLL_S))
            if stop():
                raise
