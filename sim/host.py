"""The host of the simulation: what it draws, how warm that makes it, how full its battery is.

It is a model of the order of a Raspberry Pi 4 and no measurement of one: heat is one mass with one way
out, a core is busy or idle, and a flat battery does not switch the host off. `HostModel.write` lays
its state out as the kernel does, so that it is read by the same files as a real host.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from sim.host_plan import HostPlan

# Raspberry Pi 4: 540 mA idle and 1280 mA with four busy cores, at 5 V (pidramble.com, "Power
# consumption benchmarks").
_IDLE_W = 2.7
_CORE_W = (6.4 - 2.7) / 4
# A board and its heat spreader; with a bare board's 10 K/W it warms up in 2.5 min, in a closed case in 4.
_HEAT_J_PER_K = 15.0
# The stream and its two models, of one core.
_STREAM_CORES = 0.15
# The firmware slows the cores down from 80 degC on (Raspberry Pi documentation, "Frequency management");
# how far below it lets go is not documented.
THROTTLE_C = 80.0
_RELEASE_C = 78.0
# 1500 to 600 MHz at the lower voltage that goes with it.
_THROTTLED_SHARE = 0.35
# Bit 1, frequency capped, and its memory since boot.
_CAPPED_NOW, _CAPPED_SINCE_BOOT = 1 << 1, 1 << 17
# Two 18650 cells, as the usual battery boards carry, and what such a board charges with.
_BATTERY_WH = 18.5
_CHARGE_W = 10.0
# The kernel's own time constant of the first figure in /proc/loadavg.
_LOAD_TAU_S = 60.0
# The firmware looks at its sensor about this often.
_STEP_S = 1.0
# One count of the BCM2711's sensor, and the noise that readings of it show.
_SENSOR_STEP_C = 0.487
_SENSOR_NOISE_C = 0.3
_NOISE_STREAM = 21
_WRITE_EVERY_S = 5.0
# What was true of the host, one line each time it is written, times since the scenario's start.
HISTORY = "history.csv"
# Whether the disk has room left, for sim/disk.py.
DISK = "disk"
ROOM, FULL = "room", "full"
_HISTORY_HEADER = "t_s,soc_c,battery_percent,mains,throttled,busy_cores"


class HostModel:
    """A host that lives by virtual time: `advance` it, then `write` what it would say.

    Advancing in one step or in many gives the same state; the seed only makes the sensor's noise.
    """

    def __init__(self, plan: HostPlan, *, seed: int) -> None:
        self._plan = plan
        self._seed = seed
        self._t_s = 0.0
        _, ambient_c = plan.at(0.0)
        self.soc_c = ambient_c + self._power_w(_STREAM_CORES) * plan.case_k_per_w
        self.load = _STREAM_CORES
        self.is_throttled = False
        self._was_throttled = False
        percent = plan.battery_percent
        self._stored_wh = None if percent is None else _BATTERY_WH * percent / 100
        self._written: dict[Path, str] = {}

    def facts(self) -> str:
        """The present, as a line of the history without its last column."""
        mains, _ = self._plan.at(self._t_s)
        percent = "" if self.battery_percent is None else f"{self.battery_percent:.2f}"
        return f"{self._t_s:.1f},{self.soc_c:.2f},{percent},{mains:d},{self.is_throttled:d}"

    @property
    def battery_percent(self) -> float | None:
        """Charge; None without a battery."""
        return None if self._stored_wh is None else 100 * self._stored_wh / _BATTERY_WH

    def advance(self, to_s: float, busy: float) -> None:
        """Let time pass until ``to_s``, with ``busy`` cores at work besides the stream's."""
        cores = min(_STREAM_CORES + busy, float(self._plan.cpus))
        while self._t_s < to_s:
            # Always by way of the whole steps, so that it makes no difference who asks how often.
            end_s = min(to_s, (math.floor(self._t_s / _STEP_S) + 1) * _STEP_S)
            self._step(end_s - self._t_s, cores)
            self._t_s = end_s
            if self._t_s % _STEP_S == 0:
                self._poll_temperature()

    def _step(self, step_s: float, cores: float) -> None:
        mains, ambient_c = self._plan.at(self._t_s)
        power_w = self._power_w(cores * (_THROTTLED_SHARE if self.is_throttled else 1.0))
        end_c = ambient_c + power_w * self._plan.case_k_per_w
        tau_s = _HEAT_J_PER_K * self._plan.case_k_per_w
        self.soc_c = end_c + (self.soc_c - end_c) * math.exp(-step_s / tau_s)
        self.load = cores + (self.load - cores) * math.exp(-step_s / _LOAD_TAU_S)
        if self._stored_wh is not None:
            flow_wh = (_CHARGE_W if mains else -power_w) * step_s / 3600
            self._stored_wh = min(max(self._stored_wh + flow_wh, 0.0), _BATTERY_WH)

    def _poll_temperature(self) -> None:
        self.is_throttled = self.soc_c >= (_RELEASE_C if self.is_throttled else THROTTLE_C)
        self._was_throttled |= self.is_throttled

    @staticmethod
    def _power_w(cores: float) -> float:
        return _IDLE_W + _CORE_W * cores

    def write(self, root: Path) -> None:
        """Lay out ``/sys`` and ``/proc`` under ``root`` as of now; what did not change is left alone."""
        for path, text in self._tree().items():
            file = root / path
            if self._written.get(file) != text:
                _replace(file, text)
                self._written[file] = text
        (root / "sys/class/power_supply").mkdir(parents=True, exist_ok=True)

    def _tree(self) -> dict[str, str]:
        flags = _CAPPED_NOW * self.is_throttled | _CAPPED_SINCE_BOOT * self._was_throttled
        zone = "sys/class/thermal/thermal_zone0"
        return {
            f"{zone}/type": "cpu-thermal",
            f"{zone}/temp": f"{self._sensor_c() * 1000:.0f}",
            f"{zone}/trip_point_0_type": "critical",
            f"{zone}/trip_point_0_temp": "110000",
            "sys/devices/platform/soc/soc:firmware/get_throttled": f"{flags:x}",
            "sys/devices/system/cpu/online": "0"
            if self._plan.cpus == 1
            else f"0-{self._plan.cpus - 1}",
            "proc/loadavg": f"{self.load:.2f} {self.load:.2f} {self.load:.2f} 1/99 999",
            "sys/class/net/lo/type": "772",
            "sys/class/net/lo/operstate": "unknown",
            "sys/class/net/wlan0/type": "1",
            "sys/class/net/wlan0/operstate": "up",
            **self._supplies(),
        }

    def _supplies(self) -> dict[str, str]:
        percent = self.battery_percent
        if percent is None:
            return {}
        mains, _ = self._plan.at(self._t_s)
        status = "Discharging" if not mains else "Full" if percent >= 100 else "Charging"
        ac, battery = "sys/class/power_supply/ac", "sys/class/power_supply/battery"
        return {
            f"{ac}/type": "Mains",
            f"{ac}/online": str(int(mains)),
            f"{battery}/type": "Battery",
            f"{battery}/present": "1",
            f"{battery}/status": status,
            f"{battery}/capacity": str(int(percent)),
        }

    def _sensor_c(self) -> float:
        rng = np.random.default_rng([self._seed, _NOISE_STREAM, int(self._t_s)])
        noisy_c = self.soc_c + float(rng.normal(0.0, _SENSOR_NOISE_C))
        return round(noisy_c / _SENSOR_STEP_C) * _SENSOR_STEP_C


