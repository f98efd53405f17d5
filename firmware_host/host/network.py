"""What kind of network the host is on, from ``/sys/class/net``; no socket is made to find out.

The kernel does not know what a connection costs. A mobile modem is taken for metered, as
NetworkManager guesses it; a Wi-Fi that is really a telephone's hotspot cannot be told from another.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

from firmware_host.host.files import entries, read_number, read_word

_FOLDER = "sys/class/net"
# Types of <linux/if_arp.h>: a modem's point-to-point line and raw IP.
_PPP, _RAW_IP = 512, 519
_MODEMS = ("wwan", "ppp", "rmnet")
_LOOPBACK = 772
# Virtual ends that carry no traffic of their own to anywhere.
_VIRTUAL = ("bridge", "bond", "vlan", "tun", "wireguard")


class Network(StrEnum):
    """Kind of the best connection there is."""

    NONE = "none"
    METERED = "metered"
    UNMETERED = "unmetered"
    UNKNOWN = "unknown"


def read_network(root: Path) -> Network:
    """The kind of network that is up under ``root``; the cheapest, if there are several."""
    found = entries(root / _FOLDER)
    if found is None:
        return Network.UNKNOWN
    kinds = {_kind(interface) for interface in found if _is_up(interface)}
    for kind in (Network.UNMETERED, Network.METERED):
        if kind in kinds:
            return kind
    return Network.NONE


def _is_up(interface: Path) -> bool:
    if read_number(interface / "type") in (None, _LOOPBACK) or _is_virtual(interface):
        return False
    state = read_word(interface / "operstate")
    # Modems and some USB adapters never say more than "unknown"; a carrier then decides.
    return state == "up" or (state == "unknown" and read_number(interface / "carrier") == 1)


def _is_virtual(interface: Path) -> bool:
    return _devtype(interface) in _VIRTUAL or (interface / "tun_flags").exists()


def _kind(interface: Path) -> Network:
    is_modem = (
        read_number(interface / "type") in (_PPP, _RAW_IP)
        or _devtype(interface) == "wwan"
        or interface.name.startswith(_MODEMS)
    )
    return Network.METERED if is_modem else Network.UNMETERED


def _devtype(interface: Path) -> str:
    lines = (read_word(interface / "uevent") or "").splitlines()
    return next((line[8:] for line in lines if line.startswith("DEVTYPE=")), "")
