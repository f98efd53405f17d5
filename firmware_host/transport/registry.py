"""URL scheme to transport, one table."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from firmware_host.errors import ConfigError
from firmware_host.transport.base import DeviceUrl, Transport, parse_url
from firmware_host.transport.loopback import open_loopback
from firmware_host.transport.serial_port import open_serial
from firmware_host.transport.simulator import open_simulator
from firmware_host.transport.tcp import open_tcp
from firmware_host.transport.text import open_text

Factory = Callable[[DeviceUrl], Transport]

FACTORIES: Mapping[str, Factory] = {
    "serial": open_serial,
    "pty": open_serial,
    "socket": open_tcp,
    "text": open_text,
    "text+pty": open_text,
    "text+socket": open_text,
    "text+synthetic": open_text,
    "loop": open_loopback,
    "synthetic": open_simulator,
    "sim": open_simulator,
}


def open_transport(url: str, factories: Mapping[str, Factory] = FACTORIES) -> Transport:
    """The link a device URL names, opened.

    Raises
    ------
    ConfigError
        If the URL is malformed or its scheme unknown; the text lists the known ones.
    LinkError
        If the board cannot be reached.
    """
    parsed = parse_url(url)
    factory = factories.get(parsed.scheme)
    if factory is None:
        known = ", ".join(f"{scheme}:" for scheme in factories)
        raise ConfigError(f"device URL {url}", f"a path or one of {known}", f"{parsed.scheme}:")
    return factory(parsed)
