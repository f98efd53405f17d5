"""A board's ``machine``: chips at register level on a bus, worn by a body that the other process lives."""

import _hw
from sim.devices.bus import Bus
from sim.devices.lsm6ds3 import Lsm6ds3
from sim.devices.max30102 import Max30102
from sim.devices.mpu6050 import Mpu6050
from sim.devices.tmp117 import Tmp117

PWRON_RESET, HARD_RESET, WDT_RESET, DEEPSLEEP_RESET, SOFT_RESET = 1, 2, 3, 4, 5
# Where board.json says that these are; the highest pin there is, and those with a converter.
BUTTON_PIN, HAPTIC_PIN, EDA_PIN, BATTERY_PIN = 2, 3, 4, 5
LAST_PIN, ADC_PINS = 48, (4, 5, 6, 7, 8)
_CHIPS = {
    "lsm6ds3": (0x6A, Lsm6ds3),
    "mpu6050": (0x68, Mpu6050),
    "max30102": (0x57, Max30102),
    "tmp117": (0x48, Tmp117),
}


class _Body:
    """The body's counts of this moment."""

    def sample(self, name):
        channel = _hw.channel(name)
        return [_hw.count(channel, axis) for axis in range(_hw.axes(channel))]

    def now_us(self):
        return _hw.now_ms() * 1000

    def is_worn(self):
        return _hw.worn()


_chips = {address: chip(_Body()) for name, (address, chip) in _CHIPS.items() if _hw.has(name)}
_bus = Bus(_chips)
_n_dips = _hw.dips()


class I2C:
    """The bus, whatever its number and pins."""

    def __init__(self, bus=0, **_):
        pass

    def scan(self):
        return _bus.scan()

    def readfrom_mem_into(self, address, register, buffer):
        _fail_as_told()
        _bus.readfrom_mem_into(address, register, buffer)

    def readfrom_mem(self, address, register, n):
        buffer = bytearray(n)
        self.readfrom_mem_into(address, register, buffer)
        return bytes(buffer)

    def writeto_mem(self, address, register, data):
        _fail_as_told()
        _bus.writeto_mem(address, register, data)


def _fail_as_told():
    global _n_dips
    n = _hw.dips()
    if n != _n_dips:
        _n_dips = n
        for chip in _chips.values():
            chip.reset()
    if _hw.is_bus_broken():
        raise OSError(5)


class Pin:
    """A pin that keeps what it is set to; the button's is the wearer's finger."""

    IN, OUT, PULL_UP, PULL_DOWN = 0, 1, 2, 3

    def __init__(self, number, *_, **__):
        if number != "LED" and not (isinstance(number, int) and 0 <= number <= LAST_PIN):
            raise ValueError("invalid pin")
        self.number = number
        self._value = 0

    def value(self, value=None):
        if value is not None:
            self._value = value
            _hw.pin(str(self.number), value)
            if self.number == HAPTIC_PIN and value:
                _hw.buzz()
            return None
        return 1 - _hw.finger() if self.number == BUTTON_PIN else self._value


class ADC:
    """A converter on a pin."""

    def __init__(self, pin):
        if pin.number not in ADC_PINS:
            raise ValueError("Pin doesn't have ADC capabilities")
        self._pin = pin.number

    def read_u16(self):
        if _hw.is_dead(self._pin):
            raise OSError(5)
        if self._pin == BATTERY_PIN:
            return _hw.battery()
        return _hw.count(_hw.channel("eda"), 0) if self._pin == EDA_PIN else 0


class WDT:
    """A watchdog: the other process counts."""

    def __init__(self, timeout=5000):
        _hw.watchdog(timeout)

    def feed(self):
        _hw.feed()


class Timer:
    """Fires never: all that is asked of one here is to feed the watchdog, and the other process does."""

    def __init__(self, number):
        if number != -1:
            raise ValueError("invalid Timer number")

    def init(self, period, callback):
        _hw.feeder(True)

    def deinit(self):
        _hw.feeder(False)


def unique_id():
    return _hw.unique_id().encode()


def reset_cause():
    return _hw.reset_cause()


def freq():
    return 240000000


def reset():
    _hw.reset(0)
    raise SystemExit


def bootloader():
    _hw.reset(1)
    raise SystemExit
