"""Boards that run an earlier app of ours than the one that is shipped here."""

from __future__ import annotations

import re
import shlex

from firmware_host.flash.app_files import app_version
from firmware_host.transport.base import parse_url

# Simulators and other firmware call themselves something else.
_OURS = re.compile(r"signet(?:-safe)? (\d+(?:\.\d+)*)")
_PORTS = ("serial", "pty")


def update_offer(firmware: str, url: str) -> str:
    """One line that offers the update; empty unless ``firmware`` is our app of an earlier version.

    Parameters
    ----------
    firmware
        As HELLO tells it.
    url
        Device URL of the board.
    """
    theirs, ours = _OURS.fullmatch(firmware), app_version()
    if theirs is None or not ours or _numbers(theirs[1]) >= _numbers(ours):
        return ""
    parsed = parse_url(url)
    at_port = f" --device {shlex.quote(parsed.target)}" if parsed.scheme in _PORTS else ""
    # Behind a socket it is plugged in elsewhere.
    where = "" if at_port or parsed.scheme == "auto" else ", where it is plugged in"
    return f"the board's app is older than ours ({theirs[1]}, ours is {ours}): signet flash --app-only{at_port}{where}"


def _numbers(version: str) -> list[int]:
    return [int(number) for number in version.split(".")]
