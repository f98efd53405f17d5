"""One look at the host: what feeds it, how warm, busy and full it is, and what it is connected to."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from firmware_host.host.files import free_bytes
from firmware_host.host.load import Load, read_load
from firmware_host.host.network import Network, read_network
from firmware_host.host.power import Power, Source, read_power
from firmware_host.host.thermal import Heat, read_heat
from firmware_host.words import counted


@dataclass(frozen=True, slots=True)
class HostReadings:
    """What the host said of itself at one moment; the defaults are a host that says nothing."""

    power: Power = field(default_factory=Power)
    heat: Heat = field(default_factory=Heat)
    load: Load = field(default_factory=Load)
    network: Network = Network.UNKNOWN
    free_bytes: int | None = None

    @property
    def has_readings(self) -> bool:
        """Whether the host says anything that can hold learning up, the disk aside."""
        silent = (Power(), Heat(), Load())
        return (self.power, self.heat, self.load) != silent

    def facts(self) -> dict[str, Any]:
        """Plain values for machines; null for what is not known."""
        slowed = self.heat.slowed
        return {
            "power": self.power.source.value,
            "battery_percent": self.power.battery_percent,
            "soc_c": self.heat.soc_c,
            "throttle_at_c": self.heat.throttle_at_c,
            "slowed": None if slowed is None else [flag.value for flag in slowed],
            "load": self.load.last_minute,
            "cpus": self.load.n_cpus,
            "network": self.network.value,
            "free_bytes": self.free_bytes,
        }

    def words(self) -> str:
        """One line for a person."""
        parts = [_power(self.power), _heat(self.heat), _load(self.load)]
        parts += [_disk(self.free_bytes), f"network {self.network.value}"]
        return ", ".join(parts)


def read_host(root: Path = Path("/"), *, storage: Path | None = None) -> HostReadings:
    """Read everything once; never raises, whatever is missing or garbled.

    Parameters
    ----------
    root
        Where ``/sys`` and ``/proc`` are.
    storage
        Folder of the vault, for the space left where it lies; really there, whatever ``root`` is.
    """
    return HostReadings(
        power=read_power(root),
        heat=read_heat(root),
        load=read_load(root),
        network=read_network(root),
        free_bytes=None if storage is None else _free_bytes(storage),
    )


def _free_bytes(storage: Path) -> int | None:
    try:
        return free_bytes(storage)
    except OSError:
        return None


def _power(power: Power) -> str:
    source = "power unknown" if power.source is Source.UNKNOWN else f"on {power.source.value}"
    percent = power.battery_percent
    return source if percent is None else f"{source} (battery {percent:.0f} %)"


def _heat(heat: Heat) -> str:
    warm = "temperature unknown" if heat.soc_c is None else f"{heat.soc_c:.0f} degC"
    return ", ".join([warm, *(flag.value for flag in heat.slowed or ())])


def _load(load: Load) -> str:
    if load.last_minute is None or load.n_cpus is None:
        return "load unknown"
    return f"load {load.last_minute:.2f} on {counted(load.n_cpus, 'CPU')}"


def _disk(n_bytes: int | None) -> str:
    return "disk unknown" if n_bytes is None else f"{n_bytes / 1e9:.1f} GB free"
