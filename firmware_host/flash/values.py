"""What a board is, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Chip:
    """A microcontroller as images name it.

    ``esp_id`` is in the header of Espressif's images ("Firmware image format" of esptool, extended
    header, bytes 4 and 5), ``uf2_family`` in UF2 blocks (microsoft/uf2, utils/uf2families.json).
    ``highest_pin`` is that of the datasheet's pin table: GPIO48 (ESP32-S3), P1.15 (nRF52840), P1.09
    (nRF52833), GPIO29 (RP2040).
    """

    name: str
    esp_id: int | None
    uf2_family: int | None
    highest_pin: int


CHIPS = {
    chip.name: chip
    for chip in (
        Chip("esp32s3", 9, 0xC47E5767, 48),
        Chip("nrf52840", None, 0xADA52840, 47),
        Chip("nrf52833", None, 0x621E937A, 41),
        Chip("rp2040", None, 0xE48BFF56, 29),
        Chip("virtual", None, None, 255),
    )
}

Pin = int | str


@dataclass(frozen=True, slots=True)
class Bus:
    """An I2C bus: its number, pins and clock in Hz; ``inside`` the board, no wire goes to it."""

    id: int
    scl: Pin
    sda: Pin
    hz: int
    inside: bool = False


@dataclass(frozen=True, slots=True)
class Eda:
    """Pin of the conductance amplifier, or channel of the converter; conductance at its full scale."""

    pin: Pin | None
    channel: int | None
    full_scale_usiemens: float


@dataclass(frozen=True, slots=True)
class Battery:
    """Pin that sees the battery's voltage divided by ``ratio``; volts when empty, full, and at full scale."""

    pin: Pin
    ratio: float
    empty_v: float
    full_v: float
    reference_v: float


@dataclass(frozen=True, slots=True)
class Board:
    """One kind of board.

    ``usb_app`` are USB ids while an app or MicroPython runs, ``usb_boot`` those of its bootloader.
    ``enter`` tells a person how to get into the bootloader. ``board_id`` begins the Board-ID of its
    UF2 drive. ``onboard`` can be sensed as it comes, ``wired`` with sensors added. ``ring_kib`` of its
    memory hold what may be asked for again. ``inside`` are names of ``pins`` whose parts are on the
    board as it comes; ``labels`` are the maker's names of pins, and of ``3v3`` and ``gnd``. ``fs_kib`` is what
    MicroPython's own image has for files, the smallest if there are several (None: unknown).
    """

    key: str
    name: str
    chip: Chip
    usb_app: tuple[str, ...]
    usb_boot: tuple[str, ...]
    way: str
    enter: str
    offset: int
    board_id: str
    advice: str
    onboard: tuple[str, ...]
    wired: tuple[str, ...]
    buses: tuple[Bus, ...]
    eda: Eda | None
    battery: Battery | None
    pins: dict[str, Pin]
    led_lit: int
    ring_kib: int
    inside: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    fs_kib: int | None = None
    has_watchdog: bool = True

    @property
    def prints(self) -> bool:
        """Whether its app prints readings instead of sending frames."""
        return self.way == "uflash"

    def has_usb_id(self, usb_id: str | None) -> bool:
        """Whether a board of this kind may have this USB id."""
        return usb_id in self.usb_app or usb_id in self.usb_boot
