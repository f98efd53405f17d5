"""What real machines say of themselves, as their kernels lay it out, and what is made of it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from firmware_host.host.files import read_word
from firmware_host.host.load import Load, read_load
from firmware_host.host.network import Network, read_network
from firmware_host.host.power import Power, Source, read_power
from firmware_host.host.readings import HostReadings, read_host
from firmware_host.host.thermal import Heat, Slowed, read_heat

# A Raspberry Pi 4 with Raspberry Pi OS: no supply to list, firmware flags, one zone, Wi-Fi and a cable out.
PI_4 = {
    "sys/class/power_supply/.keep": "",
    "sys/class/thermal/thermal_zone0/type": "cpu-thermal",
    "sys/class/thermal/thermal_zone0/temp": "48199",
    "sys/class/thermal/thermal_zone0/trip_point_0_type": "critical",
    "sys/class/thermal/thermal_zone0/trip_point_0_temp": "110000",
    "sys/class/hwmon/hwmon1/name": "rpi_volt",
    "sys/class/hwmon/hwmon1/in0_lcrit_alarm": "0",
    "sys/devices/platform/soc/soc:firmware/get_throttled": "50000",
    "sys/devices/system/cpu/online": "0-3",
    "proc/loadavg": "0.52 0.58 0.59 1/160 1234",
    "sys/class/net/lo/type": "772",
    "sys/class/net/lo/operstate": "unknown",
    "sys/class/net/lo/carrier": "1",
    "sys/class/net/eth0/type": "1",
    "sys/class/net/eth0/operstate": "down",
    "sys/class/net/wlan0/type": "1",
    "sys/class/net/wlan0/operstate": "up",
    "sys/class/net/wlan0/uevent": "DEVTYPE=wlan\nINTERFACE=wlan0\nIFINDEX=3",
}
# A Raspberry Pi 5: trips that start the fan, under-voltage told by hwmon only, a modem on USB, a battery HAT.
PI_5 = {
    "sys/class/power_supply/max170xx_battery/type": "Battery",
    "sys/class/power_supply/max170xx_battery/present": "1",
    "sys/class/power_supply/max170xx_battery/status": "Discharging",
    "sys/class/power_supply/max170xx_battery/capacity": "63",
    "sys/class/thermal/thermal_zone0/type": "cpu-thermal",
    "sys/class/thermal/thermal_zone0/temp": "61450",
    "sys/class/thermal/thermal_zone0/trip_point_0_type": "critical",
    "sys/class/thermal/thermal_zone0/trip_point_0_temp": "110000",
    "sys/class/thermal/thermal_zone0/trip_point_1_type": "active",
    "sys/class/thermal/thermal_zone0/trip_point_1_temp": "50000",
    "sys/class/thermal/thermal_zone0/trip_point_2_type": "active",
    "sys/class/thermal/thermal_zone0/trip_point_2_temp": "60000",
    "sys/class/thermal/cooling_device0/type": "pwm-fan",
    "sys/class/thermal/cooling_device0/cur_state": "2",
    "sys/class/hwmon/hwmon0/name": "cpu_thermal",
    "sys/class/hwmon/hwmon2/name": "rpi_volt",
    "sys/class/hwmon/hwmon2/in0_lcrit_alarm": "1",
    "sys/devices/system/cpu/online": "0-3",
    "proc/loadavg": "1.10 0.80 0.40 2/201 2222",
    "sys/class/net/wwan0/type": "519",
    "sys/class/net/wwan0/operstate": "unknown",
    "sys/class/net/wwan0/carrier": "1",
    "sys/class/net/wwan0/uevent": "DEVTYPE=wwan",
}
# A laptop: two batteries, a mouse with its own, USB-C ports, many zones, a bridge and a tunnel.
LAPTOP = {
    "sys/class/power_supply/AC/type": "Mains",
    "sys/class/power_supply/AC/online": "1",
    "sys/class/power_supply/BAT0/type": "Battery",
    "sys/class/power_supply/BAT0/status": "Not charging",
    "sys/class/power_supply/BAT0/capacity": "80",
    "sys/class/power_supply/BAT0/energy_full": "30000000",
    "sys/class/power_supply/BAT1/type": "Battery",
    "sys/class/power_supply/BAT1/status": "Charging",
    "sys/class/power_supply/BAT1/capacity": "20",
    "sys/class/power_supply/BAT1/energy_full": "10000000",
    "sys/class/power_supply/hidpp_battery_0/type": "Battery",
    "sys/class/power_supply/hidpp_battery_0/scope": "Device",
    "sys/class/power_supply/hidpp_battery_0/status": "Discharging",
    "sys/class/power_supply/hidpp_battery_0/capacity": "5",
    "sys/class/power_supply/ucsi-source-psy-USBC000:001/type": "USB",
    "sys/class/power_supply/ucsi-source-psy-USBC000:001/online": "0",
    "sys/class/thermal/thermal_zone0/type": "INT3400 Thermal",
    "sys/class/thermal/thermal_zone0/temp": "20000",
    "sys/class/thermal/thermal_zone1/type": "x86_pkg_temp",
    "sys/class/thermal/thermal_zone1/temp": "57000",
    "sys/class/thermal/thermal_zone1/trip_point_0_type": "passive",
    "sys/class/thermal/thermal_zone1/trip_point_0_temp": "0",
    "sys/class/thermal/thermal_zone2/type": "acpitz",
    "sys/class/thermal/thermal_zone2/temp": "55000",
    "sys/class/thermal/thermal_zone2/trip_point_1_type": "passive",
    "sys/class/thermal/thermal_zone2/trip_point_1_temp": "95000",
    "sys/class/thermal/thermal_zone3/type": "iwlwifi_1",
    "sys/class/thermal/thermal_zone3/temp": "83000",
    "sys/class/thermal/cooling_device0/type": "Processor",
    "sys/class/thermal/cooling_device0/cur_state": "0",
    "sys/class/thermal/cooling_device9/type": "intel_powerclamp",
    "sys/class/thermal/cooling_device9/cur_state": "-1",
    "sys/devices/system/cpu/online": "0-5,8,10-11",
    "proc/loadavg": "2.25 1.0 1.0 3/900 4444",
    "sys/class/net/wlp2s0/type": "1",
    "sys/class/net/wlp2s0/operstate": "down",
    "sys/class/net/docker0/type": "1",
    "sys/class/net/docker0/operstate": "up",
    "sys/class/net/docker0/uevent": "DEVTYPE=bridge",
    "sys/class/net/tun0/type": "65534",
    "sys/class/net/tun0/operstate": "unknown",
    "sys/class/net/tun0/carrier": "1",
    "sys/class/net/tun0/tun_flags": "0x1",
}
CONTAINER = {
    "sys/class/power_supply/.keep": "",
    "sys/class/thermal/.keep": "",
    "sys/devices/system/cpu/online": "0-1",
    "proc/loadavg": "8.02 6.1 5.0 10/123 22560",
    "sys/class/net/lo/type": "772",
    "sys/class/net/lo/operstate": "unknown",
    "sys/class/net/eth0/type": "1",
    "sys/class/net/eth0/operstate": "up",
}


def _build(fake, tree: dict[str, str]) -> Path:
    for path, text in tree.items():
        fake.write(path, text)
    for keep in fake.root.rglob(".keep"):
        keep.unlink()
    return fake.root


@pytest.mark.parametrize(
    ("tree", "expected"),
    [
        (
            PI_4,
            HostReadings(
                Power(Source.MAINS), Heat(48.199, None, ()), Load(0.52, 4), Network.UNMETERED
            ),
        ),
        (
            PI_5,
            HostReadings(
                Power(Source.BATTERY, 63.0),
                Heat(61.45, None, (Slowed.UNDER_VOLTAGE,)),
                Load(1.10, 4),
                Network.METERED,
            ),
        ),
        (
            LAPTOP,
            HostReadings(
                Power(Source.MAINS, 65.0), Heat(57.0, 95.0, ()), Load(2.25, 9), Network.NONE
            ),
        ),
        (
            CONTAINER,
            HostReadings(
                Power(Source.MAINS), Heat(None, None, None), Load(8.02, 2), Network.UNMETERED
            ),
        ),
        ({}, HostReadings()),
    ],
    ids=["pi 4", "pi 5", "laptop", "container", "nothing"],
)
def test_machine(fake, tree: dict[str, str], expected: HostReadings) -> None:
    assert read_host(_build(fake, tree)) == expected


def test_pi_in_trouble_says_so(fake) -> None:
    root = _build(fake, PI_4 | {"sys/devices/platform/soc/soc:firmware/get_throttled": "5000d"})
    slowed = (Slowed.UNDER_VOLTAGE, Slowed.THROTTLED, Slowed.TOO_HOT)
    assert read_heat(root).slowed == slowed
    assert read_host(root).words() == (
        "on mains, 48 degC, under-voltage, throttled, too hot, load 0.52 on 4 CPUs, disk unknown, "
        "network unmetered"
    )


def test_kernel_that_cools_by_slowing_the_cpu_down_says_throttled(fake) -> None:
    fake.write("sys/class/thermal/cooling_device1/type", "cpufreq-cpu0")
    fake.write("sys/class/thermal/cooling_device1/cur_state", "3")
    assert read_heat(fake.root).slowed == (Slowed.THROTTLED,)


# Supplies as name:type:attribute=value,...
@pytest.mark.parametrize(
    ("supplies", "source", "percent"),
    [
        ("", "mains", None),
        ("bat:Battery:status=Discharging,capacity=40", "battery", 40),
        ("bat:Battery:status=Full,capacity=100", "mains", 100),
        ("bat:Battery:status=Unknown,capacity=40", "unknown", 40),
        ("bat:Battery:capacity=40", "unknown", 40),
        ("bat:Battery:status=Discharging,present=0", "mains", None),
        ("ac:Mains:online=1 bat:Battery:status=Discharging,capacity=99", "mains", 99),
        ("ac:Mains:online=0 bat:Battery:status=Unknown,capacity=99", "battery", 99),
        ("ac:Mains:online=0", "mains", None),
        ("usb:USB:online=1 bat:Battery:status=Charging", "mains", None),
        ("usb:USB_PD:online=1 bat:Battery:status=Discharging", "battery", None),
        ("poe:Mains:online=0 usb:USB_C:online=1", "mains", None),
        ("ups:UPS:status=Discharging,capacity=12", "battery", 12),
        (
            "a:Battery:status=Full,capacity=100 b:Battery:status=Discharging,capacity=50",
            "battery",
            75,
        ),
        ("bat:Battery:status=Discharging,energy_now=2,energy_full=8", "battery", 25),
        ("bat:Battery:status=Discharging,charge_now=3,charge_full=4", "battery", 75),
        ("bat:Battery:status=Discharging,charge_now=3,charge_full=0", "battery", None),
        ("bat:Battery:status=Discharging,capacity=200", "battery", None),
        ("bat:Battery:status=Discharging,capacity=-1", "battery", None),
        ("bat:Battery:status=Discharging,capacity=full", "battery", None),
        ("odd::online=1", "unknown", None),
    ],
)
def test_power(fake, supplies: str, source: str, percent: float | None) -> None:
    (fake.root / "sys/class/power_supply").mkdir(parents=True)
    for supply in supplies.split():
        name, kind, attributes = supply.split(":")
        folder = f"sys/class/power_supply/{name}"
        if kind:
            fake.write(f"{folder}/type", kind)
        for attribute in attributes.split(","):
            key, _, value = attribute.partition("=")
            fake.write(f"{folder}/{key}", value)
    assert read_power(fake.root) == Power(Source(source), percent)


@pytest.mark.parametrize("text", ["", "x", "-3 1 1", "nan 0 0", "inf 0 0", "\x00\xff"])
def test_load_that_is_none_is_unknown(fake, text: str) -> None:
    fake.write("proc/loadavg", text)
    assert read_load(fake.root).last_minute is None


@pytest.mark.parametrize("text", ["", "a-b", "3-1", "0--1", "0-99999999", "-1"])
def test_cpus_that_cannot_be_counted_are_unknown(fake, text: str) -> None:
    fake.write("sys/devices/system/cpu/online", text)
    assert read_load(fake.root).n_cpus is None


@pytest.mark.parametrize(("milli", "soc_c"), [("85000", 85.0), ("-274000", None), ("255000", None)])
def test_temperature_no_chip_has_is_unknown(fake, milli: str, soc_c: float | None) -> None:
    fake.write("sys/class/thermal/thermal_zone0/temp", milli)
    assert read_heat(fake.root).soc_c == soc_c


def test_telephone_on_a_cable_beside_wifi_leaves_the_wifi(fake) -> None:
    for name, kind in (("ppp0", "512"), ("wlan0", "1")):
        fake.write(f"sys/class/net/{name}/type", kind)
        fake.write(f"sys/class/net/{name}/operstate", "up")
    assert read_network(fake.root) is Network.UNMETERED


def test_space_is_that_of_the_vault(tmp_path: Path) -> None:
    assert (read_host(tmp_path, storage=tmp_path).free_bytes or 0) > 0
    assert read_host(tmp_path, storage=tmp_path / "none").free_bytes is None


def test_what_may_not_be_read_is_unknown(fake) -> None:
    root = _build(fake, PI_5)
    files = [file for file in root.rglob("*") if file.is_file()]
    if os.getuid() == 0:
        # Nothing is forbidden to root; a folder in the place of a file fails to read as well.
        for file in files:
            file.unlink()
            file.mkdir()
    else:
        for file in files:
            file.chmod(0)
    assert read_host(root) == HostReadings(network=Network.NONE)


FILES = sorted(PI_4 | PI_5 | LAPTOP)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(path=st.sampled_from(FILES), content=st.binary(max_size=40))
def test_garbled_file_never_raises(fake, path: str, content: bytes) -> None:
    root = _build(fake, PI_4 | PI_5 | LAPTOP)
    (root / path).write_bytes(content)
    read = read_host(root)
    assert read.words()
    assert read.facts()


def test_pipe_in_place_of_a_file_is_no_reading(tmp_path: Path) -> None:
    pipe = tmp_path / "temp"
    os.mkfifo(pipe)
    assert read_word(pipe) is None