class HostTree:
    """A `HostModel` kept up to date in a folder, which a command takes for the root of its machine.

    Written every few seconds only: a chip's temperature is not read more often.
    """

    def __init__(self, model: HostModel, root: Path) -> None:
        self._model = model
        self._root = root
        self._now_s = 0.0
        self._written_s = 0.0
        self._worked_s = self._busy_s = 0.0
        self._disk_is_full = False
        model.write(root)
        (root / DISK).write_text(ROOM, encoding="ascii")
        (root / HISTORY).write_text(_HISTORY_HEADER + "\n", encoding="ascii")

    def work(self, cpu_s: float) -> None:
        """Take note of work done besides the stream, in seconds of one CPU."""
        self._worked_s += cpu_s

    def live_until(self, now_s: float, *, disk_is_full: bool = False) -> None:
        """Let time pass; what was worked since the last time is spread over it."""
        if disk_is_full != self._disk_is_full:
            self._disk_is_full = disk_is_full
            (self._root / DISK).write_text(FULL if disk_is_full else ROOM, encoding="ascii")
        if now_s <= self._now_s:
            return
        self._model.advance(now_s, self._worked_s / (now_s - self._now_s))
        self._busy_s += self._worked_s
        self._now_s, self._worked_s = now_s, 0.0
        if now_s - self._written_s >= _WRITE_EVERY_S:
            self._model.write(self._root)
            busy = self._busy_s / (now_s - self._written_s)
            with (self._root / HISTORY).open("a", encoding="ascii") as file:
                file.write(f"{self._model.facts()},{busy:.3f}\n")
            self._written_s, self._busy_s = now_s, 0.0


def _replace(file: Path, text: str) -> None:
    """Never half a value: somebody may be reading."""
    file.parent.mkdir(parents=True, exist_ok=True)
    fresh = file.with_name(f".{file.name}.new")
    fresh.write_text(text + "\n", encoding="ascii")
    fresh.replace(file)
